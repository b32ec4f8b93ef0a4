"""One content or one number on many records: settled in parts, in bounded pieces, in turn with the others."""

import gc
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from services.dedup import handler as dedup_handler
from services.dedup.store import CONFLICTS
from shared.contracts.events import EventType
from shared.contracts.outputs import MOST_CLAIMS, OutputType
from shared.process.budget import CLAIM_BYTES, Budget
from shared.process.errors import TransientError
from shared.runtime.record import Output, Record
from tests.kit.accepted import accepted, voter
from tests.kit.dedup_worker import Topics, Worker, marker_of
from tests.kit.loop_monitor import floor, loop_gaps
from tests.kit.memory_mongo import MemoryMongo

CROWD = 2_100
"""More than fit one step of comparing, so that each of them takes long."""


def crowded(count: int, partition: int = 0) -> Topics:
    """One content on many registrations of one partition."""
    topics = Topics()
    for number in range(count):
        topics.put(
            accepted(f"A-{number:05}", voter(1), partition=partition, offset=number, device=f"D-{number}")
        )
    return topics


@pytest.fixture(scope="module")
def crowd() -> Topics:
    return crowded(CROWD)


@pytest.fixture
def topics(crowd: Topics) -> Iterator[Topics]:
    made = Topics()
    made.records = list(crowd.records)
    yield made


async def worker_of(topics: Topics, mongo: MemoryMongo | None = None, budget: Budget | None = None) -> Worker:
    worker = Worker(topics, mongo or MemoryMongo(), budget)
    await worker.handler.assigned({0: None, 1: None})
    return worker


def type_of(output: Output) -> str:
    return (dict(output.headers)["ce_type"] or b"").decode()


def claims_in(outputs: Sequence[Output]) -> dict[str, list[str]]:
    """Of each registration the ids of its claims, as often as they were sent."""
    found: dict[str, list[str]] = {}
    for output in outputs:
        if type_of(output) != EventType.MARKER:
            value = json.loads(output.value or b"")
            found.setdefault(value["registration_id"], []).extend(
                each["claim_id"] for each in value["claims"]
            )
    return found


async def test_a_record_with_thousands_of_claims_sends_all_of_them_500_at_a_time(topics: Topics) -> None:
    mongo = MemoryMongo()
    worker = await worker_of(topics, mongo)
    assert await worker.handler.handle(topics.records[:1]) == []
    sizes = [len(json.loads(output.value or b"")["claims"]) for output in topics.sent]
    assert sizes == [MOST_CLAIMS] * 4 + [CROWD - 1 - 4 * MOST_CLAIMS]
    assert [type_of(output) for output in topics.sent] == [OutputType.CHECKED, *[OutputType.CLAIMS] * 4]
    (claims,) = claims_in(topics.sent).values()
    assert len(set(claims)) == CROWD - 1
    assert {each["_id"] for each in mongo.dump()[CONFLICTS]} == set(claims)


async def test_claims_records_are_acknowledged_before_the_marker_is_passed_on(topics: Topics) -> None:
    marker = topics.put(marker_of(1, 0))
    worker = await worker_of(topics)
    await worker.handler.handle([topics.records[0], marker])
    assert [type_of(output) for output in topics.rounds[-1]] == [EventType.MARKER]
    assert sum(len(each) for each in claims_in(topics.sent).values()) == CROWD - 1


async def test_no_marker_and_no_progress_where_a_claims_record_is_not_acknowledged(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = topics.put(marker_of(1, 0))
    worker = await worker_of(topics)
    send = topics.send

    async def fails_for_claims(outputs: Sequence[Output]) -> None:
        good = [output for output in outputs if type_of(output) != OutputType.CLAIMS]
        await send(good)
        if len(good) < len(outputs):
            raise TransientError("away")

    monkeypatch.setattr(topics, "send", fails_for_claims)
    with pytest.raises(TransientError):
        await worker.handler.handle([topics.records[0], marker])
    assert EventType.MARKER not in map(type_of, topics.sent)
    assert await worker.positions() == {0: 0, 1: 0}


async def test_what_is_left_of_a_batch_comes_again_and_in_the_end_all_is_settled_once(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dedup_handler, "SETTLE_SECONDS", 0.0)
    marker = topics.put(marker_of(1, 0))
    honest = topics.put(accepted("B-1", voter(7), partition=1, offset=0, device="H-1"))
    worker = await worker_of(topics)
    batch: Sequence[Record] = [*topics.records[:3], marker, honest]
    lefts: list[list[Record]] = []
    while batch:
        left = list(await worker.handler.handle(batch))
        assert len(left) < len(batch)
        ends = {record.partition: record.offset + 1 for record in batch if record not in left}
        stored = await worker.positions()
        assert all(stored[partition] == end for partition, end in ends.items())
        batch = left
        lefts.append(left)
    assert len(lefts) == 3
    assert honest not in lefts[0], "a partition full of long ones held up the other"
    found = claims_in(topics.sent)
    assert {name: len(set(ids)) for name, ids in found.items()} == {
        **{f"A-{number:05}": CROWD - 1 for number in range(3)},
        "B-1": 0,
    }
    assert all(len(ids) == len(set(ids)) for ids in found.values())
    assert type_of(topics.sent[-1]) == EventType.MARKER


async def test_outputs_and_conflicts_are_written_in_bounded_pieces(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = Budget(8 * 300_000)
    mongo = MemoryMongo()
    writes: list[int] = []
    write = mongo.write

    async def noted(collection: str, documents: Sequence[Any]) -> Any:
        writes.append(len(documents))
        return await write(collection, documents)

    monkeypatch.setattr(mongo, "write", noted)
    worker = await worker_of(topics, mongo, budget)
    await worker.handler.handle(topics.records[:2])
    assert max(writes) <= budget.conflicts
    sizes = [[len(output.value or b"") for output in outputs] for outputs in topics.rounds]
    assert len(sizes) > 2
    assert all(sum(each[:-1]) < budget.outputs_bytes for each in sizes)
    assert Budget().outputs_bytes > MOST_CLAIMS * 700  # a record is smaller than a piece


async def test_a_part_ends_with_the_record_that_brings_it_to_the_claims_of_the_budget(
    topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dedup_handler, "PART_SECONDS", 600.0)
    for claims, parts in ((CROWD - 1, 4), (2 * (CROWD - 1), 2), (9 * CROWD, 1)):
        again = Topics()
        again.records = list(topics.records)
        worker = await worker_of(again, budget=Budget(2 * claims * CLAIM_BYTES))
        stored = 0
        store = worker.progress.store

        async def noted(*positions: Any, store: Any = store) -> None:
            nonlocal stored
            stored += 1
            await store(*positions)

        monkeypatch.setattr(worker.progress, "store", noted)
        assert not await worker.handler.handle(again.records[:4])
        assert stored == parts


async def test_a_crowd_never_holds_the_event_loop(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compared with work that holds it for 30 ms at a time in the same run: this machine may be busy."""
    mongo = MemoryMongo()

    write = mongo.write

    async def forgotten(collection: str, writes: Sequence[Any]) -> frozenset[int]:
        # The server's work is not this process's.
        return frozenset() if collection == CONFLICTS else await write(collection, writes)

    monkeypatch.setattr(mongo, "write", forgotten)
    monkeypatch.setattr(dedup_handler, "SETTLE_SECONDS", 600.0)
    worker = await worker_of(topics, mongo)
    gc.collect()
    gc.freeze()  # what the tests hold
    try:
        started = time.perf_counter()
        async with loop_gaps() as gaps:
            left = await worker.handler.handle(topics.records[:5])
        lowest = await floor(time.perf_counter() - started)
    finally:
        gc.unfreeze()
    assert left == []
    assert gaps.turns > 50
    assert gaps.largest < max(0.1, 3 * lowest)
