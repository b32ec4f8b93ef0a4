"""A marker ends an epoch only if all that it says agrees with the commands up to its `as_of`."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from shared.commands.feed import CommandFeed
from shared.commands.fold import fold
from shared.commands.marker_reader import MarkerReader
from shared.commands.markers import LATER_MS, counts, passed_marker, read_marker
from shared.commands.state import State
from shared.contracts.commands import CommandType
from shared.contracts.events import Marker
from shared.contracts.topics import Topic
from shared.process.errors import NotYet
from shared.reference.officers import officers_file
from shared.runtime.record import Record
from tests.kit.command_log import OFFICERS, REGISTER, CommandLog, officer
from tests.kit.memory_register import MemoryFiles

LOG = CommandLog().found().adopt_all()
LOG.cut_off(1)
LOG.cut_off(2)
STATE = LOG.state()
AT = STATE.cut_offs
END = STATE.next_offset
CHANGED = officer("marker", ["marker"], "new")
"""The marker officer with another key."""


def verdict(record: Record, state: State = STATE) -> bool | None:
    signed = read_marker(record)
    return False if signed is None else counts(signed, state)


def test_a_signed_marker_of_the_cut_off_is_valid_whatever_the_topic() -> None:
    for topic in (Topic.EVENTS, Topic.ACCEPTED, Topic.CHECKED):
        assert verdict(LOG.marker(topic=topic))
    signed = read_marker(LOG.marker(2))
    assert signed is not None
    assert (signed.marker.epoch, signed.marker.command_offset) == (2, AT[2])


def test_a_marker_may_be_as_of_a_later_message() -> None:
    assert verdict(LOG.marker(as_of=AT[1] + 1))
    assert verdict(LOG.marker(as_of=END - 1))


def test_a_marker_may_lie_exactly_2000_ms_after_its_message_and_no_less() -> None:
    assert LATER_MS == 2_000
    assert verdict(LOG.marker(later=2_000))
    assert verdict(LOG.marker(later=1_999)) is False


def changed(record: Record, **members: Any) -> Record:
    return dataclasses.replace(record, **members)


def header(record: Record, name: str, value: bytes) -> Record:
    return changed(record, headers=(*record.headers, (name, value)))


RIGHT = LOG.marker()
VOID: dict[str, Record] = {
    "at another offset than its cut-off's": LOG.marker(command_offset=AT[1] - 1, as_of=AT[1]),
    "at the cut-off of another epoch": LOG.marker(command_offset=AT[2], as_of=AT[2]),
    "of an epoch without a cut-off": LOG.marker(3, command_offset=AT[2]),
    "as of a message before its cut-off": LOG.marker(as_of=AT[1] - 1),
    "with another head": LOG.marker(audit_head=STATE.audit_head_at(AT[1] + 1).hex()),
    "signed by an officer of another role": LOG.marker(name="publisher"),
    "signed by nobody we know": LOG.marker(name="stranger"),
    "signed with another key": LOG.marker(key="stranger"),
    "signed for another register": LOG.marker(register="kh-other"),
    "under another key": changed(RIGHT, key=b"!marker/2"),
    "without a key": changed(RIGHT, key=None),
    "in another partition": changed(RIGHT, partition=2),
    "under another id": header(RIGHT, "ce_id", b"marker/1/2"),
    "with other bytes": changed(RIGHT, value=(RIGHT.value or b"") + b" "),
    "without a value": changed(RIGHT, value=None),
    "without a signature": changed(RIGHT, headers=RIGHT.headers[:-1]),
    "with an officer that is no text": header(RIGHT, "rollstream-officer", b"\xff"),
    "in structured mode": header(RIGHT, "content-type", b"application/cloudevents+json"),
    "with data of another shape": changed(RIGHT, value=b'{"epoch": "1"}'),
    "with a member twice": changed(RIGHT, value=b'{"epoch": 1, "epoch": 1}'),
}


@pytest.mark.parametrize("record", VOID.values(), ids=VOID.keys())
def test_any_other_marker_is_void(record: Record) -> None:
    assert verdict(record) is False


def test_the_signer_is_in_force_at_as_of_whatever_is_adopted_later() -> None:
    log = CommandLog().found().adopt_all()
    log.cut_off(1)
    old = log.marker()
    log.adopt("officers", json.dumps(officers_file([*OFFICERS[:-1], CHANGED])).encode(), "2")
    adopted = log.state().next_offset - 1
    state = log.state()
    assert verdict(old, state)
    assert verdict(log.marker(as_of=adopted, key="new"), state)
    assert verdict(log.marker(as_of=adopted), state) is False
    assert verdict(log.marker(key="new"), state) is False
    assert verdict(log.marker(as_of=adopted - 1, key="new"), state) is False


def test_a_marker_that_was_written_before_its_key_was_adopted_stays_void() -> None:
    log = CommandLog().found().adopt_all()
    log.cut_off(1)
    early = log.marker(as_of=log.state().next_offset + 1, key="new", later=0)
    assert verdict(early, log.state()) is None
    log.adopt("officers", json.dumps(officers_file([*OFFICERS[:-1], CHANGED])).encode(), "2")
    assert verdict(early, log.state()) is False


def test_the_verdict_is_the_same_at_every_later_reading() -> None:
    records = [RIGHT, LOG.marker(2), LOG.marker(as_of=END - 1), LOG.marker(later=0), *VOID.values()]
    for record in records:
        verdicts = [
            verdict(record, fold(REGISTER, LOG.officers_sha, LOG.messages[:number], LOG.resolve))
            for number in range(len(LOG.messages) + 1)
        ]
        known = [each for each in verdicts if each is not None]
        assert len(set(known)) == 1
        assert verdicts[len(verdicts) - len(known) :] == known


def test_a_marker_is_passed_on_unchanged_in_the_same_partition() -> None:
    output = passed_marker(RIGHT, Topic.ACCEPTED)
    assert (output.topic, output.partition) == (Topic.ACCEPTED, RIGHT.partition)
    assert (output.key, output.value, output.headers) == (RIGHT.key, RIGHT.value, RIGHT.headers)


# --- reading the commands first -----------------------------------------------------------------------


class Feed:
    """Commands of which the first `folded` are known; the rest is read, and folded when it is waited for,
    unless a file is `missing`."""

    def __init__(self, log: CommandLog, folded: int, *, missing: bool = False) -> None:
        self.state = fold(REGISTER, log.officers_sha, log.messages[:folded], log.resolve)
        self._all, self._missing, self._log = log.state(), missing, log
        self.unfolded = tuple(log.messages[folded:])
        self.waits: list[str] = []

    async def wait_until_read(self, _timeout: float) -> None:
        self.waits.append("read")
        if not self._missing:
            self.state = self._all

    async def wait_for_end(self, _timeout: float) -> State:
        self.waits.append("folded")
        if self._missing:
            raise NotYet("the commands are behind")
        return self._all


def reader(feed: Feed, log: CommandLog = LOG) -> MarkerReader:
    return MarkerReader(cast(CommandFeed, feed), MemoryFiles(log.files))


def marker_of(record: Record) -> Marker:
    return Marker.model_validate_json(record.value or b"")


async def test_markers_that_the_known_commands_judge_wait_for_nothing() -> None:
    feed = Feed(LOG, len(LOG.messages))
    assert await reader(feed).valid([RIGHT, *VOID.values()]) == [marker_of(RIGHT), *[None] * len(VOID)]
    assert feed.waits == []


async def test_a_batch_of_markers_waits_once_for_what_lies_on_the_commands() -> None:
    feed = Feed(LOG, 3)
    beyond = LOG.marker(as_of=END + 5)
    assert await reader(feed).valid([RIGHT, beyond, LOG.marker(2), beyond]) == [
        marker_of(RIGHT),
        None,
        marker_of(LOG.marker(2)),
        None,
    ]
    assert feed.waits.count("read") == 1 and feed.waits.count("folded") <= 1


async def test_a_flood_of_markers_of_things_to_come_reads_each_officers_file_once() -> None:
    feed, read = Feed(LOG, 3, missing=True), list[str]()

    class Files(MemoryFiles):
        def read(self, kind: str, sha256: str) -> bytes:
            read.append(sha256)
            return super().read(kind, sha256)

    flood = [LOG.marker(as_of=END, name="stranger")] * 2_000
    found = await MarkerReader(cast(CommandFeed, feed), Files(LOG.files)).valid(flood)
    assert found == [None] * len(flood)
    assert feed.waits == ["read"] and read == [LOG.officers_sha]


UNSIGNED: dict[str, Callable[[], Record]] = {
    "without a signature": lambda: changed(LOG.marker(as_of=END), headers=RIGHT.headers[:-1]),
    "with anybody's signature": lambda: LOG.marker(as_of=END, name="stranger"),
    "with another key under an officer's name": lambda: LOG.marker(as_of=END, key="stranger"),
    "signed by an officer without the role": lambda: LOG.marker(as_of=END, name="publisher"),
}


@pytest.mark.parametrize("made", UNSIGNED.values(), ids=UNSIGNED.keys())
async def test_what_no_marker_officer_signed_is_void_while_a_reference_file_is_missing(
    made: Callable[[], Record],
) -> None:
    feed = Feed(LOG, 3, missing=True)
    assert await reader(feed).valid([made()]) == [None]
    assert "folded" not in feed.waits


async def test_a_signed_marker_waits_for_a_missing_file_and_is_void_for_no_reader_without_it() -> None:
    feed = Feed(LOG, 3, missing=True)
    with pytest.raises(NotYet):
        await reader(feed).valid([RIGHT])


async def test_a_marker_of_an_officer_who_is_adopted_behind_a_missing_file_is_not_called_void() -> None:
    log = CommandLog().found().adopt_all()
    known = len(log.messages)
    log.adopt("officers", json.dumps(officers_file([*OFFICERS[:-1], CHANGED])).encode(), "2")
    log.cut_off(1)
    with pytest.raises(NotYet):
        await reader(Feed(log, known, missing=True), log).valid([log.marker(key="new")])
    changed_officers = CommandLog().found().adopt_all()
    data = {"kind": "officers", "version": "2", "sha256": "0" * 64}
    changed_officers.send(CommandType.ADOPTED, data, "admin")
    with pytest.raises(NotYet):  # the file itself is missing: nobody can say who is in it
        await reader(Feed(changed_officers, known, missing=True), changed_officers).valid(
            [LOG.marker(key="new", as_of=END)]
        )
