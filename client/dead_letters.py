"""The dead-letter topic: lists what is on it, where it came from and why, and deletes what was dealt with."""

from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from client.topics import admin_options, partitions_of, require
from shared.contracts.cloudevents import header
from shared.contracts.topics import Topic
from shared.process.settings import Settings
from shared.runtime.clients import make_producer
from shared.runtime.record import Record
from shared.runtime.snapshot import read_topic

FACTS = (
    *("reason", "detail", "topic", "partition", "offset", "last-offset"),
    *("service", "time", "bytes", "sha256"),
)
"""What the headers `rollstream-dlq-*` tell, in the order in which it is shown; what is not told is empty."""

_PREFIX = "rollstream-dlq-"


Source = tuple[int, int]
"""Partition and offset of the record that a dead letter was."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A copy of a dead letter; `record` is what lies on the dead-letter topic."""

    source: Source
    facts: Mapping[str, str]
    record: Record

    @property
    def place(self) -> str:
        """`<partition>/<offset>` of the record that it was."""
        return "/".join(map(str, self.source))

    def original(self) -> dict[str, Any]:
        """The record as it came: text where it is UTF-8, else `{"base64": …}`."""
        headers = [
            [name, _readable(content)]
            for name, content in self.record.headers
            if not name.startswith(_PREFIX)
        ]
        return {
            "key": _readable(self.record.key),
            "headers": headers,
            "value": _readable(self.record.value),
        }


async def read_letters(settings: Settings) -> list[Letter]:
    """Every dead letter once, in order of place; after a crash the topic may hold one twice.

    Raises client.topics.TopicMissing, and aiokafka's KafkaError if no broker answers.
    """
    found: dict[Source, Letter] = {}
    async for letter in _copies(settings):
        found.setdefault(letter.source, letter)
    return [found[source] for source in sorted(found)]


async def drop_letters(settings: Settings, place: str) -> list[str] | None:
    """Delete a dead letter and those before it in its partition; answers their places.

    None: it is not there. Nothing: a copy of it lies behind a newer letter, and nothing was deleted. A topic
    can be cut at its beginning only. What became of each event stays stored, and the event lies on its own
    topic for good. Raises as `read_letters`.
    """
    copies = [letter async for letter in _copies(settings)]
    named = [letter for letter in copies if letter.place == place]
    if not named:
        return None
    partition = named[0].record.partition
    end, gone = cut([letter for letter in copies if letter.record.partition == partition], named[0].source)
    if not gone:
        return []
    admin = AIOKafkaAdminClient(**admin_options(settings))
    try:
        await admin.start()
        at = TopicPartition(Topic.DEAD_LETTERS.value, partition)
        await admin.delete_records({at: RecordsToDelete(end)})
    finally:
        await admin.close()
    return gone


async def replay_letters(settings: Settings, letters: Sequence[Letter]) -> list[str]:
    """Send originals again to the partitions that they came from, where they are judged anew; answers their
    places. One whose original is too large to be in the letter is left out: it lies at its own offset only.

    Raises client.topics.TopicMissing, and aiokafka's KafkaError if no broker takes them.
    """
    whole = [each for each in letters if not each.facts.get("bytes")]
    if not whole:
        return []
    await require(settings, Topic.EVENTS)
    producer = make_producer(settings, "rollstream-dlq")
    try:
        await producer.start()
        for letter in whole:
            await producer.send_and_wait(
                Topic.EVENTS.value,
                key=letter.record.key,
                value=letter.record.value,
                headers=[
                    (name, value) for name, value in letter.record.headers if not name.startswith(_PREFIX)
                ],
                partition=letter.source[0],
            )
    finally:
        await producer.stop()
    return [each.place for each in whole]


def cut(copies: Iterable[Letter], source: Source) -> tuple[int, list[str]]:
    """The offset below which no letter newer than `source` lies, and the places of those that go with it.

    `copies` are those of one partition of the topic, in their order. Where a crash had letters sent twice, a
    copy behind a newer letter stays, and its letter with it.
    """
    end, below, rest = 0, dict[str, None](), set[str]()
    for letter in copies:
        if rest or letter.source > source:
            rest.add(letter.place)
        else:
            end = letter.record.offset + 1
            below[letter.place] = None
    return end, [each for each in below if each not in rest]


async def _copies(settings: Settings) -> AsyncIterator[Letter]:
    """Every dead letter as it lies there; what others wrote to the topic is none."""
    await require(settings, Topic.DEAD_LETTERS)
    partitions = partitions_of(settings, Topic.DEAD_LETTERS)
    async for record in read_topic(settings, Topic.DEAD_LETTERS, partitions, "rollstream-dlq"):
        told = {name: header(record.headers, _PREFIX + name) or b"" for name in FACTS}
        facts = {name: content.decode(errors="replace") for name, content in told.items()}
        if facts["partition"].isdecimal() and facts["offset"].isdecimal():
            yield Letter((int(facts["partition"]), int(facts["offset"])), facts, record)


def _readable(content: bytes | None) -> Any:
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(content).decode()}
