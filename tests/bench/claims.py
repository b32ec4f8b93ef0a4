"""`python -m tests.bench.claims PEOPLE CROWD`: what the open claims of a `finalised` cost the publisher.

Of PEOPLE registrations each CROWD are claimed to be one person, each with each, and nothing is decided.
"""

import argparse
import asyncio
import sys
import time
from datetime import date
from pathlib import Path

from services.publisher.claims import CurrentClaims
from services.publisher.compile import rule_and_let_go
from tests.kit.loop_monitor import loop_gaps
from tests.kit.many_claims import ManyClaims

DAY = date(2027, 6, 6)


def _rss_kib(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


async def _measure(people: int, crowd: int) -> None:
    store = ManyClaims(people, crowd)
    before, started = _rss_kib("VmRSS"), time.monotonic()
    claims = CurrentClaims({})
    async with loop_gaps() as gaps:
        await claims.read(store, 1)
        read = time.monotonic()
        in_reading = gaps.largest
        pairs = sum(1 for _ in claims)
        await asyncio.sleep(0.01)  # counting the pairs is no part of the work
        gaps.largest = 0.0
        ruling = await asyncio.to_thread(rule_and_let_go, claims, {}, DAY, "hold_later")
        ruled = time.monotonic()
    sys.stdout.write(
        f"{pairs:,} pairs of {people:,} registrations, {len(ruling.held):,} held: "
        f"{(_rss_kib('VmHWM') - before) / 1024:.0f} MiB more, read in {read - started:.1f} s, "
        f"ruled in {ruled - read:.1f} s, loop held for {1000 * in_reading:.0f} ms at most while reading, "
        f"{1000 * gaps.largest:.0f} ms while ruling\n"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", type=int)
    parser.add_argument("crowd", type=int)
    arguments = parser.parse_args()
    asyncio.run(_measure(arguments.people, arguments.crowd))
