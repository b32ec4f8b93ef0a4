"""Officers at the command line: any two registrations are decided on, no list of officers is the last."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import commands, officer_commands
from cli.app import app
from cli.commands import SignedCommand
from cli.init import OFFICERS
from cli.officers_list import deadlock, idle_roles
from shared import signing
from shared.commands.officers import Officer, officers_file
from shared.contracts.commands import Role
from shared.settings import Settings

STORED = {
    name: {"_id": name, "digest": digest * 64, "revision": revision, "status": "active", "epoch": 1}
    for name, digest, revision in (("a", "1", 3), ("b", "2", 1))
}


@dataclass
class Desk:
    """An officer's terminal; what is sent is kept."""

    key: Path
    sent: list[SignedCommand] = field(default_factory=list)

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, [*words, "--officer", "one", "--key", str(self.key)])

    def decide(self, *words: str) -> Result:
        return self.run("decide", *words, "--reason", "met both")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Two registrations are stored, without a conflict."""
    made = Desk(tmp_path / "key.pem")
    signing.write_private_key(made.key, signing.generate_key())

    async def read(_settings: Settings, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        return {each: STORED[each] for each in ids if each in STORED}

    async def send(_settings: Settings, messages: Sequence[SignedCommand]) -> list[int]:
        made.sent += messages
        return [7 for _ in messages]

    monkeypatch.setattr(officer_commands, "read_registrations", read)
    monkeypatch.setattr(commands, "send", send)
    for name, value in (
        ("REGISTER", "kh-test"),
        ("REFERENCE_DIR", str(tmp_path / "reference")),
        ("KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1"),
        ("MONGO__URI", "mongodb://127.0.0.1:1"),
    ):
        monkeypatch.setenv(f"ROLLSTREAM_{name}", value)
    return made


@pytest.mark.parametrize("ids", [("a", "b"), ("b", "a")])
def test_any_two_registrations_are_decided_on_by_their_ids_in_the_versions_that_are_shown(
    desk: Desk, ids: tuple[str, str]
) -> None:
    ended = desk.decide(*ids, "--keep", "b")
    assert ended.exit_code == 0, ended.output
    for each in STORED.values():
        assert f"{each['_id']}: revision {each['revision']}, active" in ended.output
        assert str(each["digest"]) in ended.output
    [command] = desk.sent
    assert command.key == b"a|b"
    assert json.loads(command.value) == {
        "pair": [{"registration_id": each, "digest": STORED[each]["digest"]} for each in "ab"],
        "decision": "same_person",
        "keep": "b",
        "reason": "met both",
    }


def test_that_they_are_two_people_is_said_of_any_two_as_well(desk: Desk) -> None:
    assert desk.decide("a", "b", "--different").exit_code == 0
    assert json.loads(desk.sent[0].value)["decision"] == "different_persons"
    taken_back = desk.run("reverse", "b", "a", "--reason", "looked again", "--json")
    assert json.loads(taken_back.output)["data"]["pair"] == json.loads(desk.sent[0].value)["pair"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("a", "c", "--different"), "no registration c"),
        (("c", "d", "--keep", "c"), "no registration c and no d"),
        (("a", "a", "--keep", "a"), "a is named twice"),
        (("a", "b", "--keep", "c"), "--keep is one of the two, a or b"),
        (("a", "b"), "either --keep REGISTRATION"),
        (("a", "b", "--keep", "a", "--different"), "either --keep REGISTRATION"),
    ],
)
def test_a_decision_that_cannot_be_meant_is_not_sent(desk: Desk, words: tuple[str, ...], told: str) -> None:
    ended = desk.decide(*words)
    assert (ended.exit_code, desk.sent) == (1, [])
    assert told in ended.stderr


def listed(**roles: str) -> list[Officer]:
    """Officers by name, each with a key of its own; a name that ends in `_too` has that of the one before."""
    made: list[Officer] = []
    for number, (name, held) in enumerate(roles.items()):
        key = made[-1].public_key if name.endswith("_too") else bytes([number]) * 32
        chosen: list[Role] = [role for role in _ALL if role in held.split()]
        made.append(Officer(name, key, frozenset(chosen)))
    return made


_ALL: tuple[Role, ...] = ("adjudicator", "approver", "publisher", "administrator", "marker")
LAST_LISTS = [
    listed(one="administrator", two="publisher"),
    listed(one="approver", two="approver"),
    listed(one="administrator approver"),
    listed(one="administrator approver", two="publisher"),
    listed(one="administrator", one_too="approver"),
]


@pytest.mark.parametrize("officers", LAST_LISTS, ids=range(len(LAST_LISTS)))
def test_a_list_after_which_nothing_could_take_effect_is_not_sent(
    desk: Desk, tmp_path: Path, officers: list[Officer]
) -> None:
    assert deadlock(officers)
    file = tmp_path / "officers.json"
    file.write_text(json.dumps(officers_file(officers)))
    ended = desk.run("adopt", "officers", str(file))
    assert (ended.exit_code, desk.sent) == (1, [])
    assert "Nothing was sent" in ended.stderr


def test_a_list_with_which_some_work_stays_undone_is_sent_with_a_warning(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "officers.json"
    file.write_text(json.dumps(officers_file(listed(one="administrator approver", two="approver publisher"))))
    ended = desk.run("adopt", "officers", str(file))
    assert ended.exit_code == 0 and len(desk.sent) == 1
    assert "nobody can do the work of adjudicator, marker" in ended.output


def test_one_person_alone_can_do_nothing_that_two_must() -> None:
    alone = listed(one="administrator approver publisher", two="approver", three="adjudicator marker")
    assert deadlock(alone) is None
    assert list(idle_roles(alone)) == []
    assert list(idle_roles(listed(one="administrator", two="approver publisher"))) == [
        "publisher",
        "adjudicator",
        "marker",
    ]


def test_the_officers_that_init_makes_can_go_on() -> None:
    made = listed(**{name.replace("-", "_"): " ".join(roles) for name, roles in OFFICERS.items()})
    assert deadlock(made) is None
    assert list(idle_roles(made)) == []
