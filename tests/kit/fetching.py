"""The fetcher of the services' consumer without a broker: what answers it is here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.fetch import FetchRequest

from shared.runtime.fetched import Allowance
from shared.runtime.record import Record
from shared.runtime.tolerant import BoundedFetcher

MEBIBYTE = 1024 * 1024


class Broker:
    """Answers fetches from `logs`: partition → batches; never more than the whole batches asked for."""

    def __init__(self, logs: dict[int, bytes], *, whole: bool = True, error_code: int = 0) -> None:
        self.logs = logs
        self.whole = whole
        self.error_code = error_code
        self.refuses = False
        self.damaged_answers = 0
        self.refreshed = False
        self.requests: list[Any] = []
        self.cluster = SimpleNamespace(leader_for_partition=lambda _: 1, broker_metadata=lambda _: object())
        self._loop = asyncio.get_running_loop()
        self._metadata_max_age_ms = 1_000

    def force_metadata_update(self) -> asyncio.Future[None]:
        self.refreshed = True
        return asyncio.get_running_loop().create_future()

    async def send(self, _node: int, request: Any) -> Any:
        if self.refuses:
            raise KafkaConnectionError("refused")
        assert isinstance(request, FetchRequest)
        self.requests.append(request)
        await asyncio.sleep(0.001)
        topics = []
        for topic, partitions in request.topics:
            rows: list[tuple[Any, ...]] = [
                (number, self.error_code, 99, 99, [], self._from(number, offset, most))
                for number, offset, most in partitions
            ]
            topics.append((topic, rows))
        return SimpleNamespace(API_VERSION=4, topics=topics)

    def _from(self, number: int, offset: int, most: int) -> bytes:
        data, at = self.logs.get(number, b""), 0
        while at < len(data):
            size = int.from_bytes(data[at + 8 : at + 12], "big") + 12
            last = int.from_bytes(data[at : at + 8], "big") + int.from_bytes(data[at + 23 : at + 27], "big")
            if last >= offset and self.damaged_answers:
                self.damaged_answers -= 1
                return data[at:-1] + b"\xff"
            if last >= offset:
                return data[at:] if self.whole else data[at : at + most]
            at += size
        return b""


@asynccontextmanager
async def fetching(broker: Broker, partitions: int = 1) -> AsyncIterator[Any]:
    """The fetcher of the services' consumer on partitions of topic `t`, from offset 0."""
    subscription = SubscriptionState()
    fetcher: Any = BoundedFetcher(
        broker, subscription, fetch_max_bytes=16 * MEBIBYTE, max_partition_fetch_bytes=1_000
    )
    fetcher.suspect = {}
    held = [TopicPartition("t", number) for number in range(partitions)]
    subscription.assign_from_user(held)
    for partition in held:
        subscription.seek(partition, 0)
    try:
        yield fetcher
    finally:
        await fetcher.close()


async def take(
    fetcher: Any, records: int = 100, size: int = 16 * MEBIBYTE, timeout: float = 0.3
) -> list[Record]:
    """What one poll gives."""
    taken: list[Record] = await fetcher.take(timeout, Allowance(records, size))
    return taken


async def all_of(fetcher: Any, count: int, within: float = 20, **bounds: Any) -> list[Record]:
    """`count` records, by as many polls as it takes; TimeoutError after `within` seconds."""
    got: list[Record] = []
    async with asyncio.timeout(within):
        while len(got) < count:
            got += await take(fetcher, **bounds)
    return got
