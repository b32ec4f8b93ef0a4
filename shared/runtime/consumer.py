"""One group member: batches of raw records to a handler, effects before commits, nothing skipped.

A batch is settled by `handler.handle`: effects, outputs acknowledged, progress stored. Then its offsets are
committed. What fails because a server is away is read again: the batch's partitions are sought back and
paused, and the consumer keeps polling (so that it stays in its group) until the back-off is over. Anything
else that a handler raises stops the process, since going on would skip records.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from shared.process.errors import StopService
from shared.process.health import Health
from shared.process.logging import describe
from shared.process.metrics import Metrics
from shared.process.settings import Settings
from shared.runtime.outages import is_outage, server_of
from shared.runtime.positions import Positions, check_bounds
from shared.runtime.record import Record
from shared.runtime.tolerant import TolerantConsumer

_REBALANCED = (CommitFailedError, IllegalGenerationError, UnknownMemberIdError, RebalanceInProgressError)


class BatchHandler(Protocol):
    """What a service does with records. Only one of its methods runs at a time.

    What must be waited for (servers, reference data, a feed) is said by `TransientError`, after some seconds
    at most: a method that does not return within `progress_timeout_s` counts as a hang.
    """

    async def assigned(self, committed: Mapping[int, int | None]) -> Mapping[int, int]:
        """Partition → the group's committed offset; answers where to start: stored progress, or 0."""

    async def handle(self, batch: Sequence[Record]) -> Sequence[Record] | None:
        """Settle `batch`: offsets ascend within a partition, partitions are mixed.

        Work that takes long is settled in parts: then this answers the records that are left, of each
        partition its last ones, after some seconds. They are read again; what was settled counts as progress.
        """

    async def revoked(self, partitions: Collection[int]) -> None:
        """These partitions are given up; no batch of theirs is in flight, unless it outlasted the drain."""


@dataclass(frozen=True)
class ConsumerSpec:
    """Which topic is consumed, in which group, by what."""

    topic: str
    group: str
    handler: BatchHandler


class GroupMember(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Decides when to poll, what to hand over, what to commit. `fail` is told what must stop the process."""

    def __init__(
        self,
        spec: ConsumerSpec,
        settings: Settings,
        metrics: Metrics,
        health: Health,
        fail: Callable[[StopService], None],
    ) -> None:
        self._spec = spec
        self._runtime = settings.runtime
        self._metrics = metrics
        self._health = health
        self._fail = fail
        self._log = structlog.get_logger().bind(topic=spec.topic, group=spec.group)
        self._consumer: TolerantConsumer | None = None
        self._stopping = asyncio.Event()
        self._free = asyncio.Event()  # set while no handler method runs
        self._free.set()
        self._assignment = 0  # grows with every rebalance
        self._new: set[TopicPartition] = set()  # assigned, their start not known yet
        self._positions = Positions(metrics)
        self._attempt = 0  # how often in a row a server was away
        self._batch_failed = False  # if so, only a batch shows that it is back
        self._resume_at = 0.0

    # What the consumer calls

    def attach(self, consumer: TolerantConsumer) -> None:
        """The consumer that polls for this member."""
        self._consumer = consumer

    async def next_batch(self) -> list[Record]:
        """Poll until there are records for the handler; they count as in flight from here on."""
        consumer = self._require_consumer()
        while not self._stopping.is_set():
            try:
                if (wait := self._resume_at - time.monotonic()) > 0:
                    await consumer.poll(timeout_ms=int(1000 * min(wait, 1)) + 1, max_records=1)
                    continue  # everything is paused, but a member that does not poll leaves its group
                if self._new:
                    await self._start()
                elif self._attempt:
                    await self._commit()
                    consumer.resume(*self._positions.partitions())
                records = await consumer.poll(
                    timeout_ms=self._runtime.batch_timeout_ms, max_records=self._runtime.batch_size
                )
                if not self._batch_failed:
                    self._recovered()
                if records and (batch := self._accept(records)):
                    await self._check_gaps(batch)
                    return batch
            except ConsumerStoppedError:
                raise
            except Exception as error:
                self._settle_failure(error)
                self._free.set()
        await asyncio.Event().wait()  # cancelled when the subscriber stops
        return []

    async def settle(self, batch: Sequence[Record]) -> None:
        """Hand `batch` to the handler and commit it; never raises."""
        self._health.batch_started()
        started, assignment = time.monotonic(), self._assignment
        in_batch = True
        try:
            left = await self._spec.handler.handle(batch) or ()
            in_batch = False
            if assignment == self._assignment:  # else it outlasted a rebalance: whose it is now, redoes it
                self._settled(batch, left)
                self._health.progress()
                await self._commit()
            self._recovered()
        except Exception as error:
            self._settle_failure(error, in_batch=in_batch)
        else:
            self._metrics.batch_records.observe(len(batch))
            self._metrics.batch_seconds.observe(time.monotonic() - started)
            self._metrics.last_progress.set_to_current_time()
        finally:
            self._health.batch_ended()
            self._free.set()

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Wait, bounded, for the batch in flight; heartbeats go on meanwhile."""
        self._log.info("partitions revoked", partitions=sorted(tp.partition for tp in revoked))
        try:
            async with asyncio.timeout(self._runtime.drain_timeout_s):
                await self._free.wait()
        except TimeoutError:
            self._log.warning("a batch outlasted the drain", timeout=self._runtime.drain_timeout_s)
        self._assignment += 1
        self._batch_failed = False
        self._new.clear()
        self._positions.clear()
        self._health.assigned = False
        self._health.unread(0)
        if not revoked:
            return  # the first join
        try:
            await self._spec.handler.revoked([partition.partition for partition in revoked])
        except Exception as error:
            self._settle_failure(error)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Take nothing from the new partitions until the handler has said where to start."""
        self._log.info("partitions assigned", partitions=sorted(tp.partition for tp in assigned))
        self._assignment += 1
        self._new = set(assigned)
        self._require_consumer().pause(*assigned)

    # What the service calls

    async def stop(self) -> None:
        """Take no further batch, and wait for the one in flight. Unbounded: give it a time-out."""
        self._stopping.set()
        await self._free.wait()

    def partitions(self) -> list[TopicPartition]:
        """The partitions whose lag is this process's to tell."""
        return self._positions.partitions()

    def note_ends(self, ends: Mapping[TopicPartition, int]) -> None:
        """What a probe read of the ends of the partitions; sets lag and what waits to be read."""
        self._positions.seen_ends(ends)
        self._health.unread(self._positions.show())

    # How it works

    async def _start(self) -> None:
        """Ask the handler where the new partitions start, check the log's bounds, seek, and read on."""
        consumer = self._require_consumer()
        assignment, new = self._assignment, sorted(self._new)
        self._free.clear()
        self._health.batch_started()  # a handler that hangs here is a hang, too
        try:
            async with asyncio.timeout(self._runtime.commit_timeout_s):
                committed = {partition: await consumer.committed(partition) for partition in new}
                begins = await consumer.beginning_offsets(new)
                ends = await consumer.end_offsets(new)
            by_number = {partition.partition: committed[partition] for partition in new}
            starts = await self._spec.handler.assigned(by_number)
        finally:
            self._health.batch_ended()
            self._free.set()
        if assignment != self._assignment:
            return
        for partition in new:
            start = starts[partition.partition]
            check_bounds(partition, start, begins[partition], ends[partition])
            consumer.seek(partition, start)
            self._positions.begin(partition, start, committed[partition])
        self._new.clear()
        self._log.info("reading", offsets={str(p.partition): starts[p.partition] for p in new})
        self._health.assigned = bool(new)
        self.note_ends(ends)
        await self._commit()
        consumer.resume(*new)

    def _accept(self, records: list[Record]) -> list[Record]:
        """What of `records` is ours to hand over: not what a rebalance has taken away meanwhile."""
        held = self._positions
        batch = [record for record in records if TopicPartition(record.topic, record.partition) in held]
        if batch:
            self._free.clear()
        return batch

    async def _check_gaps(self, batch: Sequence[Record]) -> None:
        """The log goes on where we were, or leaves out what was aborted; else it was replaced or cut."""
        gaps = self._positions.gaps(batch)
        if not gaps:
            return
        async with asyncio.timeout(self._runtime.commit_timeout_s):
            begins = await self._require_consumer().beginning_offsets(list(gaps))
        for partition, first in gaps.items():
            check_bounds(partition, self._positions[partition], begins[partition], first)

    async def _commit(self) -> None:
        """Commit what is settled, if it is above what was committed; a rebalance may have overtaken it."""
        consumer = self._require_consumer()
        held = consumer.assignment()
        if due := self._positions.due(held):
            try:
                async with asyncio.timeout(self._runtime.commit_timeout_s):
                    await consumer.commit(due)
            except _REBALANCED as error:
                self._log.info(
                    "commit overtaken by a rebalance", error=type(error.__cause__ or error).__name__
                )
                return
            self._positions.committed(due)
        self._positions.seen_ends({partition: consumer.highwater(partition) for partition in held})
        self._health.unread(self._positions.show())

    def _settled(self, batch: Sequence[Record], left: Sequence[Record]) -> None:
        """All but what is left is settled; that is to be read again."""
        again = {(record.partition, record.offset) for record in left}
        self._positions.settled(record for record in batch if (record.partition, record.offset) not in again)
        consumer = self._require_consumer()
        held = consumer.assignment()
        for partition in {TopicPartition(record.topic, record.partition) for record in left} & held:
            consumer.seek(partition, self._positions[partition])

    def _recovered(self) -> None:
        if self._attempt == 0:
            return
        self._log.info("recovered", attempt=self._attempt)
        self._attempt, self._batch_failed = 0, False
        self._health.recovered()
        for server in ("kafka", "mongo"):
            self._metrics.waiting.labels(server=server).set(0)

    def _settle_failure(self, error: Exception, *, in_batch: bool = False) -> None:
        """An outage: back to what is not settled, pause, and poll until the next try. All else: stop."""
        if is_outage(error):
            self._back_off(error, in_batch)
            return
        self._stopping.set()
        if isinstance(error, StopService):
            self._fail(error)
        elif isinstance(error, KafkaError):
            self._fail(StopService(f"Kafka refuses: {type(error).__name__}", cause="kafka"))
        else:
            self._log.error("unexpected error", **describe(error))
            self._fail(StopService(f"unexpected {type(error).__name__}", cause="bug"))

    def _back_off(self, error: Exception, in_batch: bool) -> None:
        self._attempt += 1
        delay = min(
            self._runtime.backoff_max_s, self._runtime.backoff_initial_s * 2 ** min(self._attempt - 1, 30)
        )
        self._resume_at = time.monotonic() + delay
        if (server := server_of(error)) is None:
            self._log.warning("not yet", attempt=self._attempt, backoff=delay, reason=str(error))
            self._health.retrying("batch", str(error), delay)
        else:
            self._log.warning("server away", attempt=self._attempt, backoff=delay, **describe(error))
            self._health.retrying(server, type(error).__name__, delay)
            self._metrics.waiting.labels(server=server).set(1)
        consumer = self._require_consumer()
        held = consumer.assignment()
        if in_batch:
            self._batch_failed = True
            self._metrics.batch_retries.inc()
        for partition in self._positions.partitions():
            if partition in held:
                consumer.seek(partition, self._positions[partition])
        consumer.pause(*held)

    def _require_consumer(self) -> Any:
        if self._consumer is None:
            raise RuntimeError("the member has no consumer yet")
        return self._consumer
