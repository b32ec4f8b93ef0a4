"""A proposal is taken back, returned, or too old: once it is settled, nothing changes it."""

import json

import pytest

from shared.commands.fold import LIFETIME_MS
from shared.contracts.commands import CommandType
from shared.reference.officers import officers_file
from tests.kit.command_log import NO_PLACES, OFFICERS, CommandLog, officer, running

A = ("r-1", "a" * 64)
B = ("r-2", "b" * 64)


def verdict(log: CommandLog, ce_id: str) -> tuple[str, str | None]:
    found = log.state().verdicts[ce_id]
    return found.verdict, found.reason


def cut_off(log: CommandLog) -> str:
    return log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher")


def test_who_proposed_it_takes_it_back_and_no_approval_comes_after_that() -> None:
    log = running()
    proposal = cut_off(log)
    withdrawal = log.withdraw(proposal, "publisher")
    assert verdict(log, withdrawal) == ("effective", None)
    found = log.state().verdicts[proposal]
    assert found.verdict == "withdrawn" and found.approved_by is None and found.command_offset is None
    assert found.settled is not None and found.settled.by == "publisher"
    assert found.settled.offset == len(log.messages) - 1
    assert found.settled.timestamp == log.messages[-1].timestamp
    assert verdict(log, log.approve(proposal)) == ("refused", "settled")
    assert verdict(log, log.withdraw(proposal, "publisher")) == ("refused", "settled")
    assert log.state().cut_offs == {}


def test_the_proposer_needs_no_role_for_it_any_more_but_the_same_key() -> None:
    log = running()
    first, second = cut_off(log), cut_off(log)
    others = [each for each in OFFICERS if each.name != "publisher"]
    for changed, proposal, told in (
        (officer("publisher", ["marker"]), first, ("effective", None)),
        (officer("publisher", ["marker"], "another key"), second, ("refused", "role")),
    ):
        log.adopt("officers", json.dumps(officers_file([*others, changed])).encode())
        key = "another key" if proposal == second else None
        assert verdict(log, log.withdraw(proposal, "publisher", key=key)) == told
    assert verdict(log, first) == ("withdrawn", None)
    assert verdict(log, second) == ("open", None)


def test_an_approver_returns_what_they_might_approve() -> None:
    log = running()
    proposal = cut_off(log)
    assert verdict(log, log.withdraw(proposal, "approver")) == ("effective", None)
    assert verdict(log, proposal) == ("returned", None)
    assert verdict(log, log.approve(proposal)) == ("refused", "settled")


def test_an_approver_returns_what_a_proposer_left_who_is_gone() -> None:
    log = running()
    proposal = cut_off(log)
    others = [each for each in OFFICERS if each.name != "publisher"]
    log.adopt("officers", json.dumps(officers_file(others)).encode())
    assert verdict(log, log.approve(proposal)) == ("refused", "proposer")
    log.withdraw(proposal, "approver")
    assert verdict(log, proposal) == ("returned", None)


def test_nobody_else_returns_it() -> None:
    log = CommandLog([*OFFICERS, officer("alias", ["approver"], "publisher")]).found().adopt_all()
    proposal = cut_off(log)
    assert verdict(log, log.withdraw(proposal, "adjudicator")) == ("refused", "role")
    assert verdict(log, log.withdraw(proposal, "alias", key="publisher")) == ("refused", "same_officer")
    assert verdict(log, proposal) == ("open", None)


def test_an_approver_cannot_return_the_officers_who_come_after_them() -> None:
    log = running()
    sha256 = log.file(
        json.dumps(officers_file([each for each in OFFICERS if each.name != "approver"])).encode()
    )
    data = {"kind": "officers", "version": "2", "sha256": sha256}
    proposal = log.send(CommandType.ADOPTED, data, "admin")
    assert verdict(log, log.withdraw(proposal, "approver")) == ("refused", "role")
    assert verdict(log, proposal) == ("open", None)
    log.withdraw(proposal, "admin")
    assert verdict(log, proposal) == ("withdrawn", None)


def test_of_an_approval_and_a_withdrawal_the_first_settles_a_finalised_too() -> None:
    log = running()
    log.cut_off(1)
    approved = log.finalise()
    assert verdict(log, log.withdraw(approved, "publisher")) == ("refused", "settled")
    assert verdict(log, approved) == ("open", None)
    assert [each.command_id for each in log.state().finalise_requests] == [approved]
    data = json.loads(next(each.value for each in log.messages if each.ce_id == approved))
    withdrawn = log.send(CommandType.FINALISED, data, "publisher")
    log.withdraw(withdrawn, "publisher")
    assert verdict(log, log.approve(withdrawn)) == ("refused", "settled")
    assert [each.command_id for each in log.state().finalise_requests] == [approved]


def test_what_is_no_proposal_cannot_be_withdrawn() -> None:
    log = running()
    approval = log.approve(cut_off(log))
    assert verdict(log, log.withdraw(approval, "approver")) == ("refused", "unknown_command")
    assert verdict(log, log.withdraw("nothing", "approver")) == ("refused", "unknown_command")


@pytest.mark.parametrize(("after_ms", "told"), [(LIFETIME_MS, "effective"), (LIFETIME_MS + 1, "expired")])
def test_a_proposal_can_be_approved_for_fourteen_days_by_the_broker_s_clock(after_ms: int, told: str) -> None:
    log = running()
    proposal = cut_off(log)
    approval = log.approve(proposal, after_ms=after_ms)
    assert verdict(log, proposal) == (told, None)
    late = told == "expired"
    assert verdict(log, approval) == (("refused", "expired") if late else ("effective", None))
    found = log.state().verdicts[proposal]
    assert found.settled is not None and found.settled.by == "approver"
    assert (found.approved_by, log.state().cut_offs) == (
        (None, {}) if late else ("approver", {1: found.as_of})
    )
    assert verdict(log, log.approve(proposal)) == ("refused", "settled")


def test_only_an_approval_that_would_have_counted_finds_out_that_a_proposal_is_too_old() -> None:
    log = running()
    proposal = cut_off(log)
    log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher", after_ms=LIFETIME_MS + 1)
    assert verdict(log, log.approve(proposal, "adjudicator")) == ("refused", "role")
    data = {"command_id": proposal, "command_sha256": "0" * 64, "reason": "unread"}
    assert verdict(log, log.send(CommandType.APPROVED, data, "approver")) == ("refused", "other_bytes")
    assert verdict(log, proposal) == ("open", None)
    log.approve(proposal)
    assert verdict(log, proposal) == ("expired", None)


def test_an_old_proposal_can_still_be_taken_back() -> None:
    log = running()
    proposal = cut_off(log)
    log.withdraw(proposal, "publisher", after_ms=LIFETIME_MS + 1)
    assert verdict(log, proposal) == ("withdrawn", None)


def test_a_decision_is_superseded_by_the_next_one_on_the_same_versions() -> None:
    log = running()
    first, other = log.decide(A, B, "r-1"), log.decide(A, ("r-3", "c" * 64), None)
    second = log.decide(A, B, None)
    third = log.reverse(A, B)
    never = log.decide(A, B, "r-2", approve=False)
    verdicts = log.state().verdicts
    named = {each: verdicts[each].superseded_by for each in (first, second, third, other, never)}
    assert named == {first: second, second: third, third: None, other: None, never: None}
    assert verdicts[first].as_of == verdicts[second].command_offset


def test_a_file_of_a_proposal_that_is_taken_back_is_never_looked_for() -> None:
    log = running()
    data = {"kind": "gazetteer", "version": "2", "sha256": log.file(NO_PLACES + b"01,,\n")}
    proposal = log.send(CommandType.ADOPTED, data, "admin")
    del log.files[data["sha256"]]
    log.withdraw(proposal, "admin")
    assert verdict(log, log.approve(proposal)) == ("refused", "settled")
