"""`python -m tests.bench.wire`: for how long the largest batches hold the event loop.

Each is opened five times by the services' own consumer, without a broker: 64 MiB of records, one record of
60 MiB, and one record that is nothing but 32 million empty headers, as it is and in zstd.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Sequence

from aiokafka.codec import zstd_encode

from tests.kit.fetching import MEBIBYTE, Broker, all_of, fetching
from tests.kit.loop_monitor import loop_gaps
from tests.kit.raw_records import Raw, raw_batch, raw_body

RUNS = 5
_HEADERS = 32 * MEBIBYTE - 2_000


def _empty_headers() -> Sequence[Raw]:
    return [Raw(b"v", raw_headers=b"\x00\x01" * _HEADERS, header_count=_HEADERS)]


async def measured(batch: bytes, records: int) -> tuple[float, float]:
    """The longest hold and the whole time of one opening, in seconds."""
    async with fetching(Broker({0: batch})) as fetcher, loop_gaps() as gaps:
        started = time.perf_counter()
        await all_of(fetcher, records, within=100)
        return gaps.largest, time.perf_counter() - started


def main() -> int:
    """Print the medians."""
    compressed = zstd_encode(raw_body(_empty_headers()))
    batches = {
        "1,000 records of 64 kB": (raw_batch([Raw(os.urandom(64_000)) for _ in range(1_000)]), 1_000),
        "one record of 60 MiB": (raw_batch([Raw(os.urandom(60 * MEBIBYTE))]), 1),
        "32 million empty headers": (raw_batch(_empty_headers()), 1),
        "the same in zstd": (
            raw_batch([Raw(b"v")], codec=4, payload=compressed),
            1,
        ),
    }
    for name, (batch, records) in batches.items():
        runs = [asyncio.run(measured(batch, records)) for _ in range(RUNS)]
        held, whole = (statistics.median(each) for each in zip(*runs, strict=True))
        sys.stdout.write(f"{name:26} {len(batch):>10,} bytes: held {held * 1000:.0f} ms of {whole:.2f} s\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
