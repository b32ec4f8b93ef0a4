"""A task beside the consumer that ends in any way fails the service, and a foreign cancellation ends none."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from shared.process.errors import StopService, TransientError
from shared.process.health import Health
from shared.process.metrics import Metrics
from shared.process.settings import HttpSettings, KafkaSettings, RuntimeSettings, Settings
from shared.runtime import feed as feeds
from shared.runtime.cancellation import close, only_ours
from shared.runtime.feed import TopicFeed
from shared.runtime.handler import ConsumerSpec
from shared.runtime.record import Record
from shared.runtime.service import Service, ServiceRun
from tests.kit.runtime_kit import Remembers

SETTINGS = Settings(
    register="kh-test",
    kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1", request_timeout_ms=100),
    http=HttpSettings(port=0),
    runtime=RuntimeSettings(backoff_initial_s=0.01, backoff_max_s=0.02, failed_linger_s=0, stop_timeout_s=2),
)


def _run() -> ServiceRun:
    spec = ConsumerSpec("t", "g", Remembers())
    return ServiceRun(Service("try", SETTINGS, consumer=spec, metrics=Metrics("try")))


async def _returns() -> None:
    return


async def _cancelled() -> None:
    raise asyncio.CancelledError


async def _stops() -> None:
    raise StopService("nonsense", cause="own_topic")


async def _breaks() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("work", "cause", "reason"),
    [
        (_returns, "background", "feed ended"),
        (_cancelled, "background", "feed was cancelled"),
        (_stops, "own_topic", "nonsense"),
        (_breaks, "bug", "feed: unexpected ZeroDivisionError"),
    ],
)
async def test_a_task_that_ends_in_any_way_fails_the_service(
    work: Callable[[], Awaitable[None]], cause: str, reason: str
) -> None:
    run = _run()
    run._spawn(work(), "feed")
    async with asyncio.timeout(1):
        await run._stop.wait()
    assert run.failure is not None
    assert (run.failure.cause, run.failure.reason) == (cause, reason)
    assert not run._health.live()[0]


async def test_a_task_that_is_cancelled_since_the_service_stops_is_no_failure() -> None:
    run = _run()
    run._spawn(asyncio.Event().wait(), "feed")
    await asyncio.sleep(0)
    run.stop()
    assert await run._shut_down()
    assert run.failure is None


async def test_a_cancellation_of_ours_passes_and_any_other_is_an_error_to_retry() -> None:
    with pytest.raises(TransientError), only_ours():
        raise asyncio.CancelledError

    async def waits() -> None:
        with only_ours():
            await asyncio.Event().wait()

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_client_that_cancels_raises_or_hangs_is_closed_without_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.runtime.cancellation.CLOSE_SECONDS", 0.05)

    async def hangs() -> None:
        await asyncio.sleep(3_600)

    for stop in (_cancelled, _breaks, hangs):
        async with asyncio.timeout(1):
            await close(SimpleNamespace(stop=stop))


async def test_a_feed_is_watched_against_the_ends_of_its_own_partitions_as_far_as_they_are_told() -> None:
    async def take(_record: Record) -> None: ...

    now = 0.0
    health = Health(10, lambda: now)
    feed = TopicFeed(SETTINGS, "commands", "t", 2, take, Metrics("try"))
    others = {TopicPartition("events", 0): 7}
    feed.note_ends({TopicPartition("t", 0): 3, TopicPartition("t", 1): 0, **others}, health)
    now = 11.0
    feed.note_ends({TopicPartition("t", 1): 0, **others}, health)
    assert health.live() == (False, "commands: no progress for 11 s"), (
        "that an end is not told clears nothing"
    )
    feed.waits_for = "the model is missing"
    feed.note_ends(others, health)
    assert health.live() == (True, "waiting: commands feed: the model is missing, start: starting")


class Consumer:
    """A feed's consumer whose broker refuses at first; `stop` lets a CancelledError out, as aiokafka's."""

    made = 0

    def __init__(self, **_options: Any) -> None:
        type(self).made += 1
        self._refused = type(self).made < 4
        self._client = self
        self._left = [Record("t", 0, 0, 0, None, b"command", ())]

    async def start(self) -> None:
        if type(self).made < 2:
            raise ConnectionError

    async def fetch_all_metadata(self) -> Consumer:
        return self

    def topics(self, **_options: Any) -> set[str]:
        return {"t"}

    def assign(self, _partitions: Any) -> None: ...

    def seek(self, _partition: Any, _offset: int) -> None: ...

    def reached(self, _partition: Any) -> int:
        return 0 if self._left else 1

    def highwater(self, _partition: Any) -> int:
        return 1

    async def beginning_offsets(self, partitions: Any) -> dict[Any, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Any) -> dict[Any, int]:
        return dict.fromkeys(partitions, 1)

    async def poll(self, **_options: Any) -> list[Record]:
        await asyncio.sleep(0.001)
        if self._refused:
            raise ConnectionError
        left, self._left = self._left, []
        return left

    async def stop(self) -> None:
        raise asyncio.CancelledError


async def test_a_feed_whose_consumer_cancels_whoever_stops_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Consumer, "made", 0)
    monkeypatch.setattr(feeds, "TolerantConsumer", Consumer)
    monkeypatch.setattr(feeds, "make_reader", lambda *_: Consumer())
    taken: list[bytes | None] = []

    async def take(record: Record) -> None:
        taken.append(record.value)

    feed = TopicFeed(SETTINGS, "commands", "t", 1, take)
    running = asyncio.create_task(feed.run())
    async with asyncio.timeout(5):
        await feed.wait_for_end()
    assert taken == [b"command"]
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
