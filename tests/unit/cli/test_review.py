"""`rollstream review`: one key a conflict."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from cli.officer_commands import CLASSES
from client import evidence, review
from client.tables import cells
from shared.contracts.model_file import LEVELS
from shared.contracts.outputs import Claim
from tests.kit.officers_desk import Desk, make_desk

DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Three open conflicts: a-b in provinces 01 and 02, c-d in 03, e-f in 03."""
    monkeypatch.setenv("COLUMNS", "80")
    made = make_desk(tmp_path, monkeypatch)
    made.topic.adopt_all()
    for at, name in enumerate("cdef", 3):
        made.register(name, str(at), "030201")
    made.conflict("a", "b")
    made.conflict("c", "d", found_at="2099-01-01T00:00:00.000Z")
    made.conflict("e", "f", **{"class": "resend"})
    return made


def reviewed(desk: Desk, typed: str, *words: str, by: str = "one") -> tuple[Result, list[dict[str, Any]]]:
    """What was said, and the data of what was sent."""
    before = len(desk.sent)
    ended = desk.run("review", *words, by=by, typed=typed)
    assert "Traceback" not in ended.output
    return ended, [json.loads(each.value) for each in desk.sent[before:]]


def test_one_key_a_conflict_and_one_reason_for_all(desk: Desk) -> None:
    ended, sent = reviewed(desk, "lrd", "--reason", "looked at both")
    assert ended.exit_code == 0, ended.output
    said = {tuple(v["registration_id"] for v in each["pair"]): each for each in sent}
    assert len(said) == 3 and {each["reason"] for each in sent} == {"looked at both"}
    answers = [each.get("keep") for each in sent]
    firsts, seconds = [[each["pair"][at]["registration_id"] for each in sent] for at in (0, 1)]
    assert answers == [firsts[0], seconds[1], None]
    assert [each["decision"] for each in sent] == ["same_person", "same_person", "different_persons"]
    assert "3 decisions sent, 0 skipped" in ended.output


def test_a_decision_names_the_commune_of_each_residence(desk: Desk) -> None:
    _, sent = reviewed(desk, "l", "--reason", "x", "--province", "01")
    assert [each["commune"] for each in sent[0]["pair"]] == ["010203", "020304"]


def test_a_reason_is_asked_once_and_can_be_told_anew(desk: Desk) -> None:
    ended, sent = reviewed(desk, "l\nsame face\nr\nw\ntwins\nd\n")
    assert [each["reason"] for each in sent] == ["same face", "same face", "twins"]
    assert "because: same face" in ended.output


def test_what_is_skipped_or_after_the_end_is_not_decided(desk: Desk) -> None:
    for typed in ("", "q", "sss", "xyz"):
        ended, sent = reviewed(desk, typed, "--reason", "x")
        assert (ended.exit_code, sent) == (0, [])
    assert len(reviewed(desk, "slq", "--reason", "x")[1]) == 1


def test_without_a_reason_nothing_is_sent(desk: Desk) -> None:
    ended, sent = reviewed(desk, "l")
    assert ended.exit_code == 0 and sent == []


@pytest.mark.parametrize(
    ("words", "pairs"),
    [
        (("--class", "resend"), ["ef"]),
        (("--province", "03"), ["cd", "ef"]),
        (("--province", "0203"), ["ab"]),
        (("--older-than", "1"), ["ab", "ef"]),
        (("--limit", "1"), 1),
        (("--class", "reported"), []),
    ],
)
def test_only_the_wanted_ones_are_shown(desk: Desk, words: tuple[str, ...], pairs: Any) -> None:
    _, sent = reviewed(desk, "ddd", "--reason", "x", *words)
    found = sorted("".join(v["registration_id"] for v in each["pair"]) for each in sent)
    assert len(found) == pairs if isinstance(pairs, int) else found == pairs


def test_an_officer_with_areas_sees_the_conflicts_in_them(desk: Desk) -> None:
    _, sent = reviewed(desk, "ddd", "--reason", "x", by="north")
    assert [[v["registration_id"] for v in each["pair"]] for each in sent] == [["a", "b"]]


def test_a_conflict_is_shown_with_differences_evidence_and_earlier_decisions(desk: Desk) -> None:
    decided = json.loads(desk.decide("a", "b", "--keep", "a", "--json").stdout)["id"]
    desk.approve(decided)
    desk.store.collection("registrations").documents["a"]["digest"] = "9" * 64  # corrected since
    ended, _ = reviewed(desk, "q", "--province", "01")
    for told in (
        "one person may be registered twice",
        "probability 0.9800",
        "date of birth: the same",
        "+9.5",
        "one person, keep a",
        "another version of a than what is shown",
    ):
        assert told in ended.output, told
    assert any(line.startswith("≠") and " commune " in line for line in ended.output.splitlines())
    assert max(map(cells, ended.output.splitlines())) <= 80


def test_what_waits_for_approval_is_not_asked_again(desk: Desk) -> None:
    reviewed(desk, "l", "--reason", "x", "--province", "01")
    ended, sent = reviewed(desk, "ddd", "--reason", "x", "--province", "01")
    assert sent == [] and "1 conflicts were passed over" in ended.output


def test_a_proposal_of_fifteen_days_keeps_nobody_from_deciding_anew(desk: Desk) -> None:
    reviewed(desk, "l", "--reason", "x", "--province", "01")
    desk.age_ms = 15 * DAY_MS
    ended, sent = reviewed(desk, "a", "--approve", "--reason", "x", by="two")
    assert (ended.exit_code, sent) == (0, []) and "0 answers sent" in ended.output
    ended, sent = reviewed(desk, "d", "--reason", "x", "--province", "01")
    assert len(sent) == 1 and "passed over" not in ended.output
    assert "expired (not yet recorded)" in ended.output and "waits for approval" not in ended.output


def test_a_reversal_that_names_other_communes_than_the_decision_is_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    decided = json.loads(desk.decide("a", "b", "--keep", "a", "--json").stdout)["id"]
    desk.approve(decided)
    pair = json.loads(desk.sent[0].value)["pair"]
    false = [{**each, "commune": "250101"} for each in pair]
    reversal = {"pair": false, "reason": "mine"}
    desk.topic.send("rollstream.conflict.reversed.v1", reversal, "both", ce_id="false-reversal")
    ended, _ = reviewed(desk, "a", "--approve", "--reason", "x", by="two")
    told = "Warning: this names other communes than"
    assert told in ended.output
    ended, _ = reviewed(desk, "q", "--province", "01")
    assert "until false-revers, which names other communes" in ended.output
    again = desk.run("reverse", "a", "b", "--reason", "mistaken", "--json")
    assert again.exit_code == 0, again.output
    assert "other communes" in " ".join(json.loads(again.stdout)["warnings"])


def test_what_would_be_refused_is_told_and_the_session_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a proposal grows too old while somebody looks at it."""
    reviewed(desk, "ldd", "--reason", "seen")
    first, *_ = desk.sent
    [at] = [each.offset for each in desk.topic.messages if each.ce_id == first.id]
    old = desk.topic.messages[at]
    desk.topic.messages[at] = replace(old, timestamp=old.timestamp - 15 * DAY_MS)
    monkeypatch.setattr(review, "is_open", lambda verdict: verdict.verdict == "open" and verdict.signed)
    ended, sent = reviewed(desk, "aaa", "--approve", "--reason", "agreed", by="two")
    assert ended.exit_code == 0 and "(expired)" in ended.output
    assert [each["command_id"] for each in sent] == [each.id for each in desk.sent[1:3]]
    assert "1 not sent" in ended.output


def test_of_many_conflicts_no_more_than_a_page_is_read_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review, "PAGE", 2)
    largest = 0
    original = review.questions

    async def watched(mongo: Any, state: Any, asked: Any) -> Any:
        nonlocal largest
        largest = max(largest, len(asked))
        return await original(mongo, state, asked)

    monkeypatch.setattr(review, "questions", watched)
    for number in range(7):
        desk.register(f"x{number}", "7", "040101")
        desk.register(f"y{number}", "8", "040101")
        desk.conflict(f"x{number}", f"y{number}")
    _, sent = reviewed(desk, "d" * 10, "--reason", "x")
    assert (len(sent), largest) == (10, 2)
    assert len({each["pair"][0]["registration_id"] for each in sent}) == 10


def test_the_second_officer_goes_through_the_proposals_of_others(desk: Desk) -> None:
    reviewed(desk, "ldd", "--reason", "seen")
    proposals = [each.id for each in desk.sent]
    ended, sent = reviewed(desk, "ats", "--approve", "--reason", "agreed", by="two")
    assert [each["command_id"] for each in sent] == proposals[:2]
    assert [each.type for each in desk.sent[3:]] == [
        "rollstream.command.approved.v1",
        "rollstream.command.withdrawn.v1",
    ]
    assert "proposed by one" in ended.output and ": seen" in ended.output
    state = desk.topic.state()
    assert [state.verdicts[each].verdict for each in proposals] == ["effective", "returned", "open"]


def test_nobody_is_shown_their_own_proposals_nor_what_is_settled(desk: Desk) -> None:
    pair = json.loads(desk.decide("a", "b", "--keep", "a", "--json").stdout)["data"]["pair"]
    data = {"pair": pair, "decision": "different_persons", "reason": "x"}
    desk.topic.send("rollstream.conflict.decided.v1", data, "both", ce_id="by-both")
    assert len(reviewed(desk, "aaa", "--approve", "--reason", "x", by="both")[1]) == 1
    assert len(reviewed(desk, "aaa", "--approve", "--reason", "x", by="two")[1]) == 1
    assert reviewed(desk, "aaa", "--approve", "--reason", "x", by="approver")[1] == []


@pytest.mark.parametrize(
    ("words", "by", "told"),
    [
        ((), "two", "does not hold the role adjudicator"),
        (("--approve",), "one", "does not hold the role approver"),
        ((), "nobody", "--key"),
        (("--class", "planet"), "one", "--class is one of"),
        (("--province", "x"), "one", "--province is a code"),
    ],
)
def test_what_cannot_be_reviewed_says_why(desk: Desk, words: tuple[str, ...], by: str, told: str) -> None:
    ended, sent = reviewed(desk, "l", "--reason", "x", *words, by=by)
    assert ended.exit_code == 1 and told in ended.stderr and sent == []


def test_a_script_gets_json_and_nothing_else_on_stdout(desk: Desk) -> None:
    ended, _ = reviewed(desk, "ls", "--reason", "x", "--json")
    told = json.loads(ended.stdout)
    assert told["skipped"] == 1 and [each["said"] for each in told["sent"]] == ["keep left"]
    assert told["sent"][0]["id"] == desk.sent[0].id


def test_a_version_whose_commune_is_lost_is_not_decided_on(desk: Desk) -> None:
    stored = desk.store.collection("registrations").documents["a"]
    stored["digest"], stored["history"] = "9" * 64, []
    ended, sent = reviewed(desk, "lll", "--reason", "x")
    assert "the commune of one is not known" in ended.output and len(sent) == 2


def test_every_level_of_the_model_has_its_words() -> None:
    assert {field: set(levels) for field, (_, levels) in evidence.WORDS.items()} == {
        field: set(levels) for field, levels in LEVELS.items()
    }


def test_the_classes_that_help_names_are_those_that_there_are() -> None:
    claimed = Claim.model_json_schema(by_alias=True)["properties"]["class"]["enum"]
    assert set(CLASSES.split(" | ")) == {*claimed, "reported"} == set(evidence.CLASSES)
