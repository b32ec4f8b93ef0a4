"""`python -m tests.kit.slow_dedup wait|no-wait`: dedup with a feed that lags, with or without its barrier."""

import asyncio
import sys
from typing import Any

from services.dedup.app import create_app
from services.dedup.feed import IndexFeed
from shared.process.settings import Settings
from shared.runtime.feed import TopicFeed
from shared.runtime.service import run_service

LAG_SECONDS = 1.0
"""How far the feed is behind: long enough that both halves of a pair are scored before either is in the
other's index, if nobody waits."""


def main(mode: str) -> int:
    read = TopicFeed._read

    async def read_late(self: TopicFeed, consumer: Any) -> None:
        await asyncio.sleep(LAG_SECONDS)
        await read(self, consumer)

    async def no_wait(self: IndexFeed, timeout: float | None = None) -> None:
        await self._feed.wait_for(lambda: self._matching is not None)

    TopicFeed._read = read_late  # type: ignore[method-assign]
    if mode == "no-wait":
        IndexFeed.catch_up = no_wait  # type: ignore[method-assign]
    return run_service(create_app(Settings()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
