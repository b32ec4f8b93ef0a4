"""How long the event loop was held: a task that does nothing but come back."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass


@dataclass(slots=True)
class LoopGaps:
    """The largest time in seconds between two turns of the loop, and how many turns there were."""

    largest: float = 0.0
    turns: int = 0


@asynccontextmanager
async def loop_gaps() -> AsyncIterator[LoopGaps]:
    """Measures while the block runs."""
    gaps = LoopGaps()

    async def come_back() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            gaps.largest, gaps.turns, last = max(gaps.largest, now - last), gaps.turns + 1, now

    task = asyncio.create_task(come_back())
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
            until = time.perf_counter() + held_s
            while time.perf_counter() < until:
                sum(range(1000))
            await asyncio.sleep(0)
    return gaps.largest
