"""Where the auditor reads: the topics of a broker, batch by batch, and the documents of a store."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, LeaderNotAvailableError, NoError, OffsetOutOfRangeError, for_code
from aiokafka.protocol.fetch import FetchRequest

from audit.log import LogRecord
from audit.wire import Damaged, length_of, open_batch
from shared.contracts.topics import Topic

FETCH_BYTES = 1024 * 1024
PATIENCE_S = 60.0
"""How long a broker may be away while a topic is read."""

READ_UNCOMMITTED = 0


@dataclass(frozen=True, slots=True)
class Span:
    """Where a partition begins and ends."""

    begin: int
    end: int


Spans = Mapping[int, Span]
"""By partition; none where there is no such topic."""


class Source(Protocol):
    """The topics of a register."""

    async def spans(self, topic: Topic) -> Spans:
        """Where each partition begins and ends now."""

    def records(self, topic: Topic, spans: Spans) -> AsyncIterator[LogRecord]:
        """What lies in these spans, one partition after the other."""

    async def committed(self, group: str, topic: Topic) -> Mapping[int, int]:
        """Up to where a group has settled each partition; empty if it may not be asked."""


class Store(Protocol):
    """The database of a register."""

    def documents(self, collection: str) -> AsyncIterator[Mapping[str, Any]]:
        """Every document of a collection, in any order."""


Tell = Callable[[str, int, int], None]
"""Told of what is read, how much of it is done, and how much there is."""


class Unreadable(Exception):
    """A partition cannot be read on; the text says where and why."""


class Broker:
    """`Source` on brokers. `client` are options of all of aiokafka's clients (SASL, TLS).

    `tell` is told of each topic that is read how many of how many offsets were.
    """

    def __init__(self, bootstrap_servers: str, *, tell: Tell | None = None, **client: Any) -> None:
        self._options = {"bootstrap_servers": bootstrap_servers, **client}
        self._tell: Tell = tell or (lambda _what, _done, _total: None)
        self._consumer: Any = None

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(group_id=None, enable_auto_commit=False, **self._options)
        try:
            await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def spans(self, topic: Topic) -> Spans:
        """As `Source`. Only topics that exist are named: some brokers create what they are asked for."""
        existing = await self._consumer.topics()
        if topic.value not in existing:
            return {}
        await self._client.set_topics([each.value for each in Topic if each.value in existing])
        numbers = self._client.cluster.partitions_for_topic(topic.value) or ()
        places = {number: TopicPartition(topic.value, number) for number in sorted(numbers)}
        begins = await self._consumer.beginning_offsets(list(places.values()))
        ends = await self._consumer.end_offsets(list(places.values()))
        return {number: Span(begins[at], ends[at]) for number, at in places.items()}

    async def records(self, topic: Topic, spans: Spans) -> AsyncIterator[LogRecord]:
        """As `Source`. Raises Unreadable."""
        total, done = sum(span.end - span.begin for span in spans.values()), 0
        for number, span in spans.items():
            place, position = TopicPartition(topic.value, number), span.begin
            while position < span.end:
                before = position
                for raw in await self._batches(place, position):
                    try:
                        batch = open_batch(raw, number)
                    except Damaged:
                        raise _damaged(place, position) from None
                    for record in batch.records:
                        if record.end > before and record.offset < span.end:
                            yield record
                    position = max(position, batch.following)
                done += min(position, span.end) - before
                self._tell(topic.value, done, total)

    async def _batches(self, place: TopicPartition, position: int) -> list[bytes]:
        """The whole batches of one fetch, at least one. Raises Unreadable."""
        data = await self._fetch(place, position, FETCH_BYTES)
        try:
            length = length_of(data)
            if length is not None and length > len(data):
                # Apache Kafka sends the first batch whole, however small the fetch; not all brokers do.
                data = await self._fetch(place, position, length)
            found, at = [], 0
            while (length := length_of(data, at)) is not None and at + length <= len(data):
                found.append(data[at : at + length])
                at += length
        except Damaged:
            raise _damaged(place, position) from None
        if not found:
            raise Unreadable(f"{place.topic}/{place.partition}: no whole record comes at offset {position}")
        return found

    async def _fetch(self, place: TopicPartition, position: int, most: int) -> bytes:
        """What lies at a position that is below the end. Raises Unreadable, a KafkaError."""
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                node = self._client.cluster.leader_for_partition(place)
                if node in (None, -1):
                    raise LeaderNotAvailableError(place)
                wanted = [(place.topic, [(place.partition, position, most)])]
                request = FetchRequest(500, 1, most, READ_UNCOMMITTED, wanted)
                response = await self._client.send(node, request)
                ((_, code, _, *rest),) = response.topics[0][1]
                if (error := for_code(code)) is not NoError:
                    raise error(place)
                if rest[-1]:
                    return bytes(rest[-1])
                if time.monotonic() > give_up:
                    return b""
            except OffsetOutOfRangeError:
                raise Unreadable(
                    f"{place.topic}/{place.partition}: what lay at offset {position} was deleted just now"
                ) from None
            except KafkaError:
                if time.monotonic() > give_up:
                    raise
                self._client.force_metadata_update()
            await asyncio.sleep(0.2)

    async def committed(self, group: str, topic: Topic) -> Mapping[int, int]:
        """As `Source`."""
        known = inspect.signature(AIOKafkaAdminClient).parameters
        options = {name: value for name, value in self._options.items() if name in known}
        admin = AIOKafkaAdminClient(**options)
        try:
            await admin.start()
            found = await admin.list_consumer_group_offsets(group)
        except KafkaError:  # an observer may have no right to ask, and a new broker knows no groups
            return {}
        finally:
            await admin.close()
        return {at.partition: max(0, its.offset) for at, its in found.items() if at.topic == topic.value}

    @property
    def _client(self) -> Any:
        return self._consumer._client


def _damaged(place: TopicPartition, position: int) -> Unreadable:
    return Unreadable(
        f"{place.topic}/{place.partition} is damaged at or after offset {position}: a checksum does not hold"
    )
