"""`rollstream skip`: what is looked at before two officers have a record passed over."""

import json
from pathlib import Path

import pytest

from cli import skipping
from client.skip import NotSkipped, Obstacle, obstacle
from shared.contracts.cloudevents import encode
from shared.contracts.commands import CommandType
from shared.contracts.outputs import OutputType
from shared.contracts.topics import Topic
from shared.process.settings import Settings
from shared.runtime.record import Record
from tests.kit.accepted import accepted, voter
from tests.kit.officers_desk import Desk, make_desk

PLACE = f"{Topic.ACCEPTED.value}/1/7"
FOREIGN = Record(Topic.ACCEPTED.value, 1, 7, 0, b"k", b'{"phone": "CANARY"}', (("a", b"x"),))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return make_desk(tmp_path, monkeypatch)


def lies(monkeypatch: pytest.MonkeyPatch, record: Record | None) -> None:
    """This record lies at the place that is looked at."""

    async def found(*_: object) -> Record | None:
        return record

    monkeypatch.setattr("client.skip._record_at", found)


def skip(desk: Desk, place: str = PLACE) -> str:
    ended = desk.run("skip", place, "--reason", "a test tool wrote it", "--json")
    assert ended.exit_code == 0, ended.output
    return str(json.loads(ended.stdout)["id"])


def test_what_is_proposed_names_the_record_and_shows_nothing_of_what_it_holds(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    lies(monkeypatch, FOREIGN)
    command_id = skip(desk)
    [sent] = desk.sent
    data = json.loads(sent.value)
    assert data == {**Obstacle(FOREIGN, ()).data, "reason": "a test tool wrote it"}
    assert (sent.type, sent.key.decode()) == (CommandType.SKIPPED, PLACE)
    approved = desk.approve(command_id)
    assert approved.exit_code == 0 and f"pass over {PLACE}" in approved.output
    assert "CANARY" not in approved.output + Obstacle(FOREIGN, ()).told
    state = desk.topic.state()
    assert state.skips == {(data["topic"], 1, 7, data["record_sha256"])}


def test_who_approves_is_told_when_another_record_lies_there_or_one_of_ours(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    lies(monkeypatch, FOREIGN)
    skip(desk)
    ours = accepted("A-1", voter(1), partition=1, offset=0)
    read = Record(ours.topic, 1, 7, 0, ours.key, ours.value, ours.headers)
    other = Record(Topic.ACCEPTED.value, 1, 7, 0, b"k", b"another", ())
    for record, told in (
        (read, "it is one of ours"),
        (other, "another record lies at"),
        (None, "nothing lies"),
    ):
        lies(monkeypatch, record)
        data = json.loads(desk.sent[0].value)
        assert any(told in each for each in skipping.doubts(data)), told


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("registration.events.v1/0/1", "rollstream dlq list"),
        ("roll.commands.v1/0/1", "stops nobody"),
        ("roll.lists.v1/0/1", "say TOPIC/PARTITION/OFFSET"),
        ("registration.accepted.v1", "say TOPIC/PARTITION/OFFSET"),
        ("registration.accepted.v1/0/x", "say TOPIC/PARTITION/OFFSET"),
        ("nothing/0/1", "say TOPIC/PARTITION/OFFSET"),
    ],
)
def test_only_a_place_on_our_own_topics_is_looked_at(desk: Desk, place: str, told: str) -> None:
    ended = desk.run("skip", place, "--reason", "x")
    assert ended.exit_code == 1 and told in ended.stderr
    assert desk.sent == []


async def test_what_can_be_read_or_is_a_marker_or_does_not_lie_there_is_not_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = accepted("A-1", voter(1), partition=1, offset=0)
    marker = (("ce_type", b"rollstream.register.marker.v1"),)
    for record, told in (
        (Record(ours.topic, 1, 7, 0, ours.key, ours.value, ours.headers), "it is one of ours"),
        (Record(ours.topic, 1, 7, 0, b"k", b"{", marker), "is a marker"),
        (Record(ours.topic, 1, 5, 0, None, None, (), "undecodable_batch", 9), "name its first"),
        (Record(ours.topic, 1, 8, 0, b"k", b"{", ()), "nothing lies at"),
        (None, "nothing lies at"),
    ):
        lies(monkeypatch, record)
        with pytest.raises(NotSkipped, match=told):
            await obstacle(Settings(register="kh"), PLACE)


async def test_a_damaged_record_that_names_a_type_of_ours_is_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    headers = encode("s", "1", OutputType.ACCEPTED)
    lies(monkeypatch, Record(Topic.ACCEPTED.value, 1, 7, 0, b"k", b"{", headers))
    [warning] = (await obstacle(Settings(register="kh"), PLACE)).warnings
    assert "newer version" in warning
    lies(monkeypatch, FOREIGN)
    assert (await obstacle(Settings(register="kh"), PLACE)).warnings == ()
