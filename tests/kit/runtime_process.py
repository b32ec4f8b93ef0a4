"""A service in a process of its own: `python -m tests.kit.runtime_process TOPIC GROUP SECONDS`.

Its handler takes SECONDS for a batch and prints a line before and after; `block` holds up the whole process.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Collection, Mapping, Sequence

from shared.process.metrics import Metrics
from shared.process.settings import Settings
from shared.runtime.handler import ConsumerSpec
from shared.runtime.record import Record
from shared.runtime.service import Service, run_service
from shared.store.mongo import Mongo


class Slow:
    def __init__(self, seconds: str) -> None:
        self._seconds = seconds

    async def assigned(self, committed: Mapping[int, int | None]) -> Mapping[int, int]:
        return {partition: offset or 0 for partition, offset in committed.items()}

    async def handle(self, batch: Sequence[Record]) -> None:
        _say(f"begin {len(batch)}")
        if self._seconds == "block":
            time.sleep(3_600)  # noqa: ASYNC251  # what a bug would do
        await asyncio.sleep(float(self._seconds))
        _say(f"end {len(batch)}")

    async def revoked(self, partitions: Collection[int]) -> None:
        _say("revoked")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    topic, group, seconds = sys.argv[1:]
    settings = Settings()
    return run_service(
        Service(
            "try",
            settings,
            consumer=ConsumerSpec(topic, group, Slow(seconds)),
            metrics=Metrics("try"),
            mongo=Mongo(settings.mongo, "try"),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
