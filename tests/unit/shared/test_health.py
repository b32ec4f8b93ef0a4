from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from shared.process.health import Health, HealthApp


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    health = Health(10, clock)
    health.waiting("start", None)
    health.assigned = True
    return health


def test_an_idle_process_is_live_for_ever(health: Health, clock: Clock) -> None:
    clock.now += 1_000_000
    assert health.live() == (True, "idle")
    assert health.ready()[0]


def test_a_batch_in_flight_without_end_is_a_hang_after_the_bound_and_not_before(
    health: Health, clock: Clock
) -> None:
    clock.now += 1_000_000
    health.batch_started()
    clock.now += 9.9
    assert health.live() == (True, "working")
    clock.now += 0.2
    assert health.live() == (False, "no progress for 10 s")
    assert not health.ready()[0]


def test_records_that_nobody_reads_are_a_hang_though_no_batch_is_in_flight(
    health: Health, clock: Clock
) -> None:
    health.unread(3)
    clock.now += 11
    assert not health.live()[0]
    health.unread(0)
    assert health.live()[0]


def test_progress_starts_the_bound_anew(health: Health, clock: Clock) -> None:
    for _ in range(5):
        health.batch_started()
        clock.now += 8
        health.progress()
        health.unread(100)
        health.batch_ended()
        assert health.live()[0]
    clock.now += 11
    assert not health.live()[0]


def test_a_batch_that_only_ends_is_no_progress(health: Health, clock: Clock) -> None:
    health.unread(5)
    for _ in range(5):
        health.batch_started()
        clock.now += 3
        health.batch_ended()
    assert not health.live()[0]


def test_waiting_is_alive_but_not_ready_and_the_time_does_not_count_as_a_hang(
    health: Health, clock: Clock
) -> None:
    health.batch_started()
    health.waiting("mongo", "AutoReconnect")
    health.waiting("kafka", "TimeoutError")
    clock.now += 1_000
    assert health.live() == (True, "waiting: kafka: TimeoutError, mongo: AutoReconnect")
    assert not health.ready()[0]
    health.waiting("mongo", None)
    assert health.live()[0]
    health.waiting("kafka", None)
    clock.now += 9
    assert health.live()[0]
    clock.now += 2
    assert not health.live()[0]


def test_a_pause_between_two_tries_is_no_hang_and_a_try_that_never_ends_is_one(
    health: Health, clock: Clock
) -> None:
    health.unread(1)
    for _ in range(3):
        health.batch_started()
        clock.now += 5
        health.retrying("kafka", "TransientError", 30)
        health.batch_ended()
        clock.now += 30
        assert health.live() == (True, "waiting: kafka: TransientError")
        assert not health.ready()[0]
    health.batch_started()
    clock.now += 9
    assert health.live()[0]
    clock.now += 2
    assert not health.live()[0], "the try hangs"


def test_a_consumer_that_is_never_heard_of_after_an_outage_is_a_hang(health: Health, clock: Clock) -> None:
    health.batch_started()
    health.retrying("kafka", "KafkaConnectionError", 5)
    health.batch_ended()
    health.waiting("kafka probe", "KafkaConnectionError")
    clock.now += 1_000
    assert health.live()[0], "the broker is away"
    health.waiting("kafka probe", None)
    health.unread(7)
    clock.now += 11
    assert not health.live()[0]
    health.recovered()
    health.progress()
    assert health.live()[0]
    assert health.ready()[0]


def test_without_partitions_it_is_live_but_not_ready(health: Health) -> None:
    health.assigned = False
    assert health.live()[0]
    assert health.ready() == (False, "no partitions assigned")


def test_a_service_that_stopped_itself_is_not_live(health: Health) -> None:
    health.failed = "own_topic"
    assert health.live() == (False, "own_topic")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health/live", 200),
        ("HEAD", "/health/ready", 200),
        ("GET", "/metrics", 200),
        ("GET", "/metrics/", 404),
        ("GET", "/health", 404),
        ("GET", "/", 404),
        ("POST", "/health/live", 405),
    ],
)
def test_exact_paths_are_served_and_nothing_else(health: Health, method: str, path: str, status: int) -> None:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {}

    app = HealthApp(health, CollectorRegistry())
    asyncio.run(app({"type": "http", "method": method, "path": path}, receive, send))
    assert sent[0]["status"] == status
    assert (sent[1]["body"] == b"") == (method == "HEAD" or path == "/metrics")
