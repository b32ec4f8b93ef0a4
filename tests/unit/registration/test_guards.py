"""Each guard of the handler, and what would go wrong without it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from services.registration.store import BATCHES, REGISTRATIONS
from shared.commands.marker_reader import MarkerReader
from shared.contracts.events import EventType, Marker
from shared.contracts.topics import Topic
from shared.process.budget import CAPTURE_BATCH_BYTES, Budget
from shared.process.errors import NotYet, StoreRolledBack, TransientError
from shared.runtime.record import Output, Record
from tests.kit.memory_mongo import MemoryMongo
from tests.kit.registration_kit import event, raw, registration
from tests.unit.registration.test_dropped_store import FIRST, SECOND, MemoryOutputs, handler_on


class RefusingOutputs(MemoryOutputs):
    """Refuses the first sends, as a broker that is away."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals

    async def send(self, outputs: Sequence[Output]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise TransientError("outputs not acknowledged")
        await super().send(outputs)


class OvertakenMongo(MemoryMongo):
    """Another process stores the registrations first, once, and then the database is dropped."""

    overtaken = False

    async def write(self, collection: str, writes: Sequence[Any]) -> frozenset[int]:
        if collection == REGISTRATIONS and self.overtaken:
            self.overtaken = False
            self.collections.clear()
            return frozenset(range(len(writes)))
        return await super().write(collection, writes)


async def test_what_is_tried_again_is_counted_once() -> None:
    outputs = RefusingOutputs(3)
    handler = handler_on(MemoryMongo(), outputs)
    letter = raw(b"{")
    rejected = event(EventType.CORRECTED, registration(), offset=1, partition=letter.partition)
    await handler.assigned({letter.partition: None})
    for _ in range(3):
        with pytest.raises(TransientError):
            await handler.handle([letter, rejected])
    await handler.handle([letter, rejected])
    metrics = handler._parts.metrics
    assert metrics.dead_letters.labels(reason="json")._value.get() == 1
    assert metrics.records.labels(outcome="dead_lettered")._value.get() == 1
    assert metrics.records.labels(outcome="rejected")._value.get() == 1


class _AlwaysValid:
    """Takes every marker for a valid one of epoch 1."""

    async def valid(self, records: Sequence[Record]) -> list[Marker]:
        return [Marker(epoch=1, command_offset=0, as_of=0, audit_head="0" * 64) for _ in records]

    async def wait_until_old(self, _markers: Sequence[Marker]) -> None:
        return


class NotedOutputs(MemoryOutputs):
    """Notes what was sent together, and may refuse one of the sends, as a broker that is away."""

    def __init__(self, refused: int | None = None) -> None:
        super().__init__()
        self.refused = refused
        self.together: list[list[bytes | None]] = []

    async def send(self, outputs: Sequence[Output]) -> None:
        if len(self.together) == self.refused:
            raise TransientError("outputs not acknowledged")
        self.together.append([each.key for each in outputs])


async def with_a_marker(outputs: MemoryOutputs) -> None:
    """Settle an event, a marker and another event, all in one batch of one partition."""
    handler = handler_on(MemoryMongo(), outputs)
    handler._parts = replace(handler._parts, markers=cast(MarkerReader, _AlwaysValid()))
    marker = event(EventType.MARKER, {}, offset=1, key=b"!marker/1", partition=FIRST.partition)
    await handler.assigned({FIRST.partition: None})
    await handler.handle([FIRST, marker, replace(SECOND, offset=2)])


async def test_a_marker_is_sent_when_all_before_it_is_acknowledged_and_before_what_follows() -> None:
    outputs = NotedOutputs()
    await with_a_marker(outputs)
    assert outputs.together == [[FIRST.key], [b"!marker/1"], [FIRST.key]]


async def test_a_marker_is_not_sent_where_what_stands_before_it_was_not_acknowledged() -> None:
    outputs = NotedOutputs(refused=0)
    with pytest.raises(TransientError):
        await with_a_marker(outputs)
    assert outputs.together == []


async def test_a_store_that_is_dropped_while_another_process_overtakes_rejects_nobody() -> None:
    mongo, outputs = OvertakenMongo(), MemoryOutputs()
    handler = handler_on(mongo, outputs)
    await handler.assigned({FIRST.partition: None})
    await handler.handle([FIRST])
    sent = list(outputs.sent)
    mongo.overtaken = True
    with pytest.raises(StoreRolledBack):
        await handler.handle([SECOND])
    assert outputs.sent == sent
    assert not any(mongo.dump().values())


async def test_a_batch_of_partitions_that_were_given_up_has_no_effect() -> None:
    mongo, outputs = MemoryMongo(), MemoryOutputs()
    handler = handler_on(mongo, outputs)
    await handler.assigned({FIRST.partition: None})
    await handler.revoked([FIRST.partition])
    with pytest.raises(NotYet):
        await handler.handle([FIRST])
    assert outputs.sent == []
    assert set(mongo.dump()) == {"progress"} | {name for name in mongo.dump() if not mongo.dump()[name]}


async def test_a_batch_that_cannot_be_read_is_one_outcome_and_one_dead_letter_for_its_run() -> None:
    mongo, outputs = MemoryMongo(), MemoryOutputs()
    handler = handler_on(mongo, outputs)
    run = Record(Topic.EVENTS.value, 2, 7, 1, None, None, (), "undecodable_batch", 106, 9_000)
    following = event(EventType.CORRECTED, registration(), offset=107, partition=2)
    await handler.assigned({2: None})
    await handler.handle([run])
    assert handler._parts.holdings.all()[2].position == 107
    await handler.handle([following])
    outcomes = {each["_id"]: each for each in mongo.dump()["outcomes"]}
    assert set(outcomes) == {"2/7", "2/107"}
    assert outcomes["2/7"]["reason"] == "undecodable_batch"
    assert outcomes["2/7"]["last_offset"] == 106
    [letter] = [each for each in outputs.sent if each.topic == Topic.DEAD_LETTERS]
    headers = dict(letter.headers)
    assert (letter.partition, letter.key, letter.value) == (2, None, None)
    assert headers["rollstream-dlq-last-offset"] == b"106"
    assert headers["rollstream-dlq-bytes"] == b"9000"
    assert "rollstream-dlq-sha256" not in headers


async def test_hundreds_of_subjects_are_judged_in_slices_and_each_in_its_order() -> None:
    mongo, outputs = MemoryMongo(), MemoryOutputs()
    handler = handler_on(mongo, outputs)
    records: list[Record] = []
    for number in range(300):
        data = {"registration_id": f"R-{number}", "residence__village_code": "01020304"}
        for revision, event_type in ((1, EventType.REGISTERED), (2, EventType.CORRECTED)):
            record = event(event_type, registration(revision=revision, **data), event_id=f"e-{revision}")
            records.append(record)
    batch = [
        replace(each, offset=at) for at, each in enumerate(sorted(records, key=lambda each: each.headers))
    ]
    await handler.assigned(dict.fromkeys(range(4)))
    await handler.handle(batch)
    stored = mongo.dump()[REGISTRATIONS]
    assert len(stored) == 300
    assert all(
        [each["type"] for each in one["history"]] == [EventType.REGISTERED, EventType.CORRECTED]
        for one in stored
    )
    assert len([each for each in outputs.sent if each.topic == Topic.ACCEPTED]) == 600
    assert len(mongo.dump()[BATCHES]) == 1


async def test_rejections_go_to_their_own_producer_and_progress_waits_for_it() -> None:
    mongo, outputs, rejections = MemoryMongo(), MemoryOutputs(), RefusingOutputs(1)
    handler = handler_on(mongo, outputs, rejections=rejections)
    rejected = event(EventType.REGISTERED, registration(), event_id="again", offset=1)
    await handler.assigned({FIRST.partition: None})
    with pytest.raises(TransientError):
        await handler.handle([FIRST, rejected])
    assert [each["next_offset"] for each in mongo.dump()["progress"]] == [0]
    await handler.handle([FIRST, rejected])
    assert [each["next_offset"] for each in mongo.dump()["progress"]] == [2]
    assert [each.topic for each in rejections.sent] == [Topic.REJECTED]
    assert {each.topic for each in outputs.sent} == {Topic.ACCEPTED}


class CountingMongo(MemoryMongo):
    """Notes how many documents are asked for at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[str, list[int]] = {}

    async def find_by_ids(
        self, collection: str, ids: Iterable[str], projection: Any = None
    ) -> list[dict[str, Any]]:
        wanted = list(ids)
        if projection is None:
            self.asked.setdefault(collection, []).append(len(wanted))
        return await super().find_by_ids(collection, wanted, projection)


async def test_no_more_histories_and_capture_batches_are_read_at_once_than_the_budget_has_room_for() -> None:
    """A hostile batch names one of the largest registrations and capture batches with each event."""
    mongo = CountingMongo()
    handler = handler_on(mongo, MemoryOutputs())
    handler._parts = replace(handler._parts, budget=Budget(2 * CAPTURE_BATCH_BYTES))
    data = [
        {
            "registration_id": f"R-{number}",
            "capture__batch": f"B-{number}",
            "residence__village_code": "01020304",
        }
        for number in range(60)
    ]
    records = [event(EventType.REGISTERED, registration(**each), event_id="e-1") for each in data]
    await handler.assigned(dict.fromkeys(range(4)))
    await handler.handle([replace(each, offset=at) for at, each in enumerate(records)])
    assert (max(mongo.asked[REGISTRATIONS]), max(mongo.asked[BATCHES])) == (24, 8)
    assert (sum(mongo.asked[REGISTRATIONS]), sum(mongo.asked[BATCHES])) == (60, 60)
