"""What each message of the commands topic does, and that nothing else does anything."""

import json
from typing import Any

import pytest

from shared.commands.fold import apply, fold
from shared.contracts.commands import CommandType, ReferenceKind
from shared.contracts.identity import CHAIN_START, chain
from shared.crypto import signing
from shared.reference.files import MissingReference
from shared.reference.officers import officers_file
from tests.kit.command_log import (
    COMMUNE,
    NO_PLACES,
    NO_STATIONS,
    OFFICERS,
    REGISTER,
    CommandLog,
    all_roles,
    key_of,
    officer,
    running,
    snapshot,
)
from tests.reference.register_files import MODEL

A = ("r-1", "a" * 64)
B = ("r-2", "b" * 64)
C = ("r-3", "c" * 64)


def verdict(log: CommandLog, ce_id: str) -> tuple[str, str | None]:
    found = log.state().verdicts[ce_id]
    return found.verdict, found.reason


def test_the_first_adoption_of_officers_creates_the_register_at_its_own_offset() -> None:
    state = CommandLog().found().state()
    assert state.verdicts["founding"].command_offset == 0
    assert set(state.officers_at(0)) == {each.name for each in OFFICERS}


def test_before_the_founding_everything_is_refused() -> None:
    log = CommandLog()
    cut_off = log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher")
    assert verdict(log, cut_off) == ("refused", "no_officers")


def test_only_an_administrator_whom_the_file_names_may_found() -> None:
    log = CommandLog()
    data = {"kind": "officers", "version": "1", "sha256": log.officers_sha}
    by_publisher = log.send(CommandType.ADOPTED, data, "publisher")
    by_stranger = log.send(CommandType.ADOPTED, data, "stranger")
    with_another_key = log.send(CommandType.ADOPTED, data, "admin", key="stranger")
    assert verdict(log, by_publisher) == ("refused", "role")
    assert verdict(log, by_stranger) == ("refused", "unknown_officer")
    assert verdict(log, with_another_key) == ("refused", "signature")
    assert verdict(log.found(), "founding") == ("effective", None)


def test_a_command_takes_effect_at_the_offset_of_its_approval() -> None:
    log = running()
    ce_id = log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher")
    assert verdict(log, ce_id) == ("open", None)
    assert log.state().cut_offs == {}
    log.approve(ce_id)
    found = log.state().verdicts[ce_id]
    assert (found.verdict, found.command_offset, found.approved_by) == (
        "effective",
        len(log.messages) - 1,
        "approver",
    )
    assert log.state().cut_offs == {1: len(log.messages) - 1}


@pytest.mark.parametrize(
    ("ce_type", "name"),
    [
        (CommandType.CUT_OFF, "admin"),
        (CommandType.ADOPTED, "publisher"),
        (CommandType.DECIDED, "publisher"),
        (CommandType.REVERSED, "approver"),
        (CommandType.FINALISED, "adjudicator"),
        (CommandType.APPROVED, "adjudicator"),
    ],
)
def test_nobody_may_propose_or_approve_without_the_role(ce_type: CommandType, name: str) -> None:
    log = running()
    assert verdict(log, log.send(ce_type, {}, name)) == ("refused", "role")


def test_data_that_break_the_contract_are_refused() -> None:
    log = running()
    wrong: list[Any] = [{"epoch": 0}, {"epoch": 1, "more": 1}, {"epoch": "1"}, [], None]
    for data in wrong:
        assert verdict(log, log.send(CommandType.CUT_OFF, data, "publisher")) == ("refused", "invalid")


def test_a_type_that_is_none_is_refused() -> None:
    log = running()
    assert verdict(log, log.send("rollstream.command.other.v1", {}, "admin")) == (
        "refused",
        "unknown_type",
    )


def test_what_is_signed_for_another_register_does_not_count() -> None:
    log = running()
    ce_id = log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher", register="kh-other")
    assert verdict(log, ce_id) == ("refused", "signature")


def test_nobody_approves_their_own_proposal() -> None:
    log = CommandLog([all_roles("one"), all_roles("two"), officer("alias", ["approver"], "one")])
    data = {"kind": "officers", "version": "1", "sha256": log.officers_sha}
    log.send(CommandType.ADOPTED, data, "one")
    proposal = log.send(
        CommandType.ADOPTED, {"kind": "officers", "version": "2", "sha256": log.officers_sha}, "one"
    )
    by_name = log.approve(proposal, "one")
    by_key = log.approve(proposal, "alias", key="one")
    assert verdict(log, by_name) == ("refused", "same_officer")
    assert verdict(log, by_key) == ("refused", "same_officer")
    assert verdict(log, proposal) == ("open", None)
    log.approve(proposal, "two")
    assert verdict(log, proposal) == ("effective", None)


def test_an_approval_of_other_bytes_leaves_the_proposal_open() -> None:
    log = running()
    ce_id = log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher")
    data = {"command_id": ce_id, "command_sha256": "0" * 64, "reason": "unread"}
    approval = log.send(CommandType.APPROVED, data, "approver")
    assert verdict(log, approval) == ("refused", "other_bytes")
    assert verdict(log, ce_id) == ("open", None)


def test_an_approval_needs_a_proposal_before_it() -> None:
    log = running()
    data = {"command_id": "later", "command_sha256": "0" * 64, "reason": "early"}
    early = log.send(CommandType.APPROVED, data, "approver")
    log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher", ce_id="later")
    assert verdict(log, early) == ("refused", "unknown_command")
    assert verdict(log, log.approve(early)) == ("refused", "unknown_command")
    assert verdict(log, "later") == ("open", None)


def test_the_first_qualified_approval_settles_a_proposal() -> None:
    log = running()
    ce_id = log.cut_off(1)
    assert verdict(log, log.approve(ce_id)) == ("refused", "settled")
    refused = log.cut_off(7)
    assert verdict(log, refused) == ("refused", "epoch")
    assert verdict(log, log.approve(refused)) == ("refused", "settled")


def test_of_messages_with_one_id_the_first_counts() -> None:
    log = running()
    log.send(CommandType.CUT_OFF, {"epoch": 5}, "publisher", ce_id="same")
    log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher", ce_id="same")
    assert log.state().verdicts["same"].data == {"epoch": 5}


def test_a_proposer_who_left_or_changed_the_key_is_no_proposer_any_more() -> None:
    log = running()
    ce_id = log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher")
    others = [each for each in OFFICERS if each.name != "publisher"]
    for changed in (
        others,
        [*others, officer("publisher", ["publisher"], "new key")],
        [*others, officer("publisher", ["adjudicator"])],
    ):
        log.adopt("officers", json.dumps(officers_file(changed)).encode())
        assert verdict(log, log.approve(ce_id)) == ("refused", "proposer")
    log.adopt("officers", json.dumps(officers_file(OFFICERS)).encode())
    log.approve(ce_id)
    assert verdict(log, ce_id) == ("effective", None)


def test_new_officers_are_in_force_from_the_offset_of_their_adoption() -> None:
    log = running()
    before = len(log.messages)
    log.adopt("officers", json.dumps(officers_file([*OFFICERS, all_roles("new")])).encode())
    state = log.state()
    assert "new" not in state.officers_at(before)
    assert "new" in state.officers_at(before + 1)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("officers", b"[]]"),
        ("officers", b"[]"),
        ("signing_key", b"no key"),
        ("gazetteer", NO_PLACES + b"0102,,\n"),
        ("stations", NO_STATIONS + b"S-1,,,010203,,751\n"),
        ("stations", NO_STATIONS + b"S-1,,,010203,,1\n" * 2),
    ],
)
def test_a_file_that_cannot_be_read_is_not_adopted_and_the_one_before_stays_in_force(
    kind: ReferenceKind, raw: bytes
) -> None:
    log = running()
    before = log.state().adoptions
    assert verdict(log, log.adopt(kind, raw)) == ("refused", "invalid_file")
    assert log.state().adoptions == before


def test_a_model_that_cannot_be_read_leaves_room_for_one_that_can() -> None:
    log = CommandLog().found().adopt_all(model=b'{"normaliser": "1"}')
    assert log.state().missing_kinds() == ["model"]
    assert verdict(log, log.adopt("model", MODEL.encode())) == ("effective", None)
    assert log.state().ready_for_epoch(1)


def test_the_software_that_folds_need_not_be_able_to_serve_the_model() -> None:
    log = (
        CommandLog().found().adopt_all(model=MODEL.replace('"normaliser": "1"', '"normaliser": "9"').encode())
    )
    assert log.state().ready_for_epoch(1)


@pytest.mark.parametrize("kind", ["gazetteer", "stations", "model", "signing_key"])
def test_an_adopted_file_that_is_not_there_is_waited_for(kind: ReferenceKind) -> None:
    log = running()

    def resolve(asked: str, sha256: str) -> bytes:
        if asked == kind:
            raise MissingReference(asked, sha256)
        return log.files[sha256]

    state = log.empty()
    with pytest.raises(MissingReference, match=kind):
        for message in log.messages:
            apply(state, message, resolve)
    assert not state.adoptions[kind] and state.verdicts
    folded = state.next_offset
    for message in log.messages[folded:]:
        apply(state, message, log.resolve)
    assert state == log.state()


def test_a_second_model_is_refused() -> None:
    log = running()
    assert verdict(log, log.adopt("model", MODEL.encode() + b" ")) == ("refused", "model_fixed")


def test_the_first_cut_off_waits_for_all_five_kinds() -> None:
    log = CommandLog().found()
    log.adopt("gazetteer", NO_PLACES)
    assert verdict(log, log.cut_off(1)) == ("refused", "reference")
    assert not log.state().ready_for_epoch(1)
    assert running().state().ready_for_epoch(1)


def test_cut_offs_are_numbered_without_a_gap() -> None:
    log = running()
    assert verdict(log, log.cut_off(2)) == ("refused", "epoch")
    first = log.cut_off(1)
    again = log.cut_off(1)
    second = log.cut_off(2)
    assert [verdict(log, each)[0] for each in (first, again, second)] == ["effective", "refused", "effective"]
    assert log.state().last_cut_off == 2


def test_an_epoch_works_with_what_was_adopted_before_the_cut_off_of_the_epoch_before() -> None:
    first, second, third = (NO_STATIONS + b"S-%d,,,010203,,750\n" % number for number in (1, 2, 3))
    log = CommandLog().found().adopt_all(stations=first)
    log.adopt("stations", second)
    log.cut_off(1)
    log.adopt("stations", third)
    state = log.state()
    in_force = [state.reference_for_epoch("stations", epoch) for epoch in (1, 2, 3)]
    assert in_force == [log.file(first), log.file(second), None]
    assert state.reference_at("stations", state.next_offset) == log.file(third)
    log.cut_off(2)
    assert log.state().reference_for_epoch("stations", 3) == log.file(third)
    assert log.state().reference_for_epoch("gazetteer", 3) == log.file(NO_PLACES)


def test_of_several_decisions_on_a_pair_the_last_counts() -> None:
    log = running()
    log.decide(A, B, "r-1")
    first = log.state().decision_of((A, B))
    offset = len(log.messages) - 1
    log.decide(A, B, None)
    second = log.state().decision_of((A, B))
    assert first is not None and (first.decision, first.keep) == ("same_person", "r-1")
    assert first.officers == ("adjudicator", "approver")
    assert second is not None and (second.decision, second.keep) == ("different_persons", None)
    assert log.state().decisions_at(offset) == {(A, B): first}


def test_a_reversal_returns_the_pair_to_undecided_and_needs_a_decision_that_took_effect() -> None:
    log = running()
    assert verdict(log, log.reverse(A, B)) == ("refused", "no_decision")
    log.decide(A, B, "r-2")
    log.decide(A, C, "r-1")
    assert verdict(log, log.reverse(A, B)) == ("effective", None)
    assert verdict(log, log.reverse(A, B)) == ("effective", None)
    assert verdict(log, log.reverse(B, C)) == ("refused", "no_decision")
    assert set(log.state().decisions_at(len(log.messages))) == {(A, C)}
    assert log.state().rulings_at(len(log.messages))[(A, B)] is None


def test_a_reversal_that_names_a_false_commune_does_not_stop_the_one_that_names_the_right_ones() -> None:
    """The fold does not know which is right: `finalised` does, and to it the false one is not made."""
    log = running()
    log.decide(A, B, "r-2")
    false = log.reverse(A, B, (COMMUNE, "250101"))
    right = log.reverse(A, B)
    assert verdict(log, false) == verdict(log, right) == ("effective", None)
    made = [
        each for each in log.state().changes_at(len(log.messages))[(A, B)] if "250101" not in each.communes
    ]
    assert [each.decision is None for each in made] == [False, True]


def test_a_decision_names_two_registrations_and_keeps_one_of_them() -> None:
    log = running()
    for one, other, keep in ((A, A, "r-1"), (A, B, "r-3"), (A, (A[0], B[1]), "r-1")):
        assert verdict(log, log.decide(one, other, keep, approve=False)) == ("refused", "invalid")


def test_an_approved_finalised_stays_open_for_the_publisher_to_judge() -> None:
    log = running()
    ce_id = log.finalise()
    (request,) = log.state().finalise_requests
    assert (request.command_id, request.command_offset) == (ce_id, len(log.messages) - 1)
    assert verdict(log, ce_id) == ("open", None)
    assert verdict(log, log.approve(ce_id)) == ("refused", "settled")


def test_the_signing_key_in_force_is_the_last_adopted_one() -> None:
    log = running()
    before = len(log.messages) - 1
    log.adopt("signing_key", signing.public_pem(key_of("second").public_key()))
    state = log.state()
    assert state.signing_key_at(before) == signing.public_pem(key_of("signer").public_key())
    assert state.signing_key_at(before + 2) == signing.public_pem(key_of("second").public_key())
    assert len(state.signing_keys()) == 2


def test_the_audit_chain_holds_every_message_as_it_lay() -> None:
    log = running()
    log.append((("ce_id", b"\xff\xfe"), ("ce_type", b"x")), b"\x00junk")
    log.append((), b"")
    head, state = CHAIN_START, log.state()
    assert state.audit_head_at(-1) == CHAIN_START
    for headers, message in zip(log.headers, log.messages, strict=True):
        raw = dict(headers)
        head = chain(
            head,
            message.timestamp,
            raw.get("ce_type", b""),
            raw.get("ce_id", b""),
            raw.get("rollstream-officer", b""),
            raw.get("rollstream-signature", b""),
            message.value,
        )
        assert state.audit_head_at(message.offset) == head
    assert state.audit_head == head


def test_what_cannot_be_named_has_no_verdict() -> None:
    log = running()
    known = set(log.state().verdicts)
    for ce_id in (b"", b"\xff", b"a\nb", b"x" * 257):
        log.append((("ce_id", ce_id), ("ce_type", b"t")), b"{}")
    assert set(log.state().verdicts) == known


def test_a_missing_file_is_named_and_leaves_the_state_as_it_was() -> None:
    log = running()
    log.adopt("officers", json.dumps(officers_file([*OFFICERS, all_roles("new")])).encode())
    *known, last = log.messages

    def missing(kind: str, sha256: str) -> bytes:
        raise MissingReference(kind, sha256)

    state = fold(REGISTER, log.officers_sha, known, log.resolve)
    with pytest.raises(MissingReference, match="officers"):
        apply(state, last, missing)
    assert snapshot(state) == snapshot(fold(REGISTER, log.officers_sha, known, log.resolve))
    assert snapshot(apply(state, last, log.resolve)) == snapshot(log.state())
