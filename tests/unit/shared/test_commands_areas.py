"""An officer with areas acts on pairs of which a commune lies in them, and does nothing else of two."""

import json

import pytest

from shared.contracts.commands import CommandType
from shared.reference.officers import InvalidOfficers, officers_file, parse_officers
from tests.kit.command_log import OFFICERS, CommandLog, officer

A, B = ("r-1", "a" * 64), ("r-2", "b" * 64)
INSIDE, OUTSIDE = "010203", "020304"


def log_with(areas: list[str] | None, of: str) -> CommandLog:
    roles = {each.name: sorted(each.roles) for each in OFFICERS}
    officers = [officer(name, roles[name], areas=areas if name == of else None) for name in roles]
    return CommandLog(officers).found()


def verdict(log: CommandLog, ce_id: str) -> tuple[str, str | None]:
    found = log.state().verdicts[ce_id]
    return found.verdict, found.reason


@pytest.mark.parametrize("areas", [["01"], ["0102"], ["010203"], ["09", "010203"], None])
@pytest.mark.parametrize("of", ["adjudicator", "approver"])
def test_one_commune_in_the_area_is_enough_to_propose_to_approve_and_to_return(
    areas: list[str] | None, of: str
) -> None:
    for communes in ((INSIDE, OUTSIDE), (OUTSIDE, INSIDE)):
        log = log_with(areas, of)
        assert verdict(log, log.decide(A, B, "r-1", communes=communes)) == ("effective", None)
        assert verdict(log, log.reverse(A, B, communes)) == ("effective", None)
        log.withdraw(log.decide(A, B, None, approve=False, communes=communes), "approver")
        assert [each.verdict for each in log.state().verdicts.values()][-2] == "returned"


def test_a_proposer_reaches_nothing_outside() -> None:
    log = log_with(["01"], "adjudicator")
    decision = log.decide(A, B, "r-1", approve=False, communes=(OUTSIDE, OUTSIDE))
    assert verdict(log, decision) == ("refused", "area")


def test_an_approver_reaches_nothing_outside_and_the_proposal_stays_open() -> None:
    log = log_with(["01"], "approver")
    decision = log.decide(A, B, "r-1", approve=False, communes=(OUTSIDE, OUTSIDE))
    assert verdict(log, log.approve(decision)) == ("refused", "area")
    assert verdict(log, log.withdraw(decision, "approver")) == ("refused", "area")
    assert verdict(log, decision) == ("open", None)


@pytest.mark.parametrize(
    ("of", "ce_type", "data"),
    [
        ("publisher", CommandType.CUT_OFF, {"epoch": 1}),
        ("admin", CommandType.ADOPTED, {"kind": "gazetteer", "version": "1", "sha256": "0" * 64}),
    ],
)
def test_with_areas_nobody_proposes_or_approves_anything_but_decisions(
    of: str, ce_type: CommandType, data: dict[str, object]
) -> None:
    log = log_with(["01"], of)
    assert verdict(log, log.send(ce_type, data, of)) == ("refused", "area")
    log = log_with(["01"], "approver")
    proposal = log.send(ce_type, data, of)
    assert verdict(log, log.approve(proposal)) == ("refused", "area")
    assert verdict(log, proposal) == ("open", None)


def test_with_areas_one_may_still_take_back_what_was_proposed_without() -> None:
    log = log_with(None, "publisher")
    proposal = log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher")
    others = [each for each in OFFICERS if each.name != "publisher"]
    changed = officer("publisher", ["publisher"], areas=["01"])
    log.adopt("officers", json.dumps(officers_file([*others, changed])).encode())
    log.withdraw(proposal, "publisher")
    assert verdict(log, proposal) == ("withdrawn", None)


def test_the_communes_of_a_decision_are_kept_for_those_who_know_the_residences() -> None:
    log = log_with(None, "approver")
    log.decide(A, B, "r-1", communes=(INSIDE, OUTSIDE))
    log.reverse(A, B, (OUTSIDE, OUTSIDE))
    made, taken_back = log.state().changes_at(len(log.messages))[A, B]
    assert made.decision is not None and made.decision.communes == made.communes == (INSIDE, OUTSIDE)
    assert taken_back.decision is None and taken_back.communes == (OUTSIDE, OUTSIDE)
    assert log.state().changes_at(taken_back.command_offset - 1) == {(A, B): [made]}


def test_a_pair_without_communes_is_invalid() -> None:
    log = log_with(None, "approver")
    for commune in (None, "01020", "01020304", "01020x"):
        pair = [
            {"registration_id": id_, "digest": digest, **({"commune": commune} if commune else {})}
            for id_, digest in (A, B)
        ]
        data = {"pair": pair, "reason": "r"}
        assert verdict(log, log.send(CommandType.REVERSED, data, "adjudicator")) == ("refused", "invalid")


def test_areas_are_codes_and_their_absence_is_everywhere() -> None:
    everywhere, somewhere = officer("one", ["approver"]), officer("two", ["approver"], areas=["01", "020304"])
    file = officers_file([everywhere, somewhere])
    assert "areas" not in file[0] and file[1]["areas"] == ["01", "020304"]
    assert parse_officers(json.dumps(file).encode()) == {"one": everywhere, "two": somewhere}
    nowhere = parse_officers(json.dumps([{**file[0], "areas": []}]).encode())["one"]
    assert not nowhere.reaches(["010203"])
    for wrong in (["1"], ["010"], ["01020304"], ["0a"], "01", None, [1]):
        with pytest.raises(InvalidOfficers):
            parse_officers(json.dumps([{**file[0], "areas": wrong}]).encode())
