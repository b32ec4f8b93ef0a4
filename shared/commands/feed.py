"""Keeps the fold up to date: reads all of `roll.commands.v1`, without a group, from offset 0 on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import structlog
from aiokafka import TopicPartition

from shared.commands.fold import Message, State, apply, empty
from shared.contracts.topics import Topic
from shared.metrics import Metrics
from shared.reference import MissingReference, ReferenceStore
from shared.runtime.clients import connection_options, reader_options
from shared.runtime.errors import StopService, TransientError
from shared.runtime.outages import is_outage
from shared.runtime.record import Record
from shared.runtime.tolerant import TolerantConsumer
from shared.settings import Settings

_PARTITION = TopicPartition(Topic.COMMANDS.value, 0)
_POLL_MS = 500
_POLL_RECORDS = 200


class CommandFeed:
    """`run` in a task of its own; `state` is what was folded so far.

    A broker that is away is waited for; a reference file that a command names and that is not there is waited
    for too, and nothing after that command is folded. A damaged or exchanged topic stops it: `run`, and every
    wait, then raise StopService.
    """

    def __init__(
        self, settings: Settings, references: ReferenceStore, metrics: Metrics | None = None
    ) -> None:
        self._settings = settings
        self._references = references
        self._metrics = metrics
        self._state = empty(settings.register)
        self._position = 0
        self._moved = asyncio.Condition()
        self._consumer: TolerantConsumer | None = None
        self._failure: BaseException | None = None

    @property
    def state(self) -> State:
        """The commands folded so far; it grows in place."""
        return self._state

    async def run(self) -> None:
        """Read and fold until cancelled. Raises StopService."""
        try:
            await self._run()
        except BaseException as error:
            self._failure = error
            raise
        finally:
            async with self._moved:
                self._moved.notify_all()

    async def wait_for(self, predicate: Callable[[State], bool]) -> State:
        """Return the state as soon as `predicate` holds of it. Raises what ended the feed, if it ended."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._failure is not None or predicate(self._state))
        self._raise_failure()
        return self._state

    async def wait_for_end(self) -> State:
        """Return once everything is folded that lies on the topic now. Raises TransientError, StopService."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._failure is not None or self._consumer is not None)
        self._raise_failure()
        consumer = self._consumer
        if consumer is None:
            raise TransientError("the commands topic is out of reach")
        try:
            end = (await consumer.end_offsets([_PARTITION]))[_PARTITION]
        except Exception as error:
            if not is_outage(error):
                raise
            raise TransientError("the commands topic is out of reach") from error
        async with self._moved:
            await self._moved.wait_for(lambda: self._failure is not None or self._position >= end)
        self._raise_failure()
        return self._state

    def _raise_failure(self) -> None:
        if isinstance(self._failure, StopService):
            raise self._failure
        if self._failure is not None:
            raise StopService("the commands feed has ended", cause="commands") from self._failure

    async def _run(self) -> None:
        delay = self._settings.runtime.backoff_initial_s
        while True:
            try:
                async with self._connected() as consumer:
                    while True:
                        await self._read(consumer)
                        delay = self._settings.runtime.backoff_initial_s
            except Exception as error:
                if isinstance(error, StopService) or not is_outage(error):
                    raise
                structlog.get_logger().warning(
                    "commands out of reach", error=type(error).__name__, backoff=delay
                )
            await asyncio.sleep(delay)
            delay = min(2 * delay, self._settings.runtime.backoff_max_s)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[TolerantConsumer]:
        consumer = TolerantConsumer(
            **connection_options(self._settings.kafka, "rollstream-commands"),
            **reader_options(self._settings),
            group_id=None,
            enable_auto_commit=False,
        )
        try:
            await consumer.start()
            if Topic.COMMANDS.value not in await consumer.topics():
                raise TransientError(f"{Topic.COMMANDS.value} does not exist")
            consumer.assign([_PARTITION])
            await self._require_same_topic(consumer)
            consumer.seek(_PARTITION, self._position)
            async with self._moved:
                self._consumer = consumer
                self._moved.notify_all()
            yield consumer
        finally:
            self._consumer = None
            await consumer.stop()

    async def _require_same_topic(self, consumer: TolerantConsumer) -> None:
        first = (await consumer.beginning_offsets([_PARTITION]))[_PARTITION]
        end = (await consumer.end_offsets([_PARTITION]))[_PARTITION]
        if first > 0:
            raise StopService("the first commands are gone from roll.commands.v1", cause="commands")
        if end < self._position:
            raise StopService("roll.commands.v1 is shorter than what was read of it", cause="commands")

    async def _read(self, consumer: TolerantConsumer) -> None:
        for record in await consumer.poll(timeout_ms=_POLL_MS, max_records=_POLL_RECORDS):
            if record.fault not in (None, "headers"):
                raise StopService(
                    f"roll.commands.v1 cannot be read at offset {record.offset}", cause="commands"
                )
            await self._fold(record)
        position = max(self._state.next_offset, await consumer.position(_PARTITION))
        if position != self._position:
            async with self._moved:
                self._position = position
                self._moved.notify_all()
        if self._metrics is not None:
            self._metrics.commands_offset.set(position)
            self._metrics.feed_lag.labels(feed="commands").set(
                max(0, (consumer.highwater(_PARTITION) or position) - position)
            )

    async def _fold(self, record: Record) -> None:
        message = Message.of_record(record.offset, record.timestamp, record.headers, record.value)
        delay = self._settings.runtime.backoff_initial_s
        waiting: str | None = None
        while True:
            try:
                apply(self._state, message, self._references.read)
            except MissingReference as missing:
                waiting = missing.kind
                self._show_waiting(missing.kind, True)
                structlog.get_logger().warning(
                    "waiting for a reference file", kind=missing.kind, sha256=missing.sha256, backoff=delay
                )
                await asyncio.sleep(delay)
                delay = min(2 * delay, self._settings.runtime.backoff_max_s)
                continue
            if waiting is not None:
                self._show_waiting(waiting, False)
            async with self._moved:
                self._moved.notify_all()
            return

    def _show_waiting(self, kind: str, waits: bool) -> None:
        if self._metrics is not None:
            self._metrics.reference_waiting.labels(kind=kind).set(1 if waits else 0)
