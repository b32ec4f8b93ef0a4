"""The life of a service: how it starts, what it says of itself, how it shares work and how it stops."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiokafka.admin import NewTopic

from engines import guard
from shared.process.errors import StopService, TransientError
from shared.process.settings import Settings
from shared.runtime.record import Record
from shared.store.mongo import Mongo
from shared.store.progress import COLLECTION, ProgressStore
from tests.kit.raw_records import Raw, raw_batch, send_raw
from tests.kit.runtime_kit import (
    Proxy,
    Remembers,
    Topic,
    fresh_topic,
    quick_settings,
    running,
    settled_to,
    until,
)


def _numbers(first: int, last: int) -> bytes:
    return raw_batch([Raw(b"%d" % number) for number in range(first, last)])


async def _proxy_of(address: str) -> Proxy:
    parts = urlsplit(address if "//" in address else f"//{address}")
    return Proxy(parts.hostname or "127.0.0.1", parts.port or 0)


async def test_a_hung_handler_turns_live_to_503_within_the_bound(engines: Any) -> None:
    async def act(_batch: Sequence[Record]) -> None:
        await asyncio.sleep(3_600)

    settings = quick_settings(
        engines.bootstrap_servers, engines.mongo_uri, progress_timeout_s=1, stop_timeout_s=1
    )
    async with (
        fresh_topic(engines.bootstrap_servers) as topic,
        running(settings, topic.name, topic.group, Remembers(act)) as service,
    ):
        await until(lambda: service.run._health.assigned)
        assert (await service.get("/health/live"))[0] == 200
        await send_raw(topic.client, topic.name, 0, _numbers(0, 1))
        began = time.monotonic()
        await until(lambda: _is(service, "/health/live", 503))
        assert 0.9 < time.monotonic() - began < 3
        assert (await service.get("/health/ready"))[0] == 503
        service.run.stop()
        assert await service.exit_code() == 1, "it cannot have stopped cleanly"


async def test_a_handler_that_hangs_after_a_server_was_away_is_a_hang_too(engines: Any) -> None:
    tries = 0

    async def act(_batch: Sequence[Record]) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise TransientError("away")
        await asyncio.sleep(3_600)

    settings = quick_settings(
        engines.bootstrap_servers, engines.mongo_uri, progress_timeout_s=1, stop_timeout_s=0.5
    )
    async with (
        fresh_topic(engines.bootstrap_servers) as topic,
        running(settings, topic.name, topic.group, Remembers(act)) as service,
    ):
        await send_raw(topic.client, topic.name, 0, _numbers(0, 1))
        await until(lambda: tries == 3)
        await asyncio.sleep(2 * settings.runtime.probe_interval_s)
        assert (await service.get("/health/live"))[0] == 200
        assert (await service.get("/health/ready"))[0] == 503
        assert service.metrics.waiting.labels(server="kafka")._value.get() == 1, "it has not recovered yet"
        await until(lambda: _is(service, "/health/live", 503), timeout=3)


async def test_a_handler_that_hangs_when_it_gets_partitions_is_a_hang_too(engines: Any) -> None:
    class Hangs(Remembers):
        async def assigned(self, committed: Mapping[int, int | None]) -> Mapping[int, int]:
            await asyncio.sleep(3_600)
            return {}

    settings = quick_settings(
        engines.bootstrap_servers, engines.mongo_uri, progress_timeout_s=0.5, stop_timeout_s=0.5
    )
    async with (
        fresh_topic(engines.bootstrap_servers) as topic,
        running(settings, topic.name, topic.group, Hangs()) as service,
    ):
        await until(lambda: _is(service, "/health/live", 503), timeout=5)


async def test_an_idle_service_stays_live_and_ready(engines: Any) -> None:
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri, progress_timeout_s=0.5)
    async with (
        fresh_topic(engines.bootstrap_servers) as topic,
        running(settings, topic.name, topic.group, Remembers()) as service,
    ):
        await until(lambda: _is(service, "/health/ready", 200))
        for _ in range(20):
            assert (await service.get("/health/live"))[0] == 200
            assert (await service.get("/health/ready"))[0] == 200
            await asyncio.sleep(0.1)
        assert (await service.get("/metrics"))[0] == 200
        assert (await service.get("/metrics/"))[0] == 404


async def test_an_outage_of_the_store_stays_alive_but_not_ready_and_heals(engines: Any) -> None:
    proxy = await _proxy_of(engines.mongo_uri)
    await proxy.up()
    uri = f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true"
    settings = quick_settings(engines.bootstrap_servers, uri, progress_timeout_s=1)
    store = Mongo(settings.mongo, "handler")

    async def act(_batch: Sequence[Record]) -> None:
        await store.ping()

    handler = Remembers(act)
    async with (
        fresh_topic(engines.bootstrap_servers) as topic,
        running(settings, topic.name, topic.group, handler) as service,
    ):
        await until(lambda: _is(service, "/health/ready", 200))
        await proxy.down()
        await send_raw(topic.client, topic.name, 0, _numbers(0, 5))
        await until(lambda: _is(service, "/health/ready", 503))
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            assert (await service.get("/health/live"))[0] == 200
            assert (await service.get("/health/ready"))[0] == 503
            await asyncio.sleep(0.1)
        assert service.metrics.waiting.labels(server="mongo")._value.get() == 1
        assert handler.got == []
        await proxy.up()
        await until(lambda: settled_to(topic, 5))
        await until(lambda: _is(service, "/health/ready", 200))
        assert len(handler.got) == 5
    store.close()
    await proxy.down()


async def test_servers_that_are_away_at_the_start_are_waited_for_alive_but_not_ready(engines: Any) -> None:
    kafka, mongo = await _proxy_of(engines.bootstrap_servers), await _proxy_of(engines.mongo_uri)
    for proxy in (kafka, mongo):
        await proxy.up()
        await proxy.down()
    uri = f"mongodb://127.0.0.1:{mongo.port}/?directConnection=true"
    settings = quick_settings(f"127.0.0.1:{kafka.port}", uri, progress_timeout_s=0.3)
    handler = Remembers()
    async with fresh_topic(engines.bootstrap_servers) as topic:
        await send_raw(topic.client, topic.name, 0, _numbers(0, 3))
        async with running(settings, topic.name, topic.group, handler) as service:
            for back in (kafka, mongo):
                for _ in range(8):
                    assert (await service.get("/health/live"))[0] == 200
                    assert (await service.get("/health/ready"))[0] == 503
                    assert handler.given == [], "it subscribed before its servers were there"
                    await asyncio.sleep(0.1)
                await back.up()
            await until(lambda: settled_to(topic, 3))
            await until(lambda: _is(service, "/health/ready", 200))
    for proxy in (kafka, mongo):
        await proxy.down()


async def test_a_topic_that_does_not_exist_is_waited_for_and_not_created(engines: Any) -> None:
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    async with fresh_topic(engines.bootstrap_servers) as topic:
        late = f"{topic.name}-late"
        async with running(settings, late, topic.group, Remembers()) as service:
            await asyncio.sleep(0.7)
            assert late not in await topic.admin.list_topics()
            assert "does not exist" in (await service.get("/health/ready"))[1]
            await topic.admin.create_topics([NewTopic(late, 1, 1)])
            await until(lambda: _is(service, "/health/ready", 200))


async def test_a_store_that_is_taken_away_under_an_idle_service_ends_it_within_a_bound(engines: Any) -> None:
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    mongo = Mongo(settings.mongo, "tests")

    async def first_records(partitions: Collection[int]) -> Mapping[int, str | None]:
        return dict.fromkeys(partitions, "first")

    progress = ProgressStore(mongo, "s", "t", first_records)

    class Handler(Remembers):
        async def assigned(self, committed: Mapping[int, int | None]) -> Mapping[int, int]:
            return await progress.load(committed.keys())

    async with (
        fresh_topic(engines.bootstrap_servers) as topic,
        running(settings, topic.name, topic.group, Handler(), progress=progress) as service,
    ):
        await until(lambda: _is(service, "/health/ready", 200))
        await asyncio.sleep(3 * settings.runtime.probe_interval_s)
        assert service.run.failure is None
        await mongo.collection(COLLECTION).drop()
        assert await service.exit_code() == 1
        assert service.metrics.stopped.labels(cause="store_rolled_back")._value.get() == 1
    mongo.close()


class _Feed:
    """A background task that is ready, and dies, when told."""

    name = "feed"

    def __init__(self) -> None:
        self.loaded = asyncio.Event()
        self.die = asyncio.Event()

    async def run(self) -> None:
        await self.die.wait()
        raise StopService("the feed met nonsense", cause="own_topic")

    async def ready(self) -> None:
        await self.loaded.wait()


async def test_the_group_is_joined_only_when_the_feeds_are_ready_and_a_dead_feed_stops_the_process(
    engines: Any,
) -> None:
    feed, handler = _Feed(), Remembers()
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    async with (
        fresh_topic(engines.bootstrap_servers) as topic,
        running(settings, topic.name, topic.group, handler, background=[feed]) as service,
    ):
        await send_raw(topic.client, topic.name, 0, _numbers(0, 3))
        await asyncio.sleep(0.7)
        assert handler.given == []
        assert (await service.get("/health/live"))[0] == 200
        assert (await service.get("/health/ready"))[0] == 503
        feed.loaded.set()
        await until(lambda: len(handler.got) == 3)
        feed.die.set()
        assert await service.exit_code() == 1
        assert service.metrics.stopped.labels(cause="own_topic")._value.get() == 1


async def test_partitions_are_drained_before_another_member_gets_them(engines: Any) -> None:
    in_hand: Counter[int] = Counter()
    together: list[int] = []
    progress: dict[int, int] = {}
    held_up, release = asyncio.Event(), asyncio.Event()

    async def act(batch: Sequence[Record]) -> None:
        partitions = {record.partition for record in batch}
        for partition in partitions:
            in_hand[partition] += 1
            if in_hand[partition] > 1:
                together.append(partition)
        if progress:
            held_up.set()
            await release.wait()
        progress.update((record.partition, record.offset + 1) for record in batch)
        in_hand.subtract(partitions)

    def settings(instance: str) -> Settings:
        return quick_settings(
            engines.bootstrap_servers, engines.mongo_uri, batch_size=20, group_instance_id=instance
        )

    first, second = Remembers(act, starts=progress), Remembers(act, starts=progress)
    async with fresh_topic(engines.bootstrap_servers, partitions=4) as topic:
        for partition in range(4):
            await send_raw(topic.client, topic.name, partition, _numbers(0, 60))
        async with running(settings("one"), topic.name, topic.group, first):
            await held_up.wait()
            async with running(settings("two"), topic.name, topic.group, second):
                await asyncio.sleep(3)  # a rebalance without a batch in flight takes about one second
                assert second.given == [], "partitions changed hands with a batch in flight"
                assert first.gave_up == []
                release.set()
                await until(lambda: len(first.got) + len(second.got) >= 240)
                for partition in range(4):
                    await until(partial(settled_to, topic, 60, partition))
    seen = Counter((record.partition, record.offset) for record in [*first.got, *second.got])
    assert together == [], "two members held one partition at once"
    assert set(seen.values()) == {1}, "a batch in flight was not drained"
    assert len(seen) == 240
    assert second.got and first.gave_up


@asynccontextmanager
async def _process(engines: Any, topic: Topic, seconds: str) -> AsyncIterator[asyncio.subprocess.Process]:
    env = os.environ | {
        "ROLLSTREAM_REGISTER": "kh-test",
        "ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS": engines.bootstrap_servers,
        "ROLLSTREAM_MONGO__URI": engines.mongo_uri,
        "ROLLSTREAM_HTTP__PORT": "0",
        "ROLLSTREAM_RUNTIME__STOP_TIMEOUT_S": "1.5",
    }
    process = await asyncio.create_subprocess_exec(
        *guard.tied([sys.executable, "-m", "tests.kit.runtime_process", topic.name, topic.group, seconds]),
        env=env,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(20):
        return (await process.stdout.readline()).decode().strip()


async def test_sigterm_finishes_and_commits_the_batch_in_flight(engines: Any) -> None:
    async with fresh_topic(engines.bootstrap_servers) as topic:
        await send_raw(topic.client, topic.name, 0, _numbers(0, 7))
        async with _process(engines, topic, "0.7") as process:
            assert await _line(process) == "begin 7"
            process.send_signal(signal.SIGTERM)
            assert await _line(process) == "end 7"
            async with asyncio.timeout(3):
                assert await process.wait() == 0
        assert await topic.committed() == 7


@pytest.mark.parametrize(("seconds", "bound"), [("3600", 4), ("block", 6)])
async def test_sigterm_ends_a_process_whose_handler_hangs_within_the_bound(
    engines: Any, seconds: str, bound: float
) -> None:
    async with fresh_topic(engines.bootstrap_servers) as topic:
        await send_raw(topic.client, topic.name, 0, _numbers(0, 7))
        async with _process(engines, topic, seconds) as process:
            assert await _line(process) == "begin 7"
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(bound):
                assert await process.wait() == 1
        assert await topic.committed() in (None, -1)


async def _is(service: Any, path: str, status: int) -> bool:
    return bool((await service.get(path))[0] == status)
