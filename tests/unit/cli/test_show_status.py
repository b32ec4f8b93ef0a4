"""`rollstream status` as people see it."""

import time
from typing import Any

import pytest

from cli.show_status import show_status
from client import status
from client.status import Status, read_status
from client.tables import cells
from shared.commands.fold import LIFETIME_MS
from shared.contracts.timestamps import rfc3339
from shared.process.settings import Settings
from tests.kit.officers_desk import DeskStore

FINALISED = {
    "roll": "2027-commune",
    "epoch": 1,
    "election": {"kind": "commune_council", "day": "2027-06-06"},
    "kind": "final",
    "undecided": "hold_later",
}
PAIR = [{"registration_id": "r-1", "digest": "1" * 64}, {"registration_id": "r-2", "digest": "2" * 64}]
DECIDED = {"pair": PAIR, "decision": "same_person", "keep": "r-2", "reason": "one face"}


def command(command_type: str, data: Any, verdict: str = "open", **others: Any) -> dict[str, Any]:
    return {
        "_id": "0123456789abcdef",
        "type": f"rollstream.{command_type}.v1",
        "data": data,
        "proposed_by": "publisher",
        "proposed_at": rfc3339(round(time.time() * 1000) - 3_600_000),
        "verdict": verdict,
        "reason": None,
        "offset": 1,
        **others,
    }


def shown(*commands: dict[str, Any], capsys: pytest.CaptureFixture[str], **later: Any) -> str:
    waiting = [each for each in commands if each["verdict"] == "open"]
    settled = [each for each in commands if each["verdict"] != "open"]
    show_status(Status(bool(commands), waiting, settled, later, {}, None, []))
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("command_type", "data", "told"),
    [
        ("register.cut-off", {"epoch": 7}, "cut-off: epoch 7 ends"),
        (
            "roll.finalised",
            FINALISED,
            "finalise: 2027-commune of epoch 1: final, commune council election on 2027-06-06, "
            "undecided: hold later",
        ),
        ("reference.adopted", {"kind": "stations", "version": "2", "sha256": "a" * 64}, "adopt: stations 2"),
        ("conflict.decided", DECIDED, "decide: r-1 and r-2: one person, keep r-2"),
        (
            "conflict.reversed",
            {"pair": PAIR, "reason": "twins"},
            "reverse: r-1 and r-2: the decision is taken",
        ),
        ("conflict.decided", "no object", "decide"),
    ],
)
def test_who_approves_sees_what_each_command_is_of_and_whose(
    command_type: str, data: Any, told: str, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for verdict in ("open", "refused"):
        out = shown(command(command_type, data, verdict), capsys=capsys)
        assert told in out and "publisher" in out
    if isinstance(data, dict) and "reason" in data:
        assert data["reason"] in out


@pytest.mark.parametrize(
    ("verdict", "members", "told"),
    [
        ("effective", {"approved_by": "second"}, "publisher, second effective"),
        ("refused", {"reason": "epoch"}, "refused (epoch)"),
        ("withdrawn", {"settled_by": "publisher"}, "withdrawn by publisher"),
        ("returned", {"settled_by": "second"}, "returned by second"),
        ("expired", {}, "expired"),
        ("effective", {"superseded_by": "reversal"}, "effective; taken back by reversal"),
        ("effective", {"superseded_by": "decision"}, "effective; decided anew by decision"),
        (
            "refused",
            {"reason": "undecided", "names": [["a", "b"], "S-1", "c", "d"], "named": 9},
            "refused (undecided); a and b, S-1, c and 6 more",
        ),
    ],
)
def test_what_became_of_a_command_is_told(
    verdict: str, members: Any, told: str, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    later = {
        "reversal": command("conflict.reversed", {"pair": PAIR, "reason": "twins"}),
        "decision": command("conflict.decided", DECIDED),
    }
    out = shown(command("conflict.decided", DECIDED, verdict, **members), capsys=capsys, **later)
    assert told in out and "other communes" not in out


def test_what_names_other_communes_than_the_decision_it_supersedes_is_told(
    monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    right, false = ([{**each, "commune": code} for each in PAIR] for code in ("010203", "250101"))
    decided = command("conflict.decided", {**DECIDED, "pair": right}, "effective", superseded_by="reversal")
    later = {"reversal": command("conflict.reversed", {"pair": false, "reason": "twins"})}
    told = "taken back by reversal; which names other communes: at most one of the two counts"
    assert told in shown(decided, capsys=capsys, **later)


@pytest.mark.parametrize(
    ("days", "members", "expired"),
    [(15, {}, True), (13, {}, False), (15, {"approved_by": "second"}, False)],
)
def test_what_is_too_old_to_be_approved_is_not_said_to_wait(
    days: int, members: Any, expired: bool, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    since = rfc3339(round(time.time() * 1000) - days * LIFETIME_MS // 14)
    out = shown(command("roll.finalised", FINALISED, proposed_at=since, **members), capsys=capsys)
    assert ("expired (not yet recorded)" in out) is expired


def test_what_is_approved_and_waits_is_not_taken_for_what_lacks_an_approval(
    monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    out = shown(command("roll.finalised", FINALISED, approved_by="second"), capsys=capsys)
    assert "approved by second, waits" in out
    lacking = shown(command("roll.finalised", FINALISED, approved_by=None), capsys=capsys)
    assert "waits for its epoch" not in lacking


def test_where_nothing_was_judged_the_service_that_judges_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "rollstream serve publisher" in shown(capsys=capsys)


def test_it_holds_at_80_columns_with_khmer(monkeypatch: Any, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    why = "មនុស្សតែម្នាក់ " * 12
    made = [command("conflict.decided", {**DECIDED, "reason": why}, each) for each in ("open", "effective")]
    show_status(Status(True, made[:1], made[1:], {}, {"open": 3}, [], []))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(cells, lines)) <= 80 and len(lines) > 10


async def test_the_last_settled_and_all_open_are_read_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    store = DeskStore()
    monkeypatch.setattr(status, "Mongo", lambda *_: store)
    documents = store.collection("commands").documents
    for number in range(40):
        verdict = "open" if number % 4 == 0 else "effective"
        made = command("conflict.decided", DECIDED, verdict, offset=number, _id=f"c-{number}")
        documents[f"c-{number}"] = made
    documents["c-39"]["superseded_by"] = "c-38"
    documents["a"] = command("command.approved", {}, "effective", offset=50, _id="a")
    documents["b"] = command("command.approved", {}, "refused", offset=51, _id="b")
    found = await read_status(Settings(register="kh"), settled=3, conflicts=None)
    assert len(found.open) == 10 and [each["_id"] for each in found.settled] == ["c-38", "c-39", "b"]
    assert {name: each["data"] for name, each in found.later.items()} == {"c-38": DECIDED}
    everything = await read_status(Settings(register="kh"), settled=None, conflicts=None)
    assert len(everything.document()["commands"]) == 41
