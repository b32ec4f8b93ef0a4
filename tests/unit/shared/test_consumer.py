"""A group member with a consumer that the test holds: what it hands over, seeks, pauses and commits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition

from shared.process.errors import NotYet, ReferenceAway, StopService, TransientError
from shared.process.health import Health
from shared.process.metrics import Metrics
from shared.process.settings import Settings
from shared.runtime.consumer import GroupMember
from shared.runtime.handler import ConsumerSpec
from shared.runtime.record import Record
from tests.kit.runtime_kit import Remembers

FIRST, SECOND = TopicPartition("t", 0), TopicPartition("t", 1)


@dataclass
class Consumer:
    """As much of a consumer as a member uses; `log` is what lies in each partition, by offset."""

    log: dict[TopicPartition, dict[int, bytes]] = field(default_factory=dict)
    held: set[TopicPartition] = field(default_factory=set)
    paused: set[TopicPartition] = field(default_factory=set)
    at: dict[TopicPartition, int] = field(default_factory=dict)
    commits: list[Mapping[TopicPartition, int]] = field(default_factory=list)
    while_committing: Callable[[], Awaitable[None]] | None = None
    begins: int = 0

    def assignment(self) -> set[TopicPartition]:
        return set(self.held)

    def pause(self, *partitions: TopicPartition) -> None:
        assert set(partitions) <= self.held, "IllegalStateError"
        self.paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        assert set(partitions) <= self.held, "IllegalStateError"
        self.paused -= set(partitions)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        assert partition in self.held, "IllegalStateError"
        self.at[partition] = offset

    def reached(self, partition: TopicPartition) -> int | None:
        return self.at.get(partition)

    def highwater(self, partition: TopicPartition) -> int:
        return max(self.log.get(partition) or {-1: b""}) + 1

    async def committed(self, _partition: TopicPartition) -> int | None:
        return None

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.begins)

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return {each: self.highwater(each) for each in partitions}

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        if self.while_committing is not None:
            meanwhile, self.while_committing = self.while_committing, None
            await meanwhile()
        self.commits.append(offsets)

    async def poll(self, *, timeout_ms: int, max_records: int) -> list[Record]:
        await asyncio.sleep(0.001)
        records: list[Record] = []
        for partition in sorted(self.held - self.paused):
            for offset in range(self.at[partition], self.highwater(partition)):
                self.at[partition] = offset + 1
                if offset in self.log[partition]:
                    value = self.log[partition][offset]
                    records.append(Record("t", partition.partition, offset, 0, b"k", value, ()))
        return records[:max_records]


class Rig:
    """A member, its consumer, and what it told."""

    def __init__(self, act: Callable[[Sequence[Record]], Any] | None = None, **runtime: Any) -> None:
        quick = {"backoff_initial_s": 0.01, "backoff_max_s": 0.02, "drain_timeout_s": 0.1} | runtime
        settings = Settings.model_validate({"register": "kh-test", "runtime": quick})
        self.handler = Remembers(act)
        self.health = Health(10)
        self.health.starting = None
        self.stopped: list[StopService] = []
        self.member = GroupMember(
            ConsumerSpec("t", "g", self.handler), settings, Metrics("try"), self.health, self.stopped.append
        )
        self.consumer: Any = Consumer({each: {n: b"%d" % n for n in range(5)} for each in (FIRST, SECOND)})
        member: Any = self.member
        member.attach(self.consumer)

    async def assign(self, *partitions: TopicPartition) -> None:
        self.consumer.held, self.consumer.at = set(partitions), {}
        self.consumer.paused = set()
        await self.member.on_partitions_assigned(partitions)

    async def revoke(self) -> None:
        await self.member.on_partitions_revoked(set(self.consumer.held))

    async def next(self) -> list[Record]:
        async with asyncio.timeout(5):
            return await self.member.next_batch()


def _offsets(records: Sequence[Record]) -> list[int]:
    return [record.offset for record in records]


async def test_a_batch_is_handed_over_settled_and_committed() -> None:
    rig = Rig()
    await rig.assign(FIRST)
    batch = await rig.next()
    assert rig.consumer.commits == []
    await rig.member.settle(batch)
    assert rig.consumer.commits == [{FIRST: 5}]
    assert _offsets(rig.handler.got) == [0, 1, 2, 3, 4]


async def test_what_a_handler_leaves_of_a_batch_is_read_again_and_the_rest_is_committed() -> None:
    rig = Rig()

    async def handle(batch: Sequence[Record]) -> Sequence[Record]:
        rig.handler.got.extend(batch[:2])
        return batch[2:]

    rig.handler.handle = handle  # type: ignore[method-assign]
    await rig.assign(FIRST)
    for _ in range(2):
        await rig.member.settle(await rig.next())
    assert _offsets(rig.handler.got) == [0, 1, 2, 3]
    assert rig.consumer.commits == [{FIRST: 2}, {FIRST: 4}]


async def test_a_batch_that_outlasts_the_drain_is_cancelled_and_moves_nobodys_position() -> None:
    cancelled = asyncio.Event()

    async def act(_batch: Sequence[Record]) -> None:
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    rig = Rig(act)
    await rig.assign(FIRST)
    settling = asyncio.create_task(rig.member.settle(await rig.next()))
    await asyncio.sleep(0.01)
    await rig.revoke()
    async with asyncio.timeout(1):
        await settling
    assert cancelled.is_set() and rig.stopped == []
    assert rig.handler.gave_up == [0]
    await rig.assign(FIRST)
    rig.handler.act = None
    batch = await rig.next()
    assert _offsets(batch) == [0, 1, 2, 3, 4], "it is read again from where it was"
    assert rig.consumer.commits == []


async def test_a_batch_that_cannot_be_cancelled_stops_the_service(monkeypatch: Any) -> None:
    monkeypatch.setattr("shared.runtime.consumer._CANCEL_SECONDS", 0.05)
    release = asyncio.Event()

    async def act(_batch: Sequence[Record]) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    rig = Rig(act)
    await rig.assign(FIRST)
    settling = asyncio.create_task(rig.member.settle(await rig.next()))
    await asyncio.sleep(0.01)
    await rig.revoke()
    assert [stopped.cause for stopped in rig.stopped] == ["bug"]
    await rig.assign(FIRST)
    release.set()
    await settling
    assert rig.consumer.commits == []
    assert rig.member._state.positions() == {}, "what it settled is not the new assignment's"


async def test_what_is_settled_after_a_rebalance_is_not_committed() -> None:
    rig = Rig()

    async def act(_batch: Sequence[Record]) -> None:
        rig.member._state.revoked()  # as if the rebalance had not waited
        rig.member._state.assigned([FIRST])

    rig.handler.act = act
    await rig.assign(FIRST)
    await rig.member.settle(await rig.next())
    assert rig.consumer.commits == [] and rig.member._state.positions() == {}


async def test_a_rebalance_during_the_commit_resumes_only_what_is_held_and_stops_nothing() -> None:
    rig = Rig()
    await rig.assign(FIRST, SECOND)
    await rig.member.settle(await rig.next())
    rig.consumer.log[FIRST][5] = b"5"

    async def act(_batch: Sequence[Record]) -> None:
        raise TransientError("away")

    rig.handler.act = act
    await rig.member.settle(await rig.next())  # fails: everything is paused, then committed and resumed

    async def rebalance() -> None:
        await rig.assign(SECOND)

    rig.handler.act = None
    rig.member._state._committed[FIRST] = 0  # something is due
    rig.consumer.while_committing = rebalance
    rig.consumer.log[SECOND][5] = b"5"
    batch = await rig.next()
    assert rig.stopped == []
    assert {record.partition for record in batch} == {1}


async def test_a_rebalance_during_the_commit_of_a_start_resumes_only_what_is_held() -> None:
    rig = Rig()
    rig.handler.starts = {0: 3}  # above what the group has committed: that is due at once

    async def rebalance() -> None:
        await rig.assign(SECOND)

    rig.consumer.while_committing = rebalance
    await rig.assign(FIRST)
    batch = await rig.next()
    assert rig.stopped == []
    assert {record.partition for record in batch} == {1}


async def test_a_batch_that_failed_is_read_again_from_where_it_was() -> None:
    failures = iter([TransientError("away"), NotYet("not there"), None])

    async def act(_batch: Sequence[Record]) -> None:
        if (failure := next(failures)) is not None:
            raise failure

    rig = Rig(act)
    await rig.assign(FIRST)
    for _ in range(3):
        batch = await rig.next()
        assert _offsets(batch) == [0, 1, 2, 3, 4]
        await rig.member.settle(batch)
    assert rig.consumer.commits == [{FIRST: 5}] and rig.stopped == []


async def test_reference_data_that_are_away_keep_the_process_alive_and_not_ready() -> None:
    away = True

    async def act(_batch: Sequence[Record]) -> None:
        if away:
            raise ReferenceAway("the stations are missing")

    rig = Rig(act)
    await rig.assign(FIRST)
    await rig.member.settle(await rig.next())
    assert rig.health.live() == (
        True,
        "waiting: batch: the stations are missing, reference data: the stations are missing",
    )
    away = False
    await rig.member.settle(await rig.next())
    assert rig.health.ready()[0]


async def test_offsets_without_a_record_are_passed_over_and_committed() -> None:
    rig = Rig()
    rig.consumer.log[FIRST] = {0: b"0", 2: b"2"}  # the end of a transaction between
    await rig.assign(FIRST)
    await rig.member.settle(await rig.next())
    assert rig.consumer.commits == [{FIRST: 3}]
    rig.consumer.at[FIRST] = 4  # and another after it
    with_nothing_new = asyncio.create_task(rig.member.next_batch())
    await asyncio.sleep(0.05)
    with_nothing_new.cancel()
    assert rig.member._state.positions() == {FIRST: 4}
    rig.member.note_ends({FIRST: 4})
    rig.health.ended("poll")
    assert rig.health.live() == (True, "idle")


async def test_a_log_that_was_cut_or_made_anew_stops_the_service() -> None:
    for begins, at in ((8, 8), (0, 0)):
        rig = Rig()
        await rig.assign(FIRST)
        await rig.member.settle(await rig.next())
        rig.consumer.begins, rig.consumer.at[FIRST] = begins, at
        rig.consumer.log[FIRST] = {} if begins else {0: b"other"}
        reading = asyncio.create_task(rig.member.next_batch())
        await asyncio.sleep(0.05)
        reading.cancel()
        assert [stopped.cause for stopped in rig.stopped] == ["log_truncated"]


async def test_a_foreign_cancellation_inside_a_batch_is_tried_again_and_ends_nothing() -> None:
    first = True

    async def act(_batch: Sequence[Record]) -> None:
        nonlocal first
        if first:
            first = False
            raise asyncio.CancelledError  # as aiokafka's consumers let out of `stop`

    rig = Rig(act)
    await rig.assign(FIRST)
    await rig.member.settle(await rig.next())
    assert rig.consumer.commits == []
    await rig.member.settle(await rig.next())
    assert rig.consumer.commits == [{FIRST: 5}] and rig.stopped == []


async def test_a_foreign_cancellation_inside_a_poll_ends_no_loop() -> None:
    rig = Rig()
    await rig.assign(FIRST)
    poll = rig.consumer.poll
    failures = [asyncio.CancelledError()]

    async def odd(**options: Any) -> list[Record]:
        if failures:
            raise failures.pop()
        records: list[Record] = await poll(**options)
        return records

    rig.consumer.poll = odd
    assert _offsets(await rig.next()) == [0, 1, 2, 3, 4]


async def test_a_loop_that_does_not_come_back_is_a_hang_even_when_there_is_no_work() -> None:
    now = 0.0
    rig = Rig()
    rig.health._clock = lambda: now

    async def hangs(**_options: Any) -> list[Record]:
        await asyncio.sleep(3_600)
        return []

    rig.consumer.poll = hangs
    rig.consumer.log = {}
    await rig.assign(FIRST)
    reading = asyncio.create_task(rig.member.next_batch())
    await asyncio.sleep(0.02)
    now = 11.0
    assert not rig.health.live()[0]
    reading.cancel()
