"""One group member: batches of raw records to a handler, effects before commits, nothing skipped.

A batch is settled by `handler.handle`: effects, outputs acknowledged, progress stored. Then its offsets are
committed. What fails because a server is away is read again: the batch's partitions are sought back and
paused, and the consumer keeps polling (so that it stays in its group) until the back-off is over. Anything
else that a handler raises stops the process, since going on would skip records. What to do next is decided by
`member_state.py`; here it is done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

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

from shared.process.errors import ReferenceAway, StopService
from shared.process.health import Health
from shared.process.logging import describe
from shared.process.metrics import Metrics
from shared.process.settings import Settings
from shared.runtime.cancellation import only_ours
from shared.runtime.handler import ConsumerSpec
from shared.runtime.member_state import Begin, Flight, MemberState, Read, Rest, Resume
from shared.runtime.outages import is_outage, refused, server_of
from shared.runtime.positions import Lag, check_bounds
from shared.runtime.record import Record
from shared.runtime.tolerant import TolerantConsumer

_CANCEL_SECONDS = 5.0
"""How long a batch that was cancelled may take to end."""

_REBALANCED = (CommitFailedError, IllegalGenerationError, UnknownMemberIdError, RebalanceInProgressError)


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
        self._settings = settings
        self._runtime = settings.runtime
        self._metrics = metrics
        self._health = health
        self._fail = fail
        self._log = structlog.get_logger().bind(topic=spec.topic, group=spec.group)
        self._consumer: TolerantConsumer | None = None
        self._stopping = asyncio.Event()
        self._free = asyncio.Event()  # set while no handler method runs, and nothing waits for one
        self._free.set()
        self._state = MemberState(settings.runtime.backoff_initial_s, settings.runtime.backoff_max_s)
        self._lag = Lag(metrics, health)
        self._flight = Flight(0, ())
        self._handling: asyncio.Task[Sequence[Record] | None] | None = None

    # What the consumer calls

    def attach(self, consumer: TolerantConsumer) -> None:
        """The consumer that polls for this member."""
        self._consumer = consumer

    async def next_batch(self) -> list[Record]:
        """Poll until there are records for the handler; they count as in flight from here on."""
        while not self._stopping.is_set():
            try:
                self._health.began("poll")  # a loop that has ended is missed even when there is no work
                with only_ours():
                    if batch := await self._do_next():
                        self._health.ended("poll")
                        return batch
            except ConsumerStoppedError:
                raise
            except Exception as error:
                self._free.set()
                self._failed(error)
        await asyncio.Event().wait()  # cancelled when the subscriber stops
        return []

    async def settle(self, batch: Sequence[Record]) -> None:
        """Hand `batch`, the one in flight, to the handler and commit it; raises CancelledError only."""
        flight, started = self._flight, time.monotonic()
        self._health.began("batch")
        in_batch = True
        try:
            with only_ours():
                left = await self._handle(batch) if flight.assignment == self._state.assignment else None
                if left is not None:
                    in_batch = False
                    if self._state.settled(flight, left):
                        if left:
                            self._seek_back()
                        await self._commit()
                    self._recovered()
        except Exception as error:
            if self._state.assignment == flight.assignment or not is_outage(error):
                self._failed(error, in_batch=in_batch)
        else:
            self._metrics.batch_records.observe(len(batch))
            self._metrics.batch_seconds.observe(time.monotonic() - started)
            self._metrics.last_progress.set_to_current_time()
        finally:
            self._health.ended("batch")
            self._free.set()

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Wait, bounded, for the batch in flight, and cancel it then; heartbeats go on meanwhile."""
        self._log.info("partitions revoked", partitions=sorted(tp.partition for tp in revoked))
        self._health.began("rebalance")
        self._health.assigned = False
        if not await self._drained(self._runtime.drain_timeout_s):
            self._log.warning("a batch outlasted the drain", timeout=self._runtime.drain_timeout_s)
            if self._handling is not None:
                self._handling.cancel()
            if not await self._drained(_CANCEL_SECONDS):
                # It would write on, although others settle its records by now.
                self._fail(StopService("a batch outlasts its rebalance and cannot be cancelled", cause="bug"))
        self._state.revoked()
        self._show()
        if not revoked:
            return  # the first join
        try:
            with only_ours():
                await self._spec.handler.revoked([partition.partition for partition in revoked])
        except Exception as error:
            self._failed(error)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Take nothing from the new partitions until the handler has said where to start."""
        self._log.info("partitions assigned", partitions=sorted(tp.partition for tp in assigned))
        self._health.ended("rebalance")
        self._state.assigned(assigned)
        self._require_consumer().pause(*assigned)

    # What the service calls

    async def stop(self) -> None:
        """Take no further batch, and wait for the one in flight. Unbounded: give it a time-out."""
        self._stopping.set()
        await self._free.wait()

    def partitions(self) -> list[TopicPartition]:
        """The partitions whose lag is this process's to tell."""
        return list(self._state.positions())

    def note_ends(self, ends: Mapping[TopicPartition, int]) -> None:
        """What a probe read of the ends of the partitions; sets lag and what waits to be read."""
        self._lag.seen_ends(ends)
        self._show()

    # How it works

    async def _do_next(self) -> list[Record]:
        """One step; answers the records to hand over, if there are any."""
        match self._state.next_step(time.monotonic()):
            case Rest(seconds):
                # A member that does not poll leaves its group. Everything is paused; what comes all the same
                # is sought back.
                if await self._poll(int(1000 * min(seconds, 1)) + 1, 1):
                    self._seek_back()
            case Begin(partitions):
                await self._begin(partitions)
            case Resume():
                await self._commit()
                self._resume(self.partitions())
                self._state.resumed()
            case Read():
                return await self._read()
        return []

    async def _begin(self, new: Sequence[TopicPartition]) -> None:
        """Ask the handler where the new partitions start, check the log's bounds, seek, and read on."""
        consumer, assignment = self._require_consumer(), self._state.assignment
        self._free.clear()
        self._health.began("start")  # a handler that hangs here is a hang, too
        try:
            async with asyncio.timeout(self._runtime.commit_timeout_s):
                committed = {partition: await consumer.committed(partition) for partition in new}
                begins = await consumer.beginning_offsets(new)
                ends = await consumer.end_offsets(new)
            by_number = {partition.partition: committed[partition] for partition in new}
            starts = await self._spec.handler.assigned(by_number)
        finally:
            self._health.ended("start")
            self._free.set()
        for partition in new:
            check_bounds(partition, starts[partition.partition], begins[partition], ends[partition])
        begun = {each: (starts[each.partition], committed[each]) for each in new}
        if not self._state.begun(assignment, begun):
            return
        self._log.info("reading", offsets={str(p.partition): starts[p.partition] for p in new})
        self._health.assigned = bool(new)
        self._seek_back()
        self.note_ends(ends)
        await self._commit()
        self._resume(new)

    async def _read(self) -> list[Record]:
        records = await self._poll(self._runtime.batch_timeout_ms, self._runtime.batch_size)
        self._recovered()
        flight, jumps = self._state.take(records, self._reached())
        if jumps:
            await self._pass_over(flight, jumps)
        if not flight.records or flight.assignment != self._state.assignment:
            return []
        self._flight = flight
        self._free.clear()
        return list(flight.records)

    def _reached(self) -> dict[TopicPartition, int]:
        found = {each: self._require_consumer().reached(each) for each in self._state.positions()}
        return {each: at for each, at in found.items() if at is not None}

    async def _poll(self, timeout_ms: int, max_records: int) -> list[Record]:
        consumer = self._require_consumer()
        records: list[Record] = await consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
        return records

    async def _pass_over(self, flight: Flight, jumps: Mapping[TopicPartition, int]) -> None:
        """The log leaves out what has no record, such as the end of a transaction, or was replaced or cut."""
        async with asyncio.timeout(self._runtime.commit_timeout_s):
            begins = await self._require_consumer().beginning_offsets(list(jumps))
        positions = self._state.positions()
        for partition, at in jumps.items():
            if partition in positions:
                check_bounds(partition, positions[partition], begins[partition], at)
        self._state.passed_over(flight, jumps)

    async def _handle(self, batch: Sequence[Record]) -> Sequence[Record] | None:
        """What the handler has left of `batch`; None if it was cancelled, since it outlasted a drain."""
        self._handling = asyncio.create_task(self._spec.handler.handle(batch), name="batch")
        try:
            return await self._handling or ()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                self._handling.cancel()
                raise
            if self._flight.assignment == self._state.assignment and not self._handling.cancelling():
                raise  # nobody asked for it
            self._log.warning("a batch was given up")
            return None
        finally:
            self._handling = None

    async def _drained(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._free.wait()
        except TimeoutError:
            return False
        return True

    async def _commit(self) -> None:
        """Commit what is settled, if it is above what was committed; a rebalance may have overtaken it."""
        consumer, assignment = self._require_consumer(), self._state.assignment
        held = consumer.assignment()
        if due := self._state.due(held):
            try:
                async with asyncio.timeout(self._runtime.commit_timeout_s):
                    await consumer.commit(due)
            except _REBALANCED as error:
                self._log.info(
                    "commit overtaken by a rebalance", error=type(error.__cause__ or error).__name__
                )
                return
            self._state.committed(assignment, due)
        self._lag.seen_ends({partition: consumer.highwater(partition) for partition in held})
        self._show()

    def _resume(self, partitions: Collection[TopicPartition]) -> None:
        """Read on: only what is held still, since a rebalance may have come while something was awaited."""
        consumer = self._require_consumer()
        consumer.resume(*(set(partitions) & consumer.assignment()))

    def _seek_back(self) -> None:
        """Read from the next offset to settle in each partition that is held."""
        consumer = self._require_consumer()
        held = consumer.assignment()
        for partition, position in self._state.positions().items():
            if partition in held and consumer.reached(partition) != position:
                consumer.seek(partition, position)

    def _show(self) -> None:
        self._lag.show(self._state.positions(), self._state.committed_offsets())

    def _recovered(self) -> bool:
        if not self._state.recovered():
            return False
        self._log.info("recovered")
        self._health.recovered()
        for server in ("kafka", "mongo"):
            self._metrics.waiting.labels(server=server).set(0)
        return True

    def _failed(self, error: Exception, *, in_batch: bool = False) -> None:
        """An outage: back to what is not settled, pause, and poll until the next try. All else: stop."""
        if is_outage(error):
            self._back_off(error, in_batch)
            return
        self._stopping.set()
        if isinstance(error, StopService):
            self._fail(error)
        elif (refusing := refused(error, self._settings)) is not None:
            self._fail(refusing)
        elif isinstance(error, KafkaError):
            self._fail(StopService(f"Kafka refuses: {type(error).__name__}", cause="kafka"))
        else:
            self._log.error("unexpected error", **describe(error))
            self._fail(StopService(f"unexpected {type(error).__name__}", cause="bug"))

    def _back_off(self, error: Exception, in_batch: bool) -> None:
        delay = self._state.failed(time.monotonic(), in_batch=in_batch)
        attempt = self._state.attempt
        if (server := server_of(error)) is None:
            self._log.warning("not yet", attempt=attempt, backoff=delay, reason=str(error))
            self._health.not_yet(str(error), reference=isinstance(error, ReferenceAway))
        else:
            self._log.warning("server away", attempt=attempt, backoff=delay, **describe(error))
            self._health.retrying(server, type(error).__name__, delay)
            self._metrics.waiting.labels(server=server).set(1)
        if in_batch:
            self._metrics.batch_retries.inc()
        consumer = self._require_consumer()
        self._seek_back()
        consumer.pause(*consumer.assignment())

    def _require_consumer(self) -> Any:
        if self._consumer is None:
            raise RuntimeError("the member has no consumer yet")
        return self._consumer
