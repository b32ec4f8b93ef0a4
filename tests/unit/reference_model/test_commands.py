"""The reference model's reading of commands, on logs small enough to judge by eye."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from audit import commands, messages
from audit.history import CommandHistory
from shared.contracts import identity
from shared.contracts.cloudevents import header
from tests.reference.builder import LogBuilder
from tests.reference.register_files import (
    DEVICES,
    MODEL,
    OFFICERS,
    STATIONS,
    devices_file,
    key_of,
    officers_file,
    public_pem,
)

A, B = ("010203-A", "a" * 64), ("010203-B", "b" * 64)


def history(builder: LogBuilder) -> CommandHistory:
    return commands.fold(builder.register, builder.founding, builder.commands, builder.files)


def verdict(builder: LogBuilder, ce_id: str) -> tuple[str, str | None, int | None]:
    found = history(builder).verdicts[ce_id]
    return found.verdict, found.reason, found.command_offset


def last_id(builder: LogBuilder) -> str:
    return (header(builder.commands[-1].headers, "ce_id") or b"").decode()


def test_a_register_is_created_by_the_pinned_file_and_an_administrator_whom_it_names() -> None:
    builder = LogBuilder()
    unknown_file = builder.propose(
        messages.ADOPTED, {"kind": "officers", "version": "v1", "sha256": "0" * 64}, "nobody"
    )
    other = officers_file({"nobody": ["administrator"]})
    refused = [
        unknown_file,
        builder.adopt("gazetteer", b"x", approver=None),
        builder.adopt("officers", other, officer="nobody", approver=None),
        builder.adopt("officers", officers_file(OFFICERS), officer="nobody", approver=None),
        builder.adopt("officers", officers_file(OFFICERS), officer="approver", approver=None),
    ]
    founding = builder.adopt("officers", officers_file(OFFICERS), approver=None)
    assert {verdict(builder, each) for each in refused} == {("refused", "no_officers", None)}
    assert verdict(builder, founding) == ("effective", None, 5)
    assert history(builder).officers(before=5) == {}
    assert set(history(builder).officers(before=6)) == set(OFFICERS)


def test_an_id_that_was_used_before_the_register_was_created_is_free() -> None:
    builder = LogBuilder()
    builder.propose(messages.CUT_OFF, {"epoch": 1}, ce_id="command-2")
    builder.found()
    assert verdict(builder, "command-2") == ("effective", None, 3)


def test_a_command_takes_effect_at_the_offset_of_the_first_qualified_approval() -> None:
    builder = LogBuilder().found()
    cut_off = builder.propose(messages.CUT_OFF, {"epoch": 1})
    own = builder.approve(cut_off, "admin")
    other_bytes = builder.approve(cut_off, command_sha256="0" * 64)
    assert verdict(builder, cut_off) == ("open", None, None)
    approval = builder.approve(cut_off, "approver")
    again = builder.approve(cut_off, "approver-2")
    offset = builder.commands[-2].offset
    assert verdict(builder, own) == ("refused", "role", None)
    assert verdict(builder, other_bytes) == ("refused", "other_bytes", None)
    assert verdict(builder, cut_off) == ("effective", None, offset)
    assert verdict(builder, approval) == ("effective", None, offset)
    assert verdict(builder, again) == ("refused", "settled", None)
    assert history(builder).cut_offs == {1: offset}
    told = history(builder).verdicts[cut_off]
    assert (told.proposed_by, told.approved_by, told.settled_by) == ("admin", "approver", "approver")
    assert (told.proposed_at, told.settled_at) == (
        builder.commands[offset - 3].timestamp,
        builder.commands[offset].timestamp,
    )


def test_what_names_no_proposal_is_an_unknown_command() -> None:
    builder = LogBuilder().found()
    cut_off = builder.propose(messages.CUT_OFF, {"epoch": 1})
    approval = builder.approve(cut_off)
    for named in ("nothing", approval):
        assert verdict(builder, builder.approve(cut_off, command_id=named))[1] == "unknown_command"
        assert verdict(builder, builder.withdraw(named, "approver"))[1] == "unknown_command"


def test_an_officer_with_two_names_or_one_key_twice_is_one_officer() -> None:
    builder = LogBuilder().found()
    proposal = builder.adopt("gazetteer", b"new", officer="approver-2", approver="approver-2")
    assert verdict(builder, proposal) == ("open", None, None)
    assert verdict(builder, last_id(builder)) == ("refused", "same_officer", None)
    file = json.loads(officers_file(OFFICERS))
    twin = {**next(each for each in file if each["name"] == "admin"), "name": "twin", "roles": ["approver"]}
    builder.adopt("officers", json.dumps([*file, twin]).encode())
    cut_off = builder.propose(messages.CUT_OFF, {"epoch": 1})
    for act in (messages.APPROVED, messages.WITHDRAWN):
        data = {"command_id": cut_off, "reason": "r"}
        sha256 = identity.sha256_hex(builder.commands[-1].value or b"") if act == messages.APPROVED else None
        whole = {**data, "command_sha256": sha256} if sha256 else data
        ce_id = builder.propose(act, whole, "twin", key=key_of("admin"))
        assert verdict(builder, ce_id) == ("refused", "same_officer", None)


@pytest.mark.parametrize("what", ["register", "key", "ce_id"])
def test_nothing_signed_otherwise_counts(what: str) -> None:
    builder = LogBuilder().found()
    value = b'{"epoch": 1}'
    builder.register = "other" if what == "register" else builder.register
    key = key_of("approver") if what == "key" else None
    headers = builder.signed(messages.CUT_OFF, "cut", value, "admin", key)
    if what == "ce_id":
        headers = tuple(
            ("ce_id", b"cat") if name == "ce_id" else (name, content) for name, content in headers
        )
    builder.raw_command(value, headers)
    builder.register = "kh-test"
    assert verdict(builder, "cat" if what == "ce_id" else "cut") == ("refused", "signature", None)


def test_of_validly_signed_messages_with_one_id_the_first_counts() -> None:
    builder = LogBuilder().found()
    builder.propose(messages.CUT_OFF, {"epoch": 1}, "stranger", ce_id="cut")
    builder.propose(messages.CUT_OFF, {"epoch": 1}, ce_id="cut", key=key_of("stranger"))
    assert verdict(builder, "cut") == ("refused", "unknown_officer", None)
    builder.propose(messages.CUT_OFF, {"epoch": 1}, ce_id="cut")
    assert verdict(builder, "cut") == ("open", None, None)
    builder.propose(messages.CUT_OFF, {"epoch": 7}, ce_id="cut")
    builder.propose(messages.CUT_OFF, {"epoch": 1}, "stranger", ce_id="cut")
    assert verdict(builder, "cut") == ("open", None, None)
    value = builder.commands[-3].value or b""
    builder.approve("cut", command_sha256=identity.sha256_hex(value))
    assert list(history(builder).cut_offs) == [1]


@pytest.mark.parametrize("how", ["time", "large", "key"])
def test_what_is_too_large_or_has_a_time_of_its_own_is_chained_and_has_no_effect(how: str) -> None:
    builder = LogBuilder().found()
    before = len(history(builder).heads)
    builder.propose(messages.CUT_OFF, {"epoch": 1}, ce_id="odd")
    record = builder.commands[-1]
    builder.commands[-1] = {
        "time": replace(record, append_time=False),
        "large": replace(record, headers=(*record.headers, ("x", b"x" * 65536))),
        "key": replace(record, key=b"x" * 129),
    }[how]
    assert "odd" not in history(builder).verdicts
    assert len(history(builder).heads) == before + 1
    builder.approve("odd")
    assert history(builder).cut_offs == {}


def test_a_message_of_an_unknown_type_is_no_command_that_could_be_approved() -> None:
    builder = LogBuilder().found()
    odd = builder.propose("rollstream.command.unheard-of.v1", {})
    assert verdict(builder, builder.approve(odd)) == ("refused", "unknown_command", None)


def test_what_cannot_be_decompressed_is_no_message_of_the_chain() -> None:
    builder = LogBuilder().found()
    before = history(builder).heads
    builder.undecodable_command_batch(3)
    assert history(builder).heads == before
    cut_off = builder.cut_off(1, markers=False)
    assert cut_off == max(before) + 5 and history(builder).cut_offs == {1: cut_off}


REFUSED: list[tuple[str, Callable[[LogBuilder], str]]] = [
    ("role", lambda builder: builder.propose(messages.CUT_OFF, {"epoch": 1}, "approver")),
    ("role", lambda builder: builder.propose(messages.CUT_OFF, {}, "approver")),
    ("invalid", lambda builder: builder.propose(messages.CUT_OFF, {"epoch": 1.0})),
    ("invalid", lambda builder: builder.propose(messages.CUT_OFF, {"epoch": 1, "note": None})),
    ("invalid", lambda builder: builder.adopt("gazetteer", b"x", approver=None, lost=True)),
    ("invalid", lambda builder: builder.adopt("signing_key", b"x", approver=None, lost=1)),
    ("invalid", lambda builder: builder.decide(A, B, "same_person", approver=None)),
    ("invalid", lambda builder: builder.decide(A, B, "different_persons", A[0], approver=None)),
    ("invalid", lambda builder: builder.decide(A, B, "same_person", "other", approver=None)),
    (
        "invalid",
        lambda builder: builder.decide(A, B, "different_persons", communes={A[0]: "0102"}, approver=None),
    ),
    ("area", lambda builder: builder.propose(messages.CUT_OFF, {"epoch": 1}, "local")),
]


@pytest.mark.parametrize(("reason", "propose"), REFUSED)
def test_a_proposal_that_nobody_may_approve_is_refused_at_once(
    reason: str, propose: Callable[[LogBuilder], str]
) -> None:
    builder = LogBuilder().found()
    proposal = propose(builder)
    assert verdict(builder, proposal) == ("refused", reason, None)
    assert verdict(builder, builder.approve(proposal)) == ("refused", "settled", None)


def test_cut_offs_are_numbered_without_gaps_and_wait_for_all_reference_data() -> None:
    builder = LogBuilder()
    builder.adopt("officers", officers_file(OFFICERS), approver=None)
    early = builder.command(messages.CUT_OFF, {"epoch": 1})
    assert verdict(builder, early) == ("refused", "reference", None)
    builder = LogBuilder().found()
    for epoch in (2, 1, 1, 2):
        builder.cut_off(epoch, markers=False)
    assert list(history(builder).cut_offs) == [1, 2]


def test_a_second_model_and_unreadable_files_are_refused_when_approved() -> None:
    builder = LogBuilder().found()
    for kind, raw, reason in (
        ("model", MODEL.encode() + b" ", "model_fixed"),
        ("officers", b"[]", "invalid_file"),
        ("officers", b"{}", "invalid_file"),
        ("signing_key", b"x", "invalid_file"),
        ("gazetteer", b"code,name\n", "invalid_file"),
        ("stations", STATIONS.replace(",750", ",751").encode(), "invalid_file"),
        ("devices", b"{}", "invalid_file"),
    ):
        refused = builder.adopt(kind, raw)
        assert verdict(builder, refused) == ("refused", reason, None), kind
        assert verdict(builder, last_id(builder))[0] == "effective"  # the approval itself


def test_an_officer_who_left_cannot_be_approved_any_more() -> None:
    builder = LogBuilder().found()
    cut_off = builder.propose(messages.CUT_OFF, {"epoch": 1}, officer="admin-2")
    rest = {name: roles for name, roles in OFFICERS.items() if name != "admin-2"}
    builder.adopt("officers", officers_file(rest))
    approval = builder.approve(cut_off)
    assert verdict(builder, cut_off) == ("open", None, None)
    assert verdict(builder, approval) == ("refused", "proposer", None)
    builder.adopt("officers", officers_file(OFFICERS))
    builder.approve(cut_off)
    assert verdict(builder, cut_off)[0] == "effective"


def test_a_reversal_needs_a_decision_and_each_act_on_a_pair_supersedes_the_one_before() -> None:
    builder = LogBuilder().found()
    early = builder.reverse(A, B)
    decision = builder.decide(A, B, "same_person", keep=A[0])
    other = builder.decide((A[0], "c" * 64), B, "different_persons")
    reversal = builder.reverse(B, A)
    again = builder.reverse(A, B)
    assert verdict(builder, early) == ("refused", "no_decision", None)
    assert verdict(builder, reversal)[0] == verdict(builder, again)[0] == "effective"
    assert [made.said.decision for made in history(builder).decisions] == [
        "same_person",
        "different_persons",
        None,
        None,
    ]
    by = {ce_id: found.superseded_by for ce_id, found in history(builder).verdicts.items()}
    assert (by[decision], by[other], by[reversal]) == (reversal, None, again)


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
    assert found.file_of_epoch("stations", 1).startswith(b"station,")
    assert [found.of_epoch("stations", epoch) for epoch in (2, 3)] == [second, third]


def test_devices_are_in_force_in_the_first_epoch_only_if_they_came_before_the_last_first_adoption() -> None:
    fewer = devices_file({"D-1": DEVICES["D-1"]})
    builder = LogBuilder().found()
    builder.adopt("devices", fewer)
    builder.cut_off(1, markers=False)
    assert [history(builder).of_epoch("devices", epoch) for epoch in (1, 2)] == [None, fewer]
    builder = LogBuilder().found(devices=devices_file())
    builder.adopt("devices", fewer)
    builder.cut_off(1, markers=False)
    assert [history(builder).of_epoch("devices", epoch) for epoch in (1, 2)] == [devices_file(), fewer]


def test_a_signing_key_is_in_force_from_its_adoption_on() -> None:
    builder = LogBuilder().found()
    builder.adopt("signing_key", public_pem("second"))
    offset = builder.commands[-1].offset
    found = history(builder)
    assert len(found.adopted("signing_key", before=offset)) == 1
    assert found.adopted("signing_key")[-1] == identity.sha256_hex(public_pem("second"))
