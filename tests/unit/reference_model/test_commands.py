"""The reference model's reading of commands, on logs small enough to judge by eye."""

import pytest

from shared.contracts import identity
from shared.contracts.cloudevents import header
from shared.contracts.commands import CommandType
from tests.reference import commands
from tests.reference.builder import MODEL, OFFICERS, STATIONS, LogBuilder, key_of, officers_file, public_pem

A, B = ("010203-A", "a" * 64), ("010203-B", "b" * 64)


def history(builder: LogBuilder) -> commands.CommandHistory:
    return commands.fold(builder.register, builder.commands, builder.files)


def verdict(builder: LogBuilder, ce_id: str) -> tuple[str, str | None, int | None]:
    found = history(builder).verdicts[ce_id]
    return found.verdict, found.reason, found.command_offset


def last_id(builder: LogBuilder) -> str:
    return (header(builder.commands[-1].headers, "ce_id") or b"").decode()


def test_a_register_is_founded_by_an_administrator_whom_the_file_names() -> None:
    builder = LogBuilder()
    early = builder.adopt("gazetteer", b"x", approver=None)
    stranger = builder.adopt("officers", officers_file(OFFICERS), officer="nobody", approver=None)
    not_admin = builder.adopt("officers", officers_file(OFFICERS), officer="approver", approver=None)
    founding = builder.adopt("officers", officers_file(OFFICERS), approver=None)
    assert verdict(builder, early) == ("refused", "no officers", None)
    assert verdict(builder, stranger) == ("refused", "officer", None)
    assert verdict(builder, not_admin) == ("refused", "role", None)
    assert verdict(builder, founding) == ("effective", None, 3)
    assert history(builder).officers(before=3) == {}
    assert set(history(builder).officers(before=4)) == set(OFFICERS)


def test_a_command_takes_effect_at_the_offset_of_the_first_qualified_approval() -> None:
    builder = LogBuilder().found()
    cut_off = builder.propose(CommandType.CUT_OFF, {"epoch": 1})
    own = builder.approve(cut_off, "admin")
    other_bytes = builder.approve(cut_off, command_sha256="0" * 64)
    assert verdict(builder, cut_off) == ("open", None, None)
    approval = builder.approve(cut_off, "approver")
    again = builder.approve(cut_off, "approver-2")
    offset = builder.commands[-2].offset
    assert verdict(builder, own) == ("refused", "role", None)
    assert verdict(builder, other_bytes) == ("refused", "command_sha256", None)
    assert verdict(builder, cut_off) == ("effective", None, offset)
    assert verdict(builder, approval) == ("effective", None, offset)
    assert verdict(builder, again) == ("refused", "no open command", None)
    assert history(builder).cut_offs == {1: offset}


def test_an_officer_with_two_names_or_one_key_twice_is_one_officer() -> None:
    builder = LogBuilder().found()
    proposal = builder.adopt("gazetteer", b"new", officer="approver-2", approver="approver-2")
    assert verdict(builder, proposal) == ("open", None, None)
    assert verdict(builder, last_id(builder)) == ("refused", "same officer", None)


@pytest.mark.parametrize("what", ["register", "key", "ce_id"])
def test_nothing_signed_otherwise_counts(what: str) -> None:
    builder = LogBuilder().found()
    value = b'{"epoch": 1}'
    builder.register = "other" if what == "register" else builder.register
    key = key_of("approver") if what == "key" else None
    headers = builder.signed(CommandType.CUT_OFF, "cut", value, "admin", key)
    if what == "ce_id":
        headers = tuple(
            ("ce_id", b"cat") if name == "ce_id" else (name, content) for name, content in headers
        )
    builder.raw_command(value, headers)
    builder.register = "kh-test"
    assert verdict(builder, "cat" if what == "ce_id" else "cut") == ("refused", "signature", None)


def test_of_messages_with_one_id_the_first_counts() -> None:
    builder = LogBuilder().found()
    builder.propose(CommandType.CUT_OFF, {"epoch": 7, "note": "malformed"}, ce_id="cut")
    builder.propose(CommandType.CUT_OFF, {"epoch": 1}, ce_id="cut")
    builder.approve("cut")
    found = history(builder)
    assert (found.verdicts["cut"].verdict, found.cut_offs) == ("refused", {})


def test_cut_offs_are_numbered_without_gaps_and_wait_for_all_reference_data() -> None:
    builder = LogBuilder()
    builder.adopt("officers", officers_file(OFFICERS), approver=None)
    builder.cut_off(1, markers=False)
    assert not history(builder).cut_offs
    builder = LogBuilder().found()
    for epoch in (2, 1, 1, 2):
        builder.cut_off(epoch, markers=False)
    assert list(history(builder).cut_offs) == [1, 2]


def test_a_second_model_and_unreadable_files_are_refused_when_approved() -> None:
    builder = LogBuilder().found()
    for kind, raw in (
        ("model", MODEL.encode() + b" "),
        ("officers", b"[]"),
        ("officers", b"{}"),
        ("signing_key", b"x"),
        ("gazetteer", b"code,name\n"),
        ("stations", STATIONS.replace(",750", ",751").encode()),
    ):
        refused = builder.adopt(kind, raw)
        assert verdict(builder, refused)[0] == "refused", kind
        assert verdict(builder, last_id(builder))[0] == "effective"  # the approval itself


def test_an_officer_who_left_cannot_be_approved_any_more() -> None:
    builder = LogBuilder().found()
    cut_off = builder.propose(CommandType.CUT_OFF, {"epoch": 1}, officer="admin-2")
    rest = {name: roles for name, roles in OFFICERS.items() if name != "admin-2"}
    builder.adopt("officers", officers_file(rest))
    builder.approve(cut_off)
    assert verdict(builder, cut_off) == ("open", None, None)
    builder.adopt("officers", officers_file(OFFICERS))
    builder.approve(cut_off)
    assert verdict(builder, cut_off)[0] == "effective"


def test_a_reversal_needs_a_decision_and_returns_the_pair_to_undecided() -> None:
    builder = LogBuilder().found()
    early = builder.reverse(A, B)
    builder.decide(A, B, "same_person", keep=A[0])
    reversal = builder.reverse(B, A)
    again = builder.reverse(A, B)
    assert [verdict(builder, ce_id)[0] for ce_id in (early, reversal, again)] == [
        "refused",
        "effective",
        "refused",
    ]
    assert [made.decided is None for made in history(builder).decisions] == [False, True]


def test_the_audit_chain_takes_every_message_as_it_lay_there() -> None:
    builder = LogBuilder()
    builder.raw_command(None, (("ce_id", b"\xff"),))
    builder.raw_command(b"v", (("ce_id", b"1"), ("ce_id", b"2"), ("ce_type", None)))
    found = history(builder)
    at = [record.timestamp for record in builder.commands]
    first = identity.chain(bytes(32), at[0], b"", b"\xff", b"", b"", b"")
    assert found.heads == {0: first, 1: identity.chain(first, at[1], b"", b"2", b"", b"", b"v")}
    assert list(found.verdicts) == ["2"]


def test_each_epoch_works_with_what_was_adopted_before_the_cut_off_of_the_one_before() -> None:
    builder = LogBuilder().found()
    second, third = STATIONS.replace("750", "2").encode(), STATIONS.replace("750", "3").encode()
    builder.adopt("stations", second)
    builder.cut_off(1, markers=False)
    builder.adopt("stations", third)
    builder.cut_off(2, markers=False)
    found = history(builder)
    assert found.of_epoch("stations", 1).startswith(b"station,")
    assert [found.of_epoch("stations", epoch) for epoch in (2, 3)] == [second, third]


def test_a_signing_key_is_in_force_from_its_adoption_on() -> None:
    builder = LogBuilder().found()
    builder.adopt("signing_key", public_pem("second"))
    offset = builder.commands[-1].offset
    found = history(builder)
    assert len(found.adopted("signing_key", before=offset)) == 1
    assert found.adopted("signing_key")[-1] == identity.sha256_hex(public_pem("second"))
