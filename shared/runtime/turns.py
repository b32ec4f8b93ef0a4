"""Long work lets the event loop have its turn: heartbeats and health must never wait for a batch."""

import asyncio
import time
from collections.abc import Callable

HELD_SECONDS = 0.01
"""How long work may hold the loop before it asks; what it does between two questions comes on top."""


class Turns:
    """Of one task. To ask is cheap, so ask after each small piece of work."""

    def __init__(self, held_s: float = HELD_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._held = held_s
        self._clock = clock
        self._since = clock()

    async def give(self) -> None:
        """Let all that is ready run once, if this task has held the loop for long enough."""
        if self._clock() - self._since >= self._held:
            await asyncio.sleep(0)
            self._since = self._clock()
