"""`python -m tests.bench.console_queue CONFLICTS`: what a page of the console's queue costs.

On the built store (`python -m tests.kit.engines --fetch`), with so many open conflicts in 1,632 communes and
the indexes that dedup makes. Told is the time of reading a page, rendering left out.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from engines.embedded import locked, run
from services.console.queue import CLASSES, ConflictQueue, Filters
from services.dedup.store import ConflictStore, places
from shared.process.settings import MongoSettings
from shared.store.mongo import InsertOne, Mongo
from tests.kit.engines import real_mongo

PAGES = 200
CASES = (
    ("everywhere, the surest", Filters(), None),
    ("everywhere, the oldest", Filters(order="oldest"), None),
    ("one class", Filters(kind="reported"), None),
    ("an officer of one commune", Filters(), frozenset({"010203"})),
    ("an officer of three provinces, the oldest", Filters(order="oldest"), frozenset({"01", "05", "12"})),
)


def _conflicts(count: int) -> Iterator[dict[str, Any]]:
    dice = random.Random(2026)
    communes = [
        f"{dice.randrange(1, 26):02}{dice.randrange(1, 9):02}{dice.randrange(1, 9):02}" for _ in range(1_631)
    ]
    communes.append("010203")
    for at in range(count):
        commune = dice.choice(communes)
        other = commune if dice.random() < 0.8 else dice.choice(communes)
        kind = dice.choices(CLASSES, (5, 94, 1))[0]
        yield {
            "_id": f"{dice.getrandbits(256):064x}",
            "pair": [
                {"registration_id": f"{side}{at}", "digest": "0" * 64, "commune": each}
                for side, each in (("a", commune), ("b", other))
            ],
            "places": places([commune, other]),
            "status": "open",
            "class": kind,
            "probability": None if kind == "reported" else round(dice.uniform(0.5, 1), 6),
            "found_at": f"2026-{dice.randrange(1, 13):02}-{dice.randrange(1, 28):02}T00:00:00.000Z",
            "evidence": [{"field": "birth_date", "level": "same", "weight": 9.5}] * 7,
        }


async def _measure(mongo: Mongo, count: int) -> None:
    await ConflictStore(mongo).prepare()
    batch: list[InsertOne[dict[str, Any]]] = []
    for each in _conflicts(count):
        batch.append(InsertOne(each))
        if len(batch) == 1_000:
            await mongo.write("conflicts", batch)
            batch = []
    await mongo.write("conflicts", batch)
    queue = ConflictQueue(mongo)
    for name, filters, areas in CASES:
        seconds = []
        after = None
        for _ in range(PAGES):
            began = time.perf_counter()
            _, after = await queue.page(filters, areas, after)
            seconds.append(time.perf_counter() - began)
        seconds.sort()
        began = time.perf_counter()
        await queue.count(filters, areas)
        counted = time.perf_counter() - began
        sys.stdout.write(
            f"{name}: a page p50 {1000 * seconds[PAGES // 2]:.1f} ms, "
            f"p95 {1000 * seconds[PAGES * 95 // 100]:.1f} ms, the count {1000 * counted:.1f} ms\n"
        )


async def _run(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        async with locked(Path(name), True) as lock, AsyncExitStack() as stack:
            engine = real_mongo(Path(name))
            await run(stack, lock, engine)
            settings = MongoSettings(uri=SecretStr(engine.address), timeout_ms=60_000)
            mongo = Mongo(settings, "bench")
            try:
                await _measure(mongo, count)
            finally:
                mongo.close()


def main() -> None:
    """Fill a store, and read pages of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("conflicts", type=int)
    asyncio.run(_run(parser.parse_args().conflicts))


if __name__ == "__main__":
    main()
