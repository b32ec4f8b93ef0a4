"""How long the event loop was held: a task that does nothing but come back.

A gap is the time between two of its turns, or the processor time that this process used meanwhile if that is
less: on a busy machine a process may stand still through no fault of its own.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class LoopGaps:
    """The largest gap so far, in seconds, and how many turns there were."""

    def __init__(self) -> None:
        self.largest = 0.0
        self.turns = 0

    async def run(self, tick_s: float = 0.0) -> None:
        """Come back for ever, after `tick_s` each time, which counts as no gap."""
        clocks = (time.perf_counter, time.process_time)
        last = [clock() for clock in clocks]
        while True:
            await asyncio.sleep(tick_s)
            now = [clock() for clock in clocks]
            wall, busy = (after - before for after, before in zip(now, last, strict=True))
            self.largest = max(self.largest, min(wall - tick_s, busy))
            self.turns += 1
            last = now


@asynccontextmanager
async def loop_gaps() -> AsyncIterator[LoopGaps]:
    """Measures while the block runs."""
    gaps = LoopGaps()
    task = asyncio.create_task(gaps.run())
    await asyncio.sleep(0)
    try:
        yield gaps
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def floor(seconds: float, held_s: float = 0.03) -> float:
    """The largest gap of work that holds the loop for 30 ms at a time: what this machine adds is in it."""
    ends = time.perf_counter() + seconds
    async with loop_gaps() as gaps:
        while time.perf_counter() < ends:
            until = time.process_time() + held_s
            while time.process_time() < until:
                sum(range(1000))
            await asyncio.sleep(0)
    return gaps.largest
