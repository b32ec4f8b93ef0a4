"""`rollstream status --conflict ID`: all that two officers need who decide on a pair."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from client import status
from client.tables import cells
from tests.kit.memory_mongo import MemoryMongo
from tests.kit.registration_kit import registration

ONE, OTHER, OLDER = "1" * 64, "2" * 64, "3" * 64
ID = "c0ffee" + "0" * 58
PAIR = [{"registration_id": "r-1", "digest": ONE}, {"registration_id": "r-2", "digest": OTHER}]


class Store(MemoryMongo):
    def close(self) -> None:
        """Nothing to do."""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """One conflict on the newest version of r-1 and an older one of r-2, decided and taken back once."""
    made = Store()
    monkeypatch.setattr(status, "Mongo", lambda *_: made)
    monkeypatch.setenv("ROLLSTREAM_REGISTER", "kh-test")
    monkeypatch.setenv("COLUMNS", "200")
    made.collection("conflicts").documents[ID] = {
        "_id": ID,
        "pair": PAIR,
        "status": "open",
        "class": "multiple_registration",
        "probability": 0.987654,
        "weight": 17.25,
        "evidence": [{"field": "date_of_birth", "level": "same_day", "weight": 9.5}],
    }
    for name, digest, kind in (("r-1", ONE, "passport"), ("r-2", OLDER, "national_id")):
        captured = registration(voter__identity_document={"kind": kind, "number": "N1"})
        made.collection("registrations").documents[name] = {
            "_id": name,
            "digest": digest,
            "status": "active",
            "removal_reason": None,
            **{part: captured[part] for part in ("revision", "voter", "residence", "capture")},
        }
    ruling = {"verdict": "effective", "reason": None, "proposed_by": "judge", "approved_by": "second"}
    for number, (kind, data) in enumerate(
        [
            ("decided", {"pair": PAIR, "decision": "same_person", "keep": "r-2", "reason": "one face"}),
            ("reversed", {"pair": PAIR, "reason": "a twin"}),
            ("decided", {"pair": [PAIR[0], {"registration_id": "r-9", "digest": OTHER}], "reason": "else"}),
            ("decided", {"pair": [PAIR[0], {"registration_id": "r-2", "digest": OLDER}], "reason": "later"}),
            ("decided", None),
        ]
    ):
        command_type = f"rollstream.conflict.{kind}.v1"
        made.collection("commands").documents[f"c-{number}"] = {
            **{"_id": f"c-{number}", "type": command_type, "offset": number, "data": data},
            **ruling,
        }
    return made


def asked(*words: str) -> Result:
    return CliRunner().invoke(app, ["status", "--conflict", *words])


def test_a_conflict_is_told_with_both_registrations_and_every_decision_on_them(store: Store) -> None:
    told: dict[str, Any] = json.loads(asked(ID[:8], "--json").output)
    assert told["conflict"]["evidence"] == [{"field": "date_of_birth", "level": "same_day", "weight": 9.5}]
    assert [each["registration_id"] for each in told["registrations"]] == ["r-1", "r-2"]
    assert [each["current"] for each in told["registrations"]] == [True, False]
    assert told["registrations"][0]["voter"] == store.collection("registrations").documents["r-1"]["voter"]
    assert [(each["_id"], each["these_versions"]) for each in told["decisions"]] == [
        ("c-0", True),
        ("c-1", True),
        ("c-3", False),
    ]


@pytest.mark.usefixtures("store")
def test_people_see_evidence_both_captures_side_by_side_and_who_said_what() -> None:
    lines = [" ".join(line.split()) for line in asked(ID).output.splitlines()]
    for shown in (
        "for date of birth: same day +9.5",
        "≠ document passport N1 national_id N1",
        "c-0 one person, keep r-2 effective one face judge, second these versions",
        "c-1 the decision is taken back effective a twin judge, second these versions",
    ):
        assert shown in lines
    assert "probability 0.9877" in asked(ID).output
    assert "another version of r-2" in asked(ID).output and "another version of r-1" not in asked(ID).output


@pytest.mark.usefixtures("store")
def test_a_narrow_terminal_folds_what_it_shows_and_cuts_off_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = asked(ID).output
    assert "…" not in said and ID in said and max(map(cells, said.splitlines())) <= 80


def test_a_registration_that_is_not_there_yet_leaves_its_side_empty(store: Store) -> None:
    del store.collection("registrations").documents["r-2"]
    other = json.loads(asked(ID, "--json").output)["registrations"][1]
    assert (other["registration_id"], other["current"], other["voter"]) == ("r-2", False, None)
    assert asked(ID).exit_code == 0


@pytest.mark.usefixtures("store")
def test_a_conflict_that_is_not_there_is_said() -> None:
    ended = asked("no-such")
    assert ended.exit_code == 1 and "status --conflicts" in ended.stderr
