"""A feed on a real broker: what it says of its lag, and how it comes back to life."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from shared.process.metrics import Metrics
from shared.runtime import feed as feeds
from shared.runtime.feed import TopicFeed
from shared.runtime.record import Record
from shared.runtime.tolerant import TolerantConsumer
from tests.kit.raw_records import Raw, raw_batch, send_raw
from tests.kit.runtime_kit import Topic, fresh_topic, quick_settings, until


@contextlib.asynccontextmanager
async def following(feed: TopicFeed) -> AsyncIterator[None]:
    running = asyncio.create_task(feed.run())
    try:
        yield
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def send(topic: Topic, first: int, last: int) -> None:
    values = [Raw(b"%d" % number) for number in range(first, last)]
    await send_raw(topic.client, topic.name, 0, raw_batch(values))


async def test_the_lag_of_a_feed_counts_what_it_has_fetched_and_not_taken(engines: Any) -> None:
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    metrics, taken, file = Metrics("dedup"), [], asyncio.Event()

    async def take(record: Record) -> None:
        if record.value == b"3":
            await file.wait()
        taken.append(record.value)

    def lag() -> float:
        return float(metrics.feed_lag.labels(feed="index")._value.get())

    async with fresh_topic(engines.bootstrap_servers) as topic:
        await send(topic, 0, 10)
        async with following(TopicFeed(settings, "index", topic.name, 1, take, metrics)):
            await until(lambda: len(taken) == 3)
            assert lag() == 10
            file.set()
            await until(lambda: len(taken) == 10)
            await until(lambda: lag() == 0)


async def test_a_broker_that_has_come_back_and_names_no_broker_yet_is_waited_for(
    engines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch_all_metadata, asked, taken = AIOKafkaClient.fetch_all_metadata, list[str](), list[bytes | None]()

    async def told_late(client: AIOKafkaClient) -> Any:
        asked.append(client._client_id)
        if len(asked) == 1:
            raise KafkaError("Unable to get cluster metadata over all known brokers")
        return await fetch_all_metadata(client)

    async def take(record: Record) -> None:
        taken.append(record.value)

    monkeypatch.setattr(AIOKafkaClient, "fetch_all_metadata", told_late)
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    async with fresh_topic(engines.bootstrap_servers) as topic:
        await send(topic, 0, 3)
        asked.clear()
        async with following(TopicFeed(settings, "index", topic.name, 1, take)):
            await until(lambda: len(taken) == 3)
    assert len(asked) == 2


async def test_a_consumer_that_falls_silent_is_replaced_and_nothing_is_lost_or_taken_twice(
    engines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(feeds, "POLL_MS", 50)
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    poll = TolerantConsumer.poll
    started, silent, taken = list[TolerantConsumer](), list[TolerantConsumer](), list[bytes | None]()

    async def muffled(self: TolerantConsumer, **options: Any) -> list[Record]:
        if self not in started:
            started.append(self)
        if self in silent:
            await asyncio.sleep(0.05)
            return []
        return await poll(self, **options)

    async def take(record: Record) -> None:
        taken.append(record.value)

    monkeypatch.setattr(TolerantConsumer, "poll", muffled)
    async with fresh_topic(engines.bootstrap_servers) as topic:
        await send(topic, 0, 5)
        feed = TopicFeed(settings, "index", topic.name, 1, take)
        async with following(feed):
            await feed.wait_for_end(10)
            await asyncio.sleep(2)
            assert len(started) == 1, "one that has nothing to deliver is left alone"
            silent.append(started[0])
            await asyncio.sleep(0.5)  # the poll that was under way is over
            await send(topic, 5, 8)
            await feed.wait_for_end(10)
    assert taken == [b"%d" % number for number in range(8)]
    assert len(started) == 2


async def test_a_feed_outlives_a_broker_that_refuses_connections(fresh_engines: Any) -> None:
    settings = quick_settings(fresh_engines.bootstrap_servers, fresh_engines.mongo_uri)
    taken = list[bytes | None]()

    async def take(record: Record) -> None:
        taken.append(record.value)

    async with fresh_topic(fresh_engines.bootstrap_servers) as topic:
        await send(topic, 0, 3)
        feed = TopicFeed(settings, "commands", topic.name, 1, take)
        running = asyncio.create_task(feed.run())
        try:
            await feed.wait_for_end(10)
            await fresh_engines.kafka.stop()
            await asyncio.sleep(4)  # several tries, each of which stops its consumers
            assert not running.done(), "the feed has ended"
            await fresh_engines.kafka.start()
            await send(topic, 3, 5)
            await until(lambda: len(taken) == 5, timeout=30)
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
    assert taken == [b"%d" % number for number in range(5)]
