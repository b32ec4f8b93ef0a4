"""A consumer that also delivers what aiokafka cannot read, within bounds, and that stops when it is told to.

aiokafka's fetcher decompresses without a limit, skips a record that is larger than a fetch, raises at every
poll for ever over a header name that is not UTF-8, and lets a CancelledError out of `close()` while it pauses
between two tries: whoever stops a consumer whose broker refuses connections is cancelled by it. Here
the fetcher keeps what came as bytes and opens one batch at a time (`batches.py`), as it is asked for.

A batch whose checksum is wrong, fetched twice, is damage in the broker's log and nobody's message: it stops
the service.

This module alone touches aiokafka's privates (0.14); its tests tell when an upgrade moves them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import Fetcher, FetchError, OffsetResetStrategy
from aiokafka.errors import (
    ConsumerStoppedError,
    KafkaConnectionError,
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    NotLeaderForPartitionError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest

from shared.contracts.topics import BATCH_BYTES_LIMIT
from shared.process.errors import StopService
from shared.process.warn import warn
from shared.runtime.batches import (
    ORDINARY_BYTES,
    QUICK_BYTES,
    Damaged,
    TooLargeNow,
)
from shared.runtime.fetched import Allowance, Fetched
from shared.runtime.one_batch import whole
from shared.runtime.record import Record
from shared.runtime.turns import Turns

# The embedded broker answers at once that there is nothing, instead of waiting for `fetch_max_wait_ms`: asked
# again and again it had each consumer fetch 770 times a second. Apache Kafka waits by itself.
_LEAST_EMPTY_FETCH_S = 0.02


class TolerantConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """`AIOKafkaConsumer` whose `poll` gives `Record`s, readable or not."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._bounded: Any = None
        super().__init__(*args, **options)

    @property
    def _fetcher(self) -> Any:
        return self._bounded

    @_fetcher.setter
    def _fetcher(self, fetcher: Any) -> None:
        # `start` makes a Fetcher by name; its task has not run yet.
        if fetcher is not None:
            fetcher.__class__ = BoundedFetcher
            fetcher.suspect = {}
        self._bounded = fetcher

    async def poll(self, *, timeout_ms: int, max_records: int) -> list[Record]:
        """Records of any partitions, at most `max_records` and `fetch_max_bytes`; waits at most `timeout_ms`
        for the first.

        Raises a `KafkaError` if the group or the brokers fail, `StopService` if the log itself is damaged.
        """
        if self._closed:
            raise ConsumerStoppedError
        self._coordinator.check_errors()
        if self._bounded.error_future.done():
            raise KafkaConnectionError("the fetcher has ended")  # without this it would be silent for ever
        with self._subscription.fetch_context():
            allowance = Allowance(max_records, self._fetch_max_bytes)
            records: list[Record] = await self._bounded.take(timeout_ms / 1000, allowance)
        return records

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Record]]:
        """What `poll` gives of all assigned partitions, by partition, in aiokafka's form."""
        if partitions:
            raise NotImplementedError("all assigned partitions are read")
        found: dict[TopicPartition, list[Record]] = {}
        for record in await self.poll(timeout_ms=timeout_ms, max_records=max_records or 500):
            found.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
        return found

    def reached(self, partition: TopicPartition) -> int | None:
        """The next offset of `partition` to come out of `poll`; None if it is not known."""
        subscription = self._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        state = assignment.state_value(partition) if assignment is not None else None
        return int(state.position) if state is not None and state.has_valid_position else None


class BoundedFetcher(Fetcher):  # type: ignore[misc]  # aiokafka has no types
    """Keeps what a fetch brought as bytes, opened batch by batch. `suspect`: where a checksum failed."""

    suspect: dict[TopicPartition, int]

    async def close(self) -> None:
        """End every task; whatever they end with, the caller goes on."""
        self._closed = True
        tasks = [self._fetch_task, *self._pending_tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for waiter in list(self._fetch_waiters):
            self._notify(waiter)

    async def take(self, timeout: float, allowance: Allowance) -> list[Record]:
        """What is ready, or becomes ready within `timeout` seconds, of all partitions in turn."""
        ends = time.monotonic() + timeout
        while True:
            if self._subscriptions.reassignment_in_progress:
                waiter = self._subscriptions.wait_for_assignment()
            else:
                if records := await self._take_ready(allowance):
                    return records
                waiter = self._create_fetch_waiter()
            left = ends - time.monotonic()
            done, _ = await asyncio.wait([waiter], timeout=max(0, left))
            if not done or self._closed:
                waiter.cancel()
                return []
            waiter.result()  # raises what the coordinator met

    async def _take_ready(self, allowance: Allowance) -> list[Record]:
        """Of each partition a like share first, so that all move with every poll, then what is left.

        While batches are opened, partitions may be given up or sought elsewhere. So nothing is taken before
        all is ready, and then all at once.
        """
        share = -(-allowance.records // max(1, len(self._records)))
        while not allowance.spent and await self._prepare_round(allowance, share):
            pass
        records: list[Record] = []
        for partition, fetched in list(self._records.items()):
            if isinstance(fetched, Fetched):
                records += self._take(partition, fetched)
                if fetched.has_more():
                    continue
            elif records:
                continue  # told at the next poll
            del self._records[partition]
            self._notify(self._wait_consume_future)
            if isinstance(fetched, FetchError):
                fetched.check_raise()
        return records

    async def _prepare_round(self, allowance: Allowance, share: int) -> bool:
        """Whether any partition has more records ready than before."""
        more = False
        for partition, fetched in list(self._records.items()):
            if allowance.spent:
                break
            if isinstance(fetched, Fetched):
                before = fetched.ready
                await self._prepare(fetched, allowance, share)
                more |= fetched.ready > before
                if self._records.get(partition) is fetched:
                    self._records.move_to_end(partition)  # the others come first next time
        return more

    async def _prepare(self, fetched: Fetched, allowance: Allowance, share: int) -> None:
        """Make `share` more records ready.

        What is small is opened here, in turns with others; what is not, in a thread: one record of 64 MiB of
        empty headers takes 15 s to read.
        """
        turns, until = Turns(), fetched.ready + share
        while fetched.ready < until and not allowance.spent:
            large = any(
                each.large
                for each in self._records.values()
                if isinstance(each, Fetched) and each is not fetched
            )
            try:
                if not await self._prepare_batch(fetched, allowance, until, may_be_large=not large):
                    return
            except TooLargeNow:
                return
            await turns.give()

    async def _prepare_batch(
        self, fetched: Fetched, allowance: Allowance, until: int, *, may_be_large: bool
    ) -> bool:
        most = until - fetched.ready
        if not fetched.large:
            with contextlib.suppress(TooLargeNow):
                return fetched.prepare(allowance, most, QUICK_BYTES)
        largest = BATCH_BYTES_LIMIT if may_be_large else ORDINARY_BYTES
        try:
            return await asyncio.to_thread(fetched.prepare, allowance, most, largest)
        except asyncio.CancelledError:
            # The thread goes on with it: nobody else may. It is fetched again.
            for partition, each in list(self._records.items()):
                if each is fetched:
                    del self._records[partition]
                    self._notify(self._wait_consume_future)
            raise

    def _take(self, partition: TopicPartition, fetched: Fetched) -> list[Record]:
        try:
            return fetched.take()
        except Damaged:
            offset = fetched.damaged()
            if self.suspect.get(partition) == offset:
                raise StopService(
                    f"the log of {partition.topic}-{partition.partition} is damaged at offset {offset}",
                    cause="corrupt",
                ) from None
            self.suspect[partition] = offset
            return []

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: FetchRequest) -> bool:
        """Send a fetch and keep the answer; whether it brought anything."""
        started = time.monotonic()
        try:
            new_data = await self._fetch(assignment, node_id, request)
            if not new_data and (early := _LEAST_EMPTY_FETCH_S - (time.monotonic() - started)) > 0:
                await asyncio.sleep(early)
        except asyncio.CancelledError:
            return False  # closed, or the partitions are gone
        return new_data

    async def _fetch(self, assignment: Any, node_id: int, request: FetchRequest) -> bool:
        try:
            response = await self._client.send(node_id, request)
        except KafkaError as failure:
            warn("fetch failed", error=type(failure).__name__)
            await asyncio.sleep(self._retry_backoff)
            return False
        asked = {
            TopicPartition(topic, number): offset
            for topic, partitions in request.topics
            for number, offset, _ in partitions
        }
        new_data = False
        for topic, partitions in response.topics:
            for number, error_code, end, *rest in partitions:
                partition = TopicPartition(topic, number)
                if not assignment.active:
                    return new_data
                state = assignment.state_value(partition)
                if not state.has_valid_position or state.position != asked[partition]:
                    continue  # it was sought elsewhere meanwhile
                if (error := for_code(error_code)) is not NoError:
                    new_data |= self._note_error(partition, state, error)
                    continue
                state.highwater, state.timestamp = end, int(1000 * time.time())
                new_data |= await self._keep(assignment, node_id, partition, asked[partition], rest[-1])
        return new_data

    async def _keep(
        self, assignment: Any, node_id: int, partition: TopicPartition, offset: int, data: bytes
    ) -> bool:
        if not data:
            return False
        try:
            data = await whole(self._client, node_id, partition, offset, data)
        except KafkaError:
            return False  # it is asked for again
        except Damaged:
            data = b""
        if not assignment.active or assignment.state_value(partition).position != offset:
            return False
        if data:
            self._records[partition] = Fetched(partition, data, offset, assignment, self._prefetch_backoff)
        else:
            damage = StopService(
                f"no whole record of {partition.topic}-{partition.partition} comes at offset {offset}",
                cause="corrupt",
            )
            self._set_error(partition, damage)
        return True

    def _note_error(self, partition: TopicPartition, state: Any, error: type[KafkaError]) -> bool:
        """Whether a poll is to be woken, to raise it."""
        if error is OffsetOutOfRangeError:
            # Where reading went on then is compared with the stored progress before anything is settled.
            state.await_reset(OffsetResetStrategy.EARLIEST)
        elif error in (NotLeaderForPartitionError, UnknownTopicOrPartitionError, LeaderNotAvailableError):
            self._client.force_metadata_update()
        elif error is TopicAuthorizationFailedError:
            self._set_error(partition, error(partition.topic))
            return True
        warn("fetch refused", topic=partition.topic, partition=partition.partition, error=error.__name__)
        return False
