"""Proposals that are taken back, returned or expire, and officers who have areas."""

import pytest

from audit import messages
from audit.commands import LONGEST_WAIT_MS
from tests.reference.builder import LogBuilder
from tests.reference.register_files import AREAS, OFFICERS, STATIONS, officers_file
from tests.unit.reference_model.test_commands import A, B, history, last_id, verdict


def proposed(officer: str = "admin") -> tuple[LogBuilder, str]:
    builder = LogBuilder().found()
    return builder, builder.propose(messages.CUT_OFF, {"epoch": 1}, officer)


def test_a_proposal_is_withdrawn_by_its_proposer_or_returned_by_an_approver() -> None:
    for officer, expected in (("admin", "withdrawn"), ("approver", "returned")):
        builder, cut_off = proposed()
        withdrawal = builder.withdraw(cut_off, officer)
        offset = builder.commands[-1].offset
        late = [builder.approve(cut_off), builder.withdraw(cut_off)]
        assert verdict(builder, cut_off) == (expected, None, None)
        assert verdict(builder, withdrawal) == ("effective", None, offset)
        assert {verdict(builder, each) for each in late} == {("refused", "settled", None)}
        told = history(builder).verdicts[cut_off]
        assert (told.settled_by, told.approved_by) == (officer, None)
        assert told.settled_at == builder.commands[offset].timestamp


def test_who_is_neither_proposer_nor_approver_takes_nothing_back() -> None:
    builder, cut_off = proposed()
    assert verdict(builder, builder.withdraw(cut_off, "admin-2")) == ("refused", "role", None)
    assert verdict(builder, cut_off) == ("open", None, None)


def test_a_proposer_takes_back_whatever_roles_are_left() -> None:
    builder, cut_off = proposed("admin-2")
    builder.adopt("officers", officers_file({**OFFICERS, "admin-2": []}))
    builder.withdraw(cut_off, "admin-2")
    assert verdict(builder, cut_off) == ("withdrawn", None, None)


def test_nobody_returns_a_proposal_of_new_officers_but_its_proposer_takes_it_back() -> None:
    builder = LogBuilder().found()
    proposal = builder.adopt("officers", officers_file(OFFICERS), approver=None)
    assert verdict(builder, builder.withdraw(proposal, "approver")) == ("refused", "role", None)
    builder.withdraw(proposal)
    assert verdict(builder, proposal) == ("withdrawn", None, None)


def test_an_approved_finalised_that_waits_is_settled() -> None:
    builder = LogBuilder().found()
    finalised = builder.finalise()
    assert verdict(builder, finalised)[0] == "open"
    assert verdict(builder, builder.withdraw(finalised)) == ("refused", "settled", None)


@pytest.mark.parametrize(("after", "expected"), [(0, "effective"), (1, "expired")])
def test_an_approval_later_than_fourteen_days_finds_that_the_proposal_expired(
    after: int, expected: str
) -> None:
    builder, cut_off = proposed()
    builder.pass_time(LONGEST_WAIT_MS - 2000 + after)
    own = builder.approve(cut_off, "admin")
    assert verdict(builder, own)[1] == "role" and verdict(builder, cut_off)[0] == "open"
    approval = builder.approve(cut_off)
    assert verdict(builder, cut_off)[0] == expected
    assert verdict(builder, approval)[1] == (None if expected == "effective" else "expired")
    assert verdict(builder, builder.approve(cut_off, "approver-2")) == ("refused", "settled", None)


def test_until_somebody_tries_an_old_proposal_is_open_and_can_be_taken_back() -> None:
    builder, cut_off = proposed()
    builder.pass_time(2 * LONGEST_WAIT_MS)
    assert verdict(builder, cut_off)[0] == "open"
    builder.withdraw(cut_off)
    assert verdict(builder, cut_off)[0] == "withdrawn"


INSIDE, OUTSIDE = {A[0]: "010203", B[0]: "010204"}, {A[0]: "010204", B[0]: "010204"}


def test_an_officer_with_areas_decides_where_one_commune_lies_in_them() -> None:
    builder = LogBuilder().found()
    inside = builder.decide(A, B, "different_persons", communes=INSIDE, officer="local")
    outside = builder.decide(A, B, "different_persons", communes=OUTSIDE, officer="local")
    province = builder.decide(
        A, B, "different_persons", communes={**OUTSIDE, B[0]: "020101"}, officer="local"
    )
    reversal = builder.reverse(A, B, communes=INSIDE, officer="local")
    assert verdict(builder, outside) == ("refused", "area", None)
    assert {verdict(builder, each)[0] for each in (inside, province, reversal)} == {"effective"}


def test_an_approver_with_areas_approves_and_returns_decisions_in_them_and_nothing_else() -> None:
    builder = LogBuilder().found()
    for communes, expected in ((INSIDE, None), (OUTSIDE, "area")):
        for act in (builder.approve, builder.withdraw):
            decision = builder.decide(A, B, "different_persons", communes=communes, approver=None)
            assert verdict(builder, act(decision, "local-approver"))[1] == expected
    cut_off = builder.propose(messages.CUT_OFF, {"epoch": 1})
    for ce_id in (builder.approve(cut_off, "local-approver"), builder.withdraw(cut_off, "local-approver")):
        assert verdict(builder, ce_id) == ("refused", "area", None)


def test_a_proposer_who_has_areas_by_now_is_still_in_force() -> None:
    builder, cut_off = proposed("admin-2")
    builder.adopt("officers", officers_file(OFFICERS, {**AREAS, "admin-2": ["01"]}))
    builder.approve(cut_off)
    assert verdict(builder, cut_off)[0] == "effective"
    stations = builder.adopt("stations", STATIONS.encode(), "admin-2")
    assert verdict(builder, stations) == ("refused", "area", None)
    assert verdict(builder, last_id(builder)) == ("refused", "settled", None)
