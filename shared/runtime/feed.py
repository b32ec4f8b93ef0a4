"""Follows a topic of ours from its first record on, without a group: all of it in every process."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.process.errors import NotYet, StopService, TransientError, UnreadableRecord
from shared.process.health import Health
from shared.process.metrics import Metrics
from shared.process.settings import Settings
from shared.runtime.cancellation import close, only_ours
from shared.runtime.clients import connection_options, make_reader, reader_options, topics_missing
from shared.runtime.outages import is_outage
from shared.runtime.record import Record
from shared.runtime.tolerant import TolerantConsumer

POLL_MS = 500
SILENT_SECONDS = 15.0
"""How long a consumer may deliver nothing of what is there."""

POLL_RECORDS = 500
"""Records taken before the event loop gets its turn: some 20 ms of work, far below a heartbeat's 3 s."""


class TopicFeed:
    """`run` in a task of its own; `take` gets each record, in order within a partition.

    A broker that is away is waited for, and reading goes on where it was. A topic that lost its first
    records, or is shorter than what was read of it, stops the feed: then `run` and every wait raise
    StopService. So does a batch that cannot be decoded, unless the feed `passes_over` such (a topic that
    others write to), or `unreadable` is set and returns.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        topic: str,
        partitions: int,
        take: Callable[[Record], Awaitable[None]],
        metrics: Metrics | None = None,
        *,
        passes_over: bool = False,
    ) -> None:
        self._settings = settings
        self._name = name
        self._topic = topic
        self._take = take
        self._passes_over = passes_over
        self._metrics = metrics
        self._next = {TopicPartition(topic, number): 0 for number in range(partitions)}
        self._moved = asyncio.Condition()
        self._probe: AIOKafkaConsumer | None = None  # there while the feed is connected
        self._failure: BaseException | None = None
        self._owed: tuple[float, Mapping[TopicPartition, int]] | None = None  # the ends, and when
        self.done: Callable[[], int] | None = None  # of one partition: up to where what was taken is settled
        self.unreadable: Callable[[Record, UnreadableRecord], Awaitable[None]] | None = None
        self.waits_for: str | None = None  # reference data without which `take` cannot go on

    @property
    def name(self) -> str:
        """Short, for logs and metrics."""
        return self._name

    def partitions(self) -> list[TopicPartition]:
        """All partitions of the topic."""
        return list(self._next)

    def note_ends(self, ends: Mapping[TopicPartition, int], health: Health) -> None:
        """What a probe read of the ends of partitions, these and others; one that does not move is a hang.

        A broker that has just come back may not tell all of them.
        """
        mine = {partition: ends[partition] for partition in self._next if partition in ends}
        for partition, end in mine.items():
            health.position(self._name, partition, self._position(partition), end)
        health.feed_waits(self._name, self.waits_for)
        self._set_lag(mine)

    async def run(self) -> None:
        """Read until cancelled. Raises StopService, and what `take` raises."""
        try:
            await self._run()
        except BaseException as error:
            self._failure = error
            raise
        finally:
            await self.notify()

    async def notify(self) -> None:
        """Wake those who wait."""
        async with self._moved:
            self._moved.notify_all()

    async def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> None:
        """Return as soon as `predicate` holds; it is asked after each change.

        Raises TimeoutError after `timeout` seconds, and StopService if the feed has ended.
        """
        async with asyncio.timeout(timeout), self._moved:
            await self._moved.wait_for(lambda: self._failure is not None or predicate())
        if isinstance(self._failure, StopService):
            raise self._failure
        if self._failure is not None:
            raise StopService(f"the {self._name} feed has ended", cause="background") from self._failure

    async def wait_for_end(self, timeout: float | None = None) -> None:
        """Return once everything was taken that lies on the topic now.

        Raises TransientError after `timeout` seconds or while no broker answers; StopService.
        """
        try:
            async with asyncio.timeout(timeout):
                await self.wait_for(lambda: self._probe is not None)
                ends = await self._ends()
                await self.wait_for(lambda: self._lag(ends) == 0)
        except TimeoutError:
            raise NotYet(f"the {self._name} feed is behind") from None

    def _position(self, partition: TopicPartition) -> int:
        """Up to where the partition is read and what was read is settled."""
        return self._next[partition] if self.done is None else min(self._next[partition], self.done())

    def _set_lag(self, ends: Mapping[TopicPartition, int]) -> int:
        lag = sum(max(0, end - self._position(partition)) for partition, end in ends.items())
        if self._metrics is not None:
            self._metrics.feed_lag.labels(feed=self._name).set(lag)
        return lag

    def _lag(self, ends: Mapping[TopicPartition, int]) -> int:
        return sum(max(0, end - self._next[partition]) for partition, end in ends.items())

    async def _ends(self) -> Mapping[TopicPartition, int]:
        probe = self._probe
        if probe is None:
            raise TransientError(f"{self._topic} is out of reach")
        try:
            ends: Mapping[TopicPartition, int] = await probe.end_offsets(list(self._next))
        except Exception as error:
            # A client that is being made anew may say anything.
            if not is_outage(error) and self._probe is probe:
                raise
            raise TransientError(f"{self._topic} is out of reach") from error
        self._set_lag(ends)
        return ends

    async def _run(self) -> None:
        delay = self._settings.runtime.backoff_initial_s
        while True:
            try:
                with only_ours():
                    async with self._connected() as consumer:
                        while True:
                            await self._read(consumer)
                            delay = self._settings.runtime.backoff_initial_s
            except Exception as error:
                if isinstance(error, StopService) or not is_outage(error):
                    raise
                structlog.get_logger().warning(
                    "topic out of reach", feed=self._name, error=type(error).__name__, backoff=delay
                )
            await asyncio.sleep(delay)
            delay = min(2 * delay, self._settings.runtime.backoff_max_s)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[TolerantConsumer]:
        consumer = TolerantConsumer(
            **connection_options(self._settings.kafka, f"rollstream-{self._name}"),
            **reader_options(self._settings),
            group_id=None,
            enable_auto_commit=False,
        )
        # A broker answers the requests of one connection in turn: on the consumer's own, asking for the ends
        # would wait until its fetch is answered, 500 ms when nothing comes.
        probe = make_reader(self._settings, f"rollstream-{self._name}-ends")
        try:
            async with asyncio.timeout(3 * self._settings.kafka.request_timeout_ms / 1000):
                await consumer.start()
                await probe.start()
                if await topics_missing(consumer._client, [self._topic]):
                    raise TransientError(f"{self._topic} does not exist")
                consumer.assign(list(self._next))
                await self._require_same_topic(consumer)
            for partition, position in self._next.items():
                consumer.seek(partition, position)
            self._probe, self._owed = probe, None
            await self.notify()
            yield consumer
        finally:
            self._probe = None
            await close(consumer)
            await close(probe)

    async def _require_same_topic(self, consumer: TolerantConsumer) -> None:
        firsts = await consumer.beginning_offsets(list(self._next))
        ends = await consumer.end_offsets(list(self._next))
        if any(firsts.values()):
            raise StopService(f"the first records are gone from {self._topic}", cause="log_truncated")
        if any(ends[partition] < position for partition, position in self._next.items()):
            raise StopService(f"{self._topic} is shorter than what was read of it", cause="log_truncated")

    async def _read(self, consumer: TolerantConsumer) -> None:
        records = await consumer.poll(timeout_ms=POLL_MS, max_records=POLL_RECORDS)
        self._show_lag(consumer)  # whoever takes them may wait, for a file or for its turn
        if records:
            self._owed = None
        else:
            await self._require_delivery()
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            if record.offset < self._next[partition]:
                raise StopService(f"{self._topic} was made anew", cause="log_truncated")
            if record.fault != "undecodable_batch":
                await self._take(record)
            elif not self._passes_over:
                await self._require_skip(record)
            self._next[partition] = record.following
        # A partition's end may lie above its last record: the end of a transaction has an offset too.
        for partition, position in self._next.items():
            self._next[partition] = max(position, consumer.reached(partition) or 0)
        await self.notify()
        self._show_lag(consumer, moved=bool(records))

    async def _require_skip(self, record: Record) -> None:
        """Return if the batch, which cannot be decoded, is to be passed over; raises StopService if not."""
        stopped = UnreadableRecord(record.place, "a batch that cannot be decoded")
        if self.unreadable is None:
            raise stopped
        await self.unreadable(record, stopped)

    def _show_lag(self, consumer: TolerantConsumer, *, moved: bool = False) -> None:
        if self._metrics is not None:
            highs = {partition: consumer.highwater(partition) or 0 for partition in self._next}
            lag = self._set_lag(highs)
            if moved or lag == 0:
                self._metrics.feed_last_progress.labels(feed=self._name).set_to_current_time()

    async def _require_delivery(self) -> None:
        """A consumer may stay silent for ever after its broker was away (aiokafka #1154): then make another.

        Nothing came for a while although it lay there at the while's beginning. Raises TransientError.
        """
        now = time.monotonic()
        if self._owed is not None and now < self._owed[0] + SILENT_SECONDS:
            return
        if self._owed is not None and self._lag(self._owed[1]):
            raise TransientError(f"nothing comes of {self._topic}")
        self._owed = now, await self._ends()
