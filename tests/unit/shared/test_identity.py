"""How versions, claims, commands and the audit chain are named; computed anew here with hashlib."""

import hashlib
import json
import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import identity

_ID = st.text("ABCxyz019-_.", min_size=1, max_size=12)
_VERSION = st.tuples(_ID, st.binary(min_size=32, max_size=32).map(bytes.hex))


def test_a_digest_is_the_hash_of_sorted_compact_json_without_nulls() -> None:
    voter = {"sex": "male", "phone": None, "family_name": {"latin": "SOK", "km": None}}
    expected = b'{"residence":{"village_code":"010203"},"voter":{"family_name":{"latin":"SOK"},"sex":"male"}}'
    assert identity.digest(voter, {"village_code": "010203"}) == hashlib.sha256(expected).hexdigest()


def test_khmer_is_hashed_as_utf8_and_not_as_escapes() -> None:
    assert identity.canonical({"km": "សុខ"}) == '{"km":"សុខ"}'.encode()


def test_a_null_and_a_missing_member_give_one_digest_at_every_depth() -> None:
    with_nulls = {"a": None, "b": {"c": None, "d": [{"e": None, "f": 1}, None]}}
    assert identity.without_nulls(with_nulls) == {"b": {"d": [{"f": 1}, None]}}


def test_the_capture_systems_order_of_members_does_not_matter() -> None:
    assert identity.data_hash("t", {"a": 1, "b": [2]}) == identity.data_hash("t", {"b": [2], "a": 1})


def test_data_beyond_a_doubles_integers_has_no_hash() -> None:
    assert identity.data_hash("t", {"n": 2**53}) is None
    assert identity.data_hash("t", {"n": 2**53 - 1}) is not None


@given(one=_VERSION, other=_VERSION)
def test_both_finders_of_a_pair_name_the_claim_alike(one: tuple[str, str], other: tuple[str, str]) -> None:
    pair = sorted([list(one), list(other)])
    expected = hashlib.sha256(json.dumps(pair, separators=(",", ":")).encode()).hexdigest()
    assert identity.claim_id(one, other) == identity.claim_id(other, one) == expected


@given(one=_VERSION, other=_VERSION)
def test_two_pairs_never_share_a_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    third = (one[0] + "x", one[1])
    assert identity.claim_id(one, other) != identity.claim_id(third, other)


def test_the_register_the_type_and_the_id_are_signed_with_the_value() -> None:
    signed = identity.command_signing_bytes("kh-2026", "t", "c-1", b"{}")
    assert signed == b"kh-2026\x00t\x00c-1\x00{}"
    assert signed != identity.command_signing_bytes("kh-2027", "t", "c-1", b"{}")


def test_a_header_that_is_not_utf8_is_signed_as_its_bytes() -> None:
    broken = b"c-\xff".decode("utf-8", "surrogateescape")
    assert identity.command_signing_bytes("r", "t", broken, b"") == b"r\x00t\x00c-\xff\x00"


FIELDS = st.tuples(st.integers(-1, 2**62), *[st.binary(max_size=8)] * 5)


@given(st.lists(FIELDS, min_size=1, max_size=4))
def test_the_chain_hashes_each_message_onto_the_head_before(messages: list[Any]) -> None:
    head = expected = identity.CHAIN_START
    for timestamp, *fields in messages:
        head = identity.chain(head, timestamp, *fields)
        message = struct.pack(">q", timestamp) + b"".join(
            struct.pack(">I", len(each)) + each for each in fields
        )
        expected = hashlib.sha256(expected + hashlib.sha256(message).digest()).digest()
    assert head == expected
    assert identity.CHAIN_START == b"\0" * 32


def test_changing_any_part_of_a_message_changes_the_head() -> None:
    parts = [b"type", b"id", b"officer", b"signature", b"value"]
    heads = {identity.chain(identity.CHAIN_START, 1, *parts), identity.chain(identity.CHAIN_START, 2, *parts)}
    for at in range(5):
        changed = [part + b"!" if place == at else part for place, part in enumerate(parts)]
        heads.add(identity.chain(identity.CHAIN_START, 1, *changed))
    heads.add(identity.chain(identity.CHAIN_START, 1, b"typ", b"eid", *parts[2:]))
    assert len(heads) == 8


def test_an_event_is_signed_for_one_register_type_source_and_id() -> None:
    signed = identity.event_signing_bytes("r", "t", "s", "i", {"b": 1, "a": None})
    assert signed == b'r\x00t\x00s\x00i\x00{"a":null,"b":1}'


def test_the_content_of_a_batch_is_that_of_its_distinct_arrivals_in_order() -> None:
    one, other = identity.arrival_hash("r", "t", "i", {}), identity.arrival_hash("r", "t", "j", {})
    assert one == hashlib.sha256(b"r\x00t\x00i\x00{}").hexdigest()
    assert one is not None and other is not None
    content = identity.batch_content([(2, one), (1, other), (2, one)])
    assert content == hashlib.sha256(f'[[1,"{other}"],[2,"{one}"]]'.encode()).hexdigest()
    assert identity.arrival_hash("r", "t", "i", {"n": 2**53}) is None
