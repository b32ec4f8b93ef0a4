"""Keeps the fold up to date: reads all of `roll.commands.v1`, without a group, from offset 0 on."""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable

import structlog

from shared.commands.fold import Message, State, apply, empty
from shared.contracts.topics import Topic
from shared.process.errors import NotYet, StopService
from shared.process.metrics import Metrics
from shared.process.settings import Settings, UnusableSettings, founding_officers
from shared.reference.files import MissingReference, ReferenceStore
from shared.runtime.feed import TopicFeed
from shared.runtime.record import Record


class CommandFeed:
    """`run` in a task of its own; `state` is what was folded so far.

    A broker that is away is waited for. A reference file that a command names and that is not there is waited
    for too, and nothing after that command is folded, but the messages after it are read. A damaged or
    exchanged topic stops the feed: `run`, and every wait, then raise StopService. Raises that at once where
    the settings do not name the officers' file that creates the register.
    """

    name = "commands"

    def __init__(
        self, settings: Settings, references: ReferenceStore, metrics: Metrics | None = None
    ) -> None:
        self._settings = settings
        self._references = references
        self._metrics = metrics
        self._state = empty(settings.register, _founding(settings))
        self._unfolded: deque[Message] = deque()
        self._seen_at: dict[int, float] = {}  # offset → when this process read it, by the monotonic clock
        self._stuck = asyncio.Event()  # what is to be folded next waits for a file
        self._waiting: frozenset[str] = frozenset()  # the kinds of reference data that are waited for
        self._feed = TopicFeed(
            settings, self.name, Topic.COMMANDS.value, 1, self._take, metrics, passes_over=True
        )
        self._feed.done = self._folded

    @property
    def state(self) -> State:
        """The commands folded so far; it grows in place."""
        return self._state

    @property
    def unfolded(self) -> tuple[Message, ...]:
        """What was read and is not folded yet, since something before it waits for a file."""
        return tuple(self._unfolded)

    def seconds_since(self, offset: int) -> float:
        """For how long this process has known the message at `offset`, which it has read."""
        return time.monotonic() - self._seen_at[offset]

    @property
    def topic(self) -> TopicFeed:
        """What follows the topic."""
        return self._feed

    async def run(self) -> None:
        """Read and fold until cancelled. Raises StopService."""
        self._show_waiting()
        tasks = [asyncio.ensure_future(self._feed.run()), asyncio.ensure_future(self._fold_what_is_stuck())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled():
                task.result()

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

    async def wait_for_end(self, timeout: float | None = None) -> State:
        """Return once everything is folded that lies on the topic now.

        Raises TransientError after `timeout` seconds or while no broker answers; StopService.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._feed.wait_for_end()
                last = self._unfolded[-1].offset if self._unfolded else -1
                return await self.wait_for(lambda state: state.next_offset > last)
        except TimeoutError:
            raise NotYet("the commands are behind") from None

    async def wait_until_read(self, timeout: float) -> None:
        """Return once everything is read, folded or not, that lies on the topic now. Raises as above."""
        await self._feed.wait_for_end(timeout)

    def _folded(self) -> int:
        """The first offset that was read and is not folded; without one, no offset is left to fold.

        Not the fold's own next offset: what is no message (a batch that cannot be read, the end of a
        transaction) is never folded.
        """
        return self._unfolded[0].offset if self._unfolded else sys.maxsize

    async def _take(self, record: Record) -> None:
        message = Message.of(record)
        self._unfolded.append(message)
        self._seen_at[message.offset] = time.monotonic()
        if not self._stuck.is_set():
            await self._fold()

    async def _fold(self) -> None:
        """Fold what was read up to the first command whose file is missing."""
        while self._unfolded:
            try:
                apply(self._state, self._unfolded[0], self._references.read)
            except MissingReference as missing:
                self._stuck.set()
                self._feed.waits_for = str(missing)
                self._show_waiting(missing.kind)
                structlog.get_logger().warning(
                    "waiting for a reference file", kind=missing.kind, sha256=missing.sha256
                )
                return
            self._unfolded.popleft()
            self._feed.waits_for = None
            self._show_waiting()
            if self._metrics is not None:
                self._metrics.commands_offset.set(self._state.next_offset)
        self._stuck.clear()
        await self._feed.notify()

    async def _fold_what_is_stuck(self) -> None:
        delay = self._settings.runtime.backoff_initial_s
        while True:
            if not self._stuck.is_set():
                await self._stuck.wait()
                delay = self._settings.runtime.backoff_initial_s
            await asyncio.sleep(delay)
            delay = min(2 * delay, self._settings.runtime.backoff_max_s)
            await self._fold()

    def _show_waiting(self, missing_file: str | None = None) -> None:
        """Kinds of which nothing is adopted yet, and the one whose file is not there."""
        waiting = frozenset[str](self._state.missing_kinds())
        if missing_file is not None:
            waiting |= {missing_file}
        if self._metrics is not None:
            for kind in waiting ^ self._waiting:
                self._metrics.reference_waiting.labels(kind=kind).set(1 if kind in waiting else 0)
        self._waiting = waiting


def _founding(settings: Settings) -> str:
    try:
        return founding_officers(settings)
    except UnusableSettings as error:
        raise StopService(str(error), cause="settings") from None
