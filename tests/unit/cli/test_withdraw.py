"""`rollstream withdraw` and `adopt --lost`, as officers type them."""

import json
from pathlib import Path

import pytest

from client.commands import SignedCommand
from shared.contracts.commands import CommandType
from shared.crypto import signing
from tests.kit.command_log import NO_PLACES, key_of
from tests.kit.officers_desk import Desk, make_desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return make_desk(tmp_path, monkeypatch)


def proposed(desk: Desk) -> SignedCommand:
    file = desk.folder / "gazetteer.csv"
    file.write_bytes(NO_PLACES)
    ended = desk.run("adopt", "gazetteer", str(file))
    assert ended.exit_code == 0, ended.output
    return desk.sent[-1]


def verdict(desk: Desk, command: SignedCommand) -> str:
    return desk.topic.state().verdicts[command.id].verdict


def test_who_proposed_it_takes_it_back_by_the_beginning_of_its_id(desk: Desk) -> None:
    command = proposed(desk)
    ended = desk.run("withdraw", command.id[:8], "--reason", "the wrong file", "--json")
    told = json.loads(ended.output)
    assert told["withdraws"] == command.id and told["checked"]
    assert desk.sent[-1].type == CommandType.WITHDRAWN
    assert json.loads(desk.sent[-1].value) == {"command_id": command.id, "reason": "the wrong file"}
    assert verdict(desk, command) == "withdrawn"


def test_an_approver_returns_it_and_nobody_approves_it_after_that(desk: Desk) -> None:
    command = proposed(desk)
    ended = desk.run("withdraw", command.id, by="two")
    assert ended.exit_code == 0 and "can no longer be approved" in ended.output
    assert verdict(desk, command) == "returned"
    late = desk.approve(command.id, by="approver")
    assert late.exit_code == 1 and "(settled)" in late.stderr


@pytest.mark.parametrize(
    ("by", "key", "reason"),
    [("north", "north", "role"), ("one", "two", "signature"), ("who", "one", "unknown")],
)
def test_what_would_be_refused_is_not_sent(desk: Desk, by: str, key: str, reason: str) -> None:
    command = proposed(desk)
    ended = desk.run("withdraw", command.id, by=by, key=key)
    assert ended.exit_code == 1 and f"({reason}" in ended.stderr
    assert desk.sent[-1] == command and verdict(desk, command) == "open"


def test_a_key_that_replaces_a_lost_one_says_so_and_nothing_else_may(desk: Desk) -> None:
    file = desk.folder / "signing-2.pub.pem"
    file.write_bytes(signing.public_pem(key_of("signing 2").public_key()))
    assert desk.run("adopt", "signing_key", str(file), "--lost").exit_code == 0
    assert json.loads(desk.sent[-1].value)["lost"] is True
    assert desk.run("adopt", "signing_key", str(file)).exit_code == 0
    assert "lost" not in json.loads(desk.sent[-1].value)
    sent = len(desk.sent)
    (desk.folder / "gazetteer.csv").write_bytes(NO_PLACES)
    ended = desk.run("adopt", "gazetteer", str(desk.folder / "gazetteer.csv"), "--lost")
    assert ended.exit_code == 1 and "--lost is for a signing_key" in ended.stderr
    assert len(desk.sent) == sent
