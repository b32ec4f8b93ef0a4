"""`rollstream approve`: who approves sees what they sign, is warned, and is asked."""

import json
from pathlib import Path

import pytest
from typer.testing import Result

from cli import asking
from client.tables import cells
from shared.contracts.commands import CommandType
from shared.crypto import signing
from shared.reference.officers import officers_file
from tests.kit.command_log import key_of, officer
from tests.kit.officers_desk import OFFICERS, Desk, make_desk

PLACES = "code,name_km,name_latin\n01,បន្ទាយមានជ័យ,Banteay Meanchey\n0102,ស្រុក,Mongkol Borei\n"
PLACES += "010203,ឃុំ,Rohat Tuek\n02,បាត់ដំបង,Battambang\n"
STATIONS = "station,name_km,name_latin,commune,villages,capacity\n"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("COLUMNS", "80")
    made = make_desk(tmp_path, monkeypatch)
    made.topic.adopt_all(gazetteer=PLACES.encode(), stations=f"{STATIONS}S-1,ក,A,010203,,400\n".encode())
    return made


def proposed(desk: Desk, *words: str, by: str = "one") -> str:
    ended = desk.run(*words, "--json", by=by)
    assert ended.exit_code == 0, ended.output
    return str(json.loads(ended.stdout)["id"])


def decided(desk: Desk) -> str:
    return proposed(desk, "decide", "a", "b", "--keep", "a", "--reason", "one face")


def asked(desk: Desk, command_id: str, answer: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    """As somebody at a terminal, who types an answer."""
    monkeypatch.setattr(asking, "someone_there", lambda: True)
    return desk.run("approve", command_id, by="two", typed=answer)


def test_both_people_of_a_decision_are_shown_with_places_by_name(desk: Desk) -> None:
    shown = desk.approve(decided(desk)).output
    for told in ("one person, keep a", "one face", "proposed by one", "Banteay Meanchey · បន្ទាយមានជ័យ (01)"):
        assert told in shown
    [commune] = [line for line in shown.splitlines() if " commune " in line]
    assert commune.startswith("≠") and "010203" in commune and "020304" in commune
    assert not [line for line in shown.splitlines() if " sex " in line and "≠" in line]


def test_nothing_is_sent_before_somebody_has_said_yes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    command = decided(desk)
    for answer in ("", "n\n", "what\n"):
        ended = asked(desk, command, answer, monkeypatch)
        assert ended.exit_code == 1 and "nothing was sent" in ended.stderr and len(desk.sent) == 1
    assert asked(desk, command, "y\n", monkeypatch).exit_code == 0 and len(desk.sent) == 2


def test_where_nobody_can_be_asked_it_says_how_to_go_on(desk: Desk) -> None:
    ended = desk.run("approve", decided(desk), by="two", typed="y\n")
    assert ended.exit_code == 1 and "--yes" in ended.stderr and len(desk.sent) == 1


def test_eight_characters_of_an_id_do_and_fewer_do_not(desk: Desk) -> None:
    command = proposed(desk, "cut-off", "1")
    short = desk.approve(command[:7])
    assert short.exit_code == 1 and "8 characters" in short.stderr
    assert desk.approve(command[:8]).exit_code == 0


def test_who_proposes_or_approves_what_is_proposed_already_is_told(desk: Desk) -> None:
    first = decided(desk)
    again = desk.run("decide", "a", "b", "--different", "--reason", "two faces", "--json")
    [warning] = json.loads(again.stdout)["warnings"]
    assert "one has a proposal on the same" in warning and first[:12] in warning
    told = json.loads(desk.approve(first, "--json").stdout)["warnings"]
    assert len(told) == 1 and json.loads(again.stdout)["id"][:12] in told[0]


def test_who_decides_on_what_is_decided_already_is_told(desk: Desk) -> None:
    desk.approve(decided(desk))
    again = desk.run("decide", "a", "b", "--different", "--reason", "two faces", "--json")
    [warning] = json.loads(again.stdout)["warnings"]
    assert "decided on already: one person, keep a" in warning and "one and two" in warning
    shown = desk.approve(json.loads(again.stdout)["id"]).output
    assert "Decisions so far" in shown and "one face" in shown


@pytest.mark.parametrize("words", ["cut-off 1", "reverse a b --reason mistaken"])
def test_a_second_proposal_of_any_kind_is_told(desk: Desk, words: str) -> None:
    if words.startswith("reverse"):
        desk.approve(decided(desk))
    assert proposed(desk, *words.split())
    again = desk.run(*words.split(), "--json")
    assert "waits for approval" in json.loads(again.stdout)["warnings"][-1]


def adopted(desk: Desk, kind: str, raw: bytes) -> Result:
    (desk.folder / "new").write_bytes(raw)
    return desk.approve(proposed(desk, "adopt", kind, str(desk.folder / "new")))


def test_an_officers_file_is_shown_by_what_it_changes(desk: Desk) -> None:
    changed = [each for each in OFFICERS if each.name != "approver"]
    changed[1] = officer("one", ["administrator"], areas=["03"])
    changed[2] = officer("two", ["approver", "adjudicator"], "another")
    raw = json.dumps(officers_file([*changed, officer("new", ["marker"])])).encode()
    shown = adopted(desk, "officers", raw).output
    for told in (
        "approver is no longer an officer",
        "one is now administrator in 03; was adjudicator, administrator, publisher",
        f"two has another key: {signing.key_id(key_of('another').public_key())}",
        "two is now adjudicator, approver; was approver",
        "new is new: marker",
        "nobody can do the work of publisher",
    ):
        assert told in shown
    assert "north" not in shown


def test_a_list_of_officers_that_no_other_could_follow_is_warned_of(desk: Desk) -> None:
    raw = json.dumps(officers_file([officer("one", ["administrator", "approver"])])).encode()
    data = {"kind": "officers", "version": "2", "sha256": desk.topic.file(raw)}
    command = desk.topic.send(CommandType.ADOPTED, data, "admin", ce_id="c0ffee00-1")
    assert "no later list of officers could ever take effect" in desk.approve(command).output


def test_a_stations_file_is_shown_by_what_it_changes(desk: Desk) -> None:
    raw = f"{STATIONS}S-2,ខ,B,010203,,300\nS-1,ក,A,010203,,450\n".encode()
    shown = adopted(desk, "stations", raw).output
    for told in (
        "1 stations → 2",
        "is new: S-2",
        "has other seats: S-1 (400 → 450)",
        "seats in all: 400 → 750",
    ):
        assert told in shown


def test_a_gazetteer_and_a_signing_key_are_shown_by_what_they_change(desk: Desk) -> None:
    shown = adopted(desk, "gazetteer", PLACES.replace("Battambang", "Battambong").encode()).output
    assert "is renamed: 02" in shown
    key = key_of("next").public_key()
    shown = adopted(desk, "signing_key", signing.public_pem(key)).output
    assert f"signed with key {signing.key_id(key)} instead of" in shown


def test_a_file_that_is_in_force_already_is_told(desk: Desk) -> None:
    shown = adopted(desk, "gazetteer", PLACES.encode()).output
    assert "nothing changes" in shown and "in force already" in shown


def test_a_finalise_is_shown_whole(desk: Desk) -> None:
    desk.approve(proposed(desk, "cut-off", "1"))
    words = "finalise 2027-commune --election commune_council --day 2027-06-06 --epoch 1 --kind final"
    shown = " ".join(desk.approve(proposed(desk, *words.split())).output.split())
    assert (
        "2027-commune of epoch 1: final, commune council election on 2027-06-06, undecided: refuse" in shown
    )


def test_nothing_that_is_shown_is_wider_than_the_terminal(desk: Desk) -> None:
    desk.approve(decided(desk))
    again = desk.run("decide", "a", "b", "--different", "--reason", "ពីរនាក់ " * 20, "--json")
    shown = desk.approve(json.loads(again.stdout)["id"]).stdout
    assert "Decisions so far" in shown and max(map(cells, shown.splitlines())) <= 80
