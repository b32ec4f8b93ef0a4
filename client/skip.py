"""A record of our own topics that stops a service: what it is, and whether it may be passed over."""

from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from client.require import require
from client.topics import partitions_of
from services.dedup import records as accepted
from services.publisher import handler as checked
from shared.commands.markers import is_marker
from shared.contracts.cloudevents import header
from shared.contracts.outputs import OutputType
from shared.contracts.timestamps import rfc3339
from shared.contracts.topics import Topic
from shared.process.errors import UnreadableRecord
from shared.process.settings import Settings
from shared.runtime.cancellation import close
from shared.runtime.clients import make_reader
from shared.runtime.record import Record, fingerprint

READERS = {Topic.ACCEPTED: accepted.read, Topic.CHECKED: checked.read}
"""How the service reads a record that can be stopped by one."""

_ELSEWHERE = {
    Topic.EVENTS: "what cannot be read there is a dead letter: `rollstream dlq list`",
    Topic.COMMANDS: "what cannot be read there has no effect and stops nobody",
}


class NotSkipped(Exception):
    """The text says why the record is not passed over, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A record that no service can read; `warnings` are what its officers should think of."""

    record: Record
    warnings: tuple[str, ...]

    @property
    def data(self) -> dict[str, Any]:
        """What a command says of it, without its reason."""
        return {
            "topic": self.record.topic,
            "partition": self.record.partition,
            "offset": self.record.offset,
            "record_sha256": fingerprint(self.record),
        }

    @property
    def told(self) -> str:
        """What it is, in words without what it holds: that may be personal."""
        record = self.record
        run = "" if record.last_offset is None else f", a batch up to offset {record.last_offset}"
        return (
            f"{record.place} of {rfc3339(record.timestamp)}{run}: key {_bytes(record.key)}, value "
            f"{_bytes(record.value)}, {len(record.headers)} headers; SHA-256 {fingerprint(record)}"
        )


def _bytes(content: bytes | None) -> str:
    return "null" if content is None else f"{len(content)} bytes"


async def obstacle(settings: Settings, place: str) -> Obstacle:
    """The record at `<topic>/<partition>/<offset>`, which a service cannot read.

    Raises NotSkipped where it can, or nothing lies there; client.topics.TopicMissing; aiokafka's KafkaError.
    """
    topic, partition, offset = _parsed(place)
    record = await _record_at(settings, topic, partition, offset)
    if record is None or record.offset > offset:
        raise NotSkipped(f"nothing lies at {place}: the log line `service stops` names the place")
    if record.offset < offset:
        raise NotSkipped(f"{place} lies in a batch that cannot be decoded: name its first, {record.place}")
    if is_marker(record):
        raise NotSkipped(f"{place} is a marker: one that does not count is void, and stops nobody")
    try:
        READERS[topic](record)
    except UnreadableRecord:
        return Obstacle(record, _warnings(record))
    raise NotSkipped(f"{place} can be read: it is one of ours, and none of ours is ever passed over")


def _parsed(place: str) -> tuple[Topic, int, int]:
    name, *numbers = place.split("/")
    topic = next((each for each in Topic if each == name), None)
    if topic in _ELSEWHERE:
        raise NotSkipped(f"nothing on {name} is passed over: {_ELSEWHERE[topic]}")
    if topic not in READERS or len(numbers) != 2 or not all(n.isascii() and n.isdecimal() for n in numbers):
        topics = " or ".join(each.value for each in READERS)
        raise NotSkipped(f"say TOPIC/PARTITION/OFFSET, of {topics}: the log line `service stops` names it")
    return topic, int(numbers[0]), int(numbers[1])


def _warnings(record: Record) -> tuple[str, ...]:
    ce_type = header(record.headers, "ce_type") or b""
    if ce_type not in {each.value.encode() for each in OutputType}:
        return ()
    return (
        "it names a type of ours: if a newer version of Rollstream wrote it, start that version instead. If "
        "it is one of ours that was damaged, somebody would be missing: write the topic anew instead "
        "(docs/operations.md, Backup and restore)",
    )


async def _record_at(settings: Settings, topic: Topic, partition: int, offset: int) -> Record | None:
    """The first record at or after an offset, or the run that holds it; None at the end."""
    await require(settings, topic)
    if partition >= partitions_of(settings, topic):
        return None
    at = TopicPartition(topic.value, partition)
    reader = make_reader(settings, "rollstream-skip")
    try:
        await reader.start()
        end = (await reader.end_offsets([at]))[at]
        if offset >= end:
            return None
        reader.assign([at])
        reader.seek(at, offset)
        while await reader.position(at) < end:
            for record in await reader.poll(timeout_ms=1000, max_records=1):
                found: Record = record
                return found
        return None
    finally:
        await close(reader)
