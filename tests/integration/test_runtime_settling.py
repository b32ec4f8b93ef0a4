"""What the runtime does with a batch: effects, then commits; retries skip nothing; stops say why."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaConnectionError,
    OffsetMetadataTooLargeError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from shared.process.errors import NotYet, StopService, TransientError
from shared.runtime.record import Record
from shared.runtime.subscription import _MemberConsumer
from shared.store.mongo import AutoReconnect
from tests.kit.raw_records import Raw, raw_batch, send_raw
from tests.kit.runtime_kit import (
    Remembers,
    fresh_topic,
    quick_settings,
    running,
    settled_to,
    until,
)

SERVERS = ("kafka", "mongo")


def _numbers(first: int, last: int) -> bytes:
    return raw_batch([Raw(b"%d" % number) for number in range(first, last)])


@pytest.mark.parametrize(
    "error",
    [TransientError("away"), AutoReconnect("away"), KafkaConnectionError("away"), TimeoutError()],
    ids=lambda error: type(error).__name__,
)
async def test_a_transient_fault_is_retried_until_it_passes_and_nothing_is_skipped(
    engines: Any, error: Exception
) -> None:
    faults = [error, error, error]

    async def act(_batch: Sequence[Record]) -> None:
        if faults:
            raise faults.pop()

    handler = Remembers(act)
    async with fresh_topic(engines.bootstrap_servers) as topic:
        await send_raw(topic.client, topic.name, 0, _numbers(0, 10))
        settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
        async with running(settings, topic.name, topic.group, handler) as service:
            await until(lambda: settled_to(topic, 10))
            assert handler.values() == [b"%d" % number for number in range(10)]
            assert len(handler.given) == 1, "it left its group"
            assert service.metrics.batch_retries._value.get() == 3
            assert (await service.get("/health/ready"))[0] == 200


class TwoAtATime(Remembers):
    """Settles two records of each batch and leaves the others."""

    async def handle(self, batch: Sequence[Record]) -> Sequence[Record]:
        await super().handle(batch[:2])
        return batch[2:]


async def test_what_a_handler_leaves_comes_again_and_only_what_it_settled_is_committed(engines: Any) -> None:
    committed: list[tuple[int, int | None]] = []

    async def act(batch: Sequence[Record]) -> None:
        committed.append((batch[0].offset, await topic.committed()))

    handler = TwoAtATime(act)
    async with fresh_topic(engines.bootstrap_servers) as topic:
        await send_raw(topic.client, topic.name, 0, _numbers(0, 7))
        settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
        async with running(settings, topic.name, topic.group, handler) as service:
            await until(lambda: settled_to(topic, 7))
            assert handler.values() == [b"%d" % number for number in range(7)]
            assert committed == [(0, None), (2, 2), (4, 4), (6, 6)]
            assert service.metrics.batch_retries._value.get() == 0


async def test_what_is_not_there_yet_is_waited_for_by_its_name_and_no_server_is_blamed(engines: Any) -> None:
    missing = True

    async def act(_batch: Sequence[Record]) -> None:
        if missing:
            raise NotYet("waiting for the reference data of epoch 1")

    handler = Remembers(act)
    async with fresh_topic(engines.bootstrap_servers) as topic:
        await send_raw(topic.client, topic.name, 0, _numbers(0, 3))
        settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
        async with running(settings, topic.name, topic.group, handler) as service:
            await until(lambda: service.metrics.batch_retries._value.get() > 1)
            ready, why = await service.get("/health/ready")
            assert ready == 503
            assert "waiting for the reference data of epoch 1" in why
            assert [service.metrics.waiting.labels(server=each)._value.get() for each in SERVERS] == [0, 0]
            missing = False
            await until(lambda: settled_to(topic, 3))


async def test_an_outage_longer_than_the_poll_interval_does_not_cost_the_membership(engines: Any) -> None:
    away = asyncio.Event()
    away.set()

    async def act(_batch: Sequence[Record]) -> None:
        if away.is_set():
            raise TransientError("away")

    handler = Remembers(act)
    async with fresh_topic(engines.bootstrap_servers) as topic:
        await send_raw(topic.client, topic.name, 0, _numbers(0, 3))
        settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri, max_poll_interval_ms=1_600)
        async with running(settings, topic.name, topic.group, handler) as service:
            await until(lambda: service.metrics.batch_retries._value.get() > 0)
            await asyncio.sleep(3)
            assert (await service.get("/health/live"))[0] == 200
            away.clear()
            await until(lambda: settled_to(topic, 3))
    assert len(handler.given) == 1
    assert handler.gave_up == []


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (StopService("our own topic holds nonsense", cause="own_topic"), "own_topic"),
        (ValueError("the value"), "bug"),
    ],
    ids=["stop", "bug"],
)
async def test_any_other_fault_stops_the_process_and_commits_nothing(
    engines: Any, error: Exception, cause: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async def act(batch: Sequence[Record]) -> None:
        if any(record.value == b"6" for record in batch):
            raise error

    handler = Remembers(act)
    async with fresh_topic(engines.bootstrap_servers) as topic:
        settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri, batch_size=5)
        await send_raw(topic.client, topic.name, 0, _numbers(0, 10))
        async with running(settings, topic.name, topic.group, handler) as service:
            assert await service.exit_code() == 1
            assert await topic.committed() == 5
            stopped = service.metrics.stopped.labels(cause=cause)
            assert stopped._value.get() == 1
    assert handler.values() == [b"0", b"1", b"2", b"3", b"4"]
    assert "the value" not in "".join(capfd.readouterr()), "an error text reached the log"


@pytest.mark.parametrize(
    "error", [IllegalGenerationError, UnknownMemberIdError, RebalanceInProgressError, CommitFailedError]
)
async def test_a_commit_that_a_rebalance_overtook_is_tolerated(
    engines: Any, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[Exception] = [error()]
    _fail_commits(monkeypatch, faults)
    handler = Remembers()
    async with fresh_topic(engines.bootstrap_servers) as topic:
        settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
        async with running(settings, topic.name, topic.group, handler):
            await send_raw(topic.client, topic.name, 0, _numbers(0, 3))
            await until(lambda: len(handler.got) == 3)
            await send_raw(topic.client, topic.name, 0, _numbers(3, 5))
            await until(lambda: settled_to(topic, 5))
    assert not faults
    assert len(handler.got) == 5


async def test_any_other_commit_error_stops_the_process(
    engines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_commits(monkeypatch, [OffsetMetadataTooLargeError()])
    async with fresh_topic(engines.bootstrap_servers) as topic:
        settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
        await send_raw(topic.client, topic.name, 0, _numbers(0, 3))
        async with running(settings, topic.name, topic.group, Remembers()) as service:
            assert await service.exit_code() == 1
            assert service.metrics.stopped.labels(cause="kafka")._value.get() == 1


async def test_a_commit_that_gets_no_answer_is_tried_again_without_redoing_the_batch(
    engines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_commits(monkeypatch, [TimeoutError(), KafkaConnectionError()])
    handler = Remembers()
    async with fresh_topic(engines.bootstrap_servers) as topic:
        settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
        await send_raw(topic.client, topic.name, 0, _numbers(0, 3))
        async with running(settings, topic.name, topic.group, handler) as service:
            await until(lambda: settled_to(topic, 3))
            await until(lambda: service.run._health.ready()[0])
            assert service.metrics.batch_retries._value.get() == 0
    assert handler.values() == [b"0", b"1", b"2"]


def _fail_commits(monkeypatch: pytest.MonkeyPatch, faults: list[Exception]) -> None:
    commit = _MemberConsumer.commit

    async def failing(self: Any, offsets: Any = None) -> None:
        if faults:
            raise faults.pop()
        await commit(self, offsets)

    monkeypatch.setattr(_MemberConsumer, "commit", failing)


async def test_the_handler_says_where_to_start_and_a_replay_never_lowers_the_commit(engines: Any) -> None:
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    async with fresh_topic(engines.bootstrap_servers) as topic:
        await send_raw(topic.client, topic.name, 0, _numbers(0, 10))
        ahead = Remembers(starts={0: 6})
        async with running(settings, topic.name, topic.group, ahead):
            await until(lambda: len(ahead.got) == 4)
        assert ahead.given == [{0: None}]
        assert ahead.values()[0] == b"6"
        assert await topic.committed() == 10

        slow = asyncio.Event()

        async def act(batch: Sequence[Record]) -> None:
            if batch[0].offset >= 4:
                await slow.wait()

        replay = Remembers(act, starts={0: 0})
        small = quick_settings(engines.bootstrap_servers, engines.mongo_uri, batch_size=4)
        async with running(small, topic.name, topic.group, replay) as service:
            await until(lambda: len(replay.got) == 4)
            assert await topic.committed() == 10
            assert service.metrics.unread_records._value.get() == 6
            slow.set()
            await until(lambda: len(replay.got) == 10)
        assert replay.given == [{0: 10}]
        assert await topic.committed() == 10


async def test_a_store_that_is_ahead_of_the_commit_has_its_start_committed(engines: Any) -> None:
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    async with fresh_topic(engines.bootstrap_servers) as topic:
        await send_raw(topic.client, topic.name, 0, _numbers(0, 5))
        async with running(settings, topic.name, topic.group, Remembers(starts={0: 5})):
            await until(lambda: settled_to(topic, 5))


async def test_a_log_shorter_than_the_stored_progress_stops_the_process(engines: Any) -> None:
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    async with fresh_topic(engines.bootstrap_servers) as topic:
        await send_raw(topic.client, topic.name, 0, _numbers(0, 3))
        async with running(settings, topic.name, topic.group, Remembers(starts={0: 7})) as service:
            assert await service.exit_code() == 1
            assert service.metrics.stopped.labels(cause="log_truncated")._value.get() == 1


async def test_the_lag_is_what_the_admin_client_says_while_busy_and_when_idle(engines: Any) -> None:
    gate = asyncio.Event()

    async def act(batch: Sequence[Record]) -> None:
        if any(record.offset >= 10 for record in batch):
            await gate.wait()

    handler = Remembers(act)
    async with fresh_topic(engines.bootstrap_servers, partitions=2) as topic:
        settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri, batch_size=10)
        async with running(settings, topic.name, topic.group, handler) as service:
            for partition in (0, 1):
                await send_raw(topic.client, topic.name, partition, _numbers(0, 25))

            async def lags_agree() -> bool:
                offsets = await topic.admin.list_consumer_group_offsets(topic.group)
                for partition in (0, 1):
                    committed = offsets.get(TopicPartition(topic.name, partition))
                    real = 25 - (0 if committed is None else committed.offset)
                    shown = service.metrics.consumer_lag.labels(topic=topic.name, partition=str(partition))
                    if shown._value.get() != real:
                        return False
                return True

            await until(lambda: len(handler.got) >= 10)
            await until(lags_agree)
            gate.set()
            await until(lambda: len(handler.got) == 50)
            await until(lags_agree)
            assert "rollstream_consumer_lag_records" in (await service.get("/metrics"))[1]
