from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from shared.process.health import GROUP, Health, HealthApp


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
    health.starting = None
    health.assigned = True
    return health


def test_an_idle_process_is_live_for_ever(health: Health, clock: Clock) -> None:
    health.position(GROUP, 0, 5, 5)
    health.position("commands", 0, 7, 7)
    clock.now += 1_000_000
    assert health.live() == (True, "idle")
    assert health.ready()[0]
    assert health.unmoved() == {GROUP: 0, "commands": 0}


def test_a_batch_in_flight_without_end_is_a_hang_after_the_bound_and_not_before(
    health: Health, clock: Clock
) -> None:
    clock.now += 1_000_000
    health.began("batch")
    clock.now += 9.9
    assert health.live() == (True, "working")
    clock.now += 0.2
    assert health.live() == (False, "group: no progress for 10 s")
    assert not health.ready()[0]
    health.ended("batch")
    assert health.live()[0]


def test_one_partition_that_never_moves_is_a_hang_while_others_move(health: Health, clock: Clock) -> None:
    for at in range(12):
        health.position(GROUP, 0, 4, 9)
        health.position(GROUP, 1, at, 1_000)
        assert health.live()[0] is (at < 10)
        clock.now += 1
    assert health.unmoved()[GROUP] == 12
    health.position(GROUP, 0, 5, 9)
    assert health.live()[0]


def test_a_feed_that_lies_behind_and_does_not_move_is_a_hang_while_the_group_works(
    health: Health, clock: Clock
) -> None:
    for at in range(11):
        health.position("commands", 0, 4, 5)
        health.position(GROUP, 0, at, 1_000)
        clock.now += 1
    assert health.live() == (False, "commands: no progress for 11 s")
    assert health.unmoved() == {"commands": 11, GROUP: 1}


def test_work_that_comes_after_a_long_idleness_has_its_whole_time(health: Health, clock: Clock) -> None:
    health.position(GROUP, 0, 5, 5)
    clock.now += 1_000
    health.position(GROUP, 0, 5, 6)
    clock.now += 9
    assert health.live()[0]
    clock.now += 2
    assert not health.live()[0]


def test_a_partition_that_was_given_up_is_nobodys_hang(health: Health, clock: Clock) -> None:
    health.position(GROUP, 0, 4, 9)
    clock.now += 11
    health.forget(GROUP, 0)
    assert health.live()[0]


def test_waiting_is_alive_but_not_ready_and_the_time_does_not_count_as_a_hang_but_shows(
    health: Health, clock: Clock
) -> None:
    health.began("batch")
    health.waiting("mongo", "AutoReconnect")
    health.waiting("kafka", "TimeoutError")
    clock.now += 1_000
    assert health.live() == (True, "waiting: kafka: TimeoutError, mongo: AutoReconnect")
    assert not health.ready()[0]
    assert health.unmoved()[GROUP] == 1_000 and health.unready_seconds() == 1_000
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
    health.position(GROUP, 0, 1, 2)
    for _ in range(3):
        health.began("batch")
        clock.now += 5
        health.ended("batch")
        health.retrying("kafka", "TransientError", 30)
        clock.now += 30
        assert health.live() == (True, "waiting: kafka: TransientError")
        assert not health.ready()[0]
    health.began("batch")
    clock.now += 9
    assert health.live()[0]
    clock.now += 2
    assert not health.live()[0], "the try hangs"


def test_a_consumer_that_is_never_heard_of_after_an_outage_is_a_hang(health: Health, clock: Clock) -> None:
    health.retrying("kafka", "KafkaConnectionError", 5)
    health.waiting("kafka probe", "KafkaConnectionError")
    clock.now += 1_000
    assert health.live()[0], "the broker is away"
    health.waiting("kafka probe", None)
    health.position(GROUP, 0, 1, 8)
    clock.now += 11
    assert not health.live()[0]
    health.recovered()
    health.position(GROUP, 0, 8, 8)
    assert health.live()[0]
    assert health.ready()[0]


def test_what_is_not_there_yet_keeps_nothing_alive_for_ever(health: Health, clock: Clock) -> None:
    for _ in range(5):
        health.position(GROUP, 0, 1, 8)
        health.not_yet("a feed is behind")
        assert health.live()[0] and not health.ready()[0]
        clock.now += 2
    assert health.live() == (False, "group: no progress for 10 s")


def test_a_batch_that_waits_for_a_feed_is_no_hang_while_the_feed_moves(health: Health, clock: Clock) -> None:
    for at in range(20):
        health.position(GROUP, 0, 1, 8)
        health.position("index", 0, at, 100)
        health.not_yet("the index feed is behind")
        assert health.live()[0]
        clock.now += 2
    health.position("index", 0, 19, 100)
    clock.now += 11
    assert not health.live()[0]


def test_reference_data_that_are_waited_for_keep_it_alive_and_not_ready_and_the_age_shows(
    health: Health, clock: Clock
) -> None:
    health.position(GROUP, 0, 1, 8)
    health.not_yet("the stations are missing", reference=True)
    clock.now += 36_000
    assert health.live()[0] and not health.ready()[0]
    assert health.unmoved()[GROUP] == 36_000 and health.unready_seconds() == 36_000
    health.recovered()
    assert health.ready()[0] and health.unready_seconds() == 0
    clock.now += 11
    assert not health.live()[0], "now it should have moved"


def test_a_feed_that_waits_for_a_file_excuses_itself_and_no_other_work(health: Health, clock: Clock) -> None:
    health.position("commands", 0, 1, 2)
    health.feed_waits("commands", "the stations are missing")
    clock.now += 1_000
    assert health.live() == (True, "waiting: commands feed: the stations are missing")
    assert not health.ready()[0] and health.unmoved()["commands"] == 1_000
    health.position("index", 0, 1, 2)
    clock.now += 11
    assert health.live() == (False, "index: no progress for 11 s")
    health.position("index", 0, 2, 2)
    health.began("batch")
    clock.now += 11
    assert health.live() == (False, "group: no progress for 11 s")
    health.ended("batch")
    health.feed_waits("commands", None)
    clock.now += 9
    assert health.live()[0], "the time spent waiting is no hang"
    clock.now += 2
    assert health.live() == (False, "commands: no progress for 11 s")


def test_a_batch_that_waits_for_a_feed_that_waits_for_a_file_is_no_hang(health: Health, clock: Clock) -> None:
    health.position(GROUP, 0, 1, 8)
    health.feed_waits("commands", "the stations are missing")
    health.not_yet("the commands are behind")
    clock.now += 1_000
    assert health.live()[0] and not health.ready()[0]
    health.feed_waits("commands", None)
    clock.now += 9
    assert health.live()[0]
    clock.now += 2
    assert not health.live()[0]


def test_a_batch_that_fails_for_another_reason_waits_for_no_reference_data_any_more(
    health: Health, clock: Clock
) -> None:
    health.position(GROUP, 0, 1, 8)
    health.not_yet("the stations are missing", reference=True)
    clock.now += 1_000
    health.not_yet("others keep writing")
    assert health.live()[0]
    clock.now += 11
    assert not health.live()[0]


def test_a_rebalance_without_end_is_a_hang(health: Health, clock: Clock) -> None:
    health.began("rebalance")
    health.assigned = False
    clock.now += 11
    assert not health.live()[0]
    health.ended("rebalance")
    assert health.live()[0]


def test_a_feed_that_hangs_while_the_service_starts_is_a_hang(clock: Clock) -> None:
    health = Health(10, clock)
    health.starting = "commands"
    clock.now += 1_000
    assert health.live() == (True, "waiting: start: commands") and not health.ready()[0]
    health.position("commands", 0, 1, 5)
    clock.now += 11
    assert not health.live()[0]


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
