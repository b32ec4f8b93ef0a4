"""Keeps the fold up to date: reads all of `roll.commands.v1`, without a group, from offset 0 on."""

import asyncio
from collections.abc import Callable

import structlog

from shared.commands.fold import Message, State, apply, empty
from shared.contracts.topics import Topic
from shared.process.metrics import Metrics
from shared.process.settings import Settings
from shared.reference.files import MissingReference, ReferenceStore
from shared.runtime.feed import TopicFeed
from shared.runtime.record import Record


class CommandFeed:
    """`run` in a task of its own; `state` is what was folded so far.

    A broker that is away is waited for; a reference file that a command names and that is not there is waited
    for too, and nothing after that command is folded. A damaged or exchanged topic stops it: `run`, and every
    wait, then raise StopService.
    """

    name = "commands"

    def __init__(
        self, settings: Settings, references: ReferenceStore, metrics: Metrics | None = None
    ) -> None:
        self._settings = settings
        self._references = references
        self._metrics = metrics
        self._state = empty(settings.register)
        self._waiting: frozenset[str] = frozenset()  # the kinds of reference data that are waited for
        self._feed = TopicFeed(
            settings, self.name, Topic.COMMANDS.value, 1, self._fold, metrics, passes_over=True
        )

    @property
    def state(self) -> State:
        """The commands folded so far; it grows in place."""
        return self._state

    async def run(self) -> None:
        """Read and fold until cancelled. Raises StopService."""
        self._show_waiting()
        await self._feed.run()

    async def ready(self) -> None:
        """Return once each kind of reference data is adopted and all that lies there is folded."""
        await self.wait_for(lambda state: state.ready_for_epoch(1))
        await self.wait_for_end()

    async def wait_for(self, predicate: Callable[[State], bool], timeout: float | None = None) -> State:
        """Return the state as soon as `predicate` holds of it.

        Raises TimeoutError after `timeout` seconds, and StopService if the feed has ended.
        """
        await self._feed.wait_for(lambda: predicate(self._state), timeout)
        return self._state

    async def wait_for_end(self) -> State:
        """Return once everything is folded that lies on the topic now. Raises TransientError, StopService."""
        await self._feed.wait_for_end()
        return self._state

    async def _fold(self, record: Record) -> None:
        message = Message.of_record(record.offset, record.timestamp, record.headers, record.value)
        delay = self._settings.runtime.backoff_initial_s
        while True:
            try:
                apply(self._state, message, self._references.read)
            except MissingReference as missing:
                self._show_waiting(missing.kind)
                structlog.get_logger().warning(
                    "waiting for a reference file", kind=missing.kind, sha256=missing.sha256, backoff=delay
                )
                await asyncio.sleep(delay)
                delay = min(2 * delay, self._settings.runtime.backoff_max_s)
                continue
            self._show_waiting()
            if self._metrics is not None:
                self._metrics.commands_offset.set(self._state.next_offset)
            await self._feed.notify()
            return

    def _show_waiting(self, missing_file: str | None = None) -> None:
        """Kinds of which nothing is adopted yet, and the one whose file is not there."""
        waiting = frozenset[str](self._state.missing_kinds())
        if missing_file is not None:
            waiting |= {missing_file}
        if self._metrics is not None:
            for kind in waiting ^ self._waiting:
                self._metrics.reference_waiting.labels(kind=kind).set(1 if kind in waiting else 0)
        self._waiting = waiting
