"""Receipts: once a look, from the holder of the device's partition, the last one right, and none anew."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, cast

import pytest

from services.registration.handler import RegistrationHandler
from services.registration.outputs import OutputBuilder
from services.registration.receipts import ReceiptSender
from services.registration.store import BATCHES
from shared.contracts.events import EventType
from shared.contracts.identity import arrival_hash, batch_content
from shared.contracts.topics import Topic, partition_for
from shared.process.budget import CAPTURE_BATCH_BYTES, Budget
from shared.process.errors import NotYet, StoreRolledBack, TransientError
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output, Record
from tests.kit.memory_mongo import MemoryMongo
from tests.kit.registration_kit import DEVICE, PARTITIONS, REGISTER, batch_closed, event, registration
from tests.unit.registration.test_dropped_store import MemoryOutputs, handler_on

HOME = partition_for(DEVICE.encode(), PARTITIONS)
ELSEWHERE = [number for number in range(PARTITIONS) if number != HOME]


def captured(sequence: int, partition: int, offset: int = 0) -> Record:
    """A capture of the batch, of a registration of that partition."""
    ids = (f"R-{sequence}-{number}" for number in range(1000))
    mine = next(each for each in ids if partition_for(each.encode(), PARTITIONS) == partition)
    data = registration(registration_id=mine, capture__sequence=sequence)
    return event(EventType.REGISTERED, data, event_id=f"e-{sequence}", offset=offset)


def closing(offset: int = 0, **changes: Any) -> Record:
    return event(EventType.BATCH_CLOSED, batch_closed(**changes), event_id=f"close-{offset}", offset=offset)


CLOSE = closing()
OLD = [captured(1, ELSEWHERE[0]), CLOSE]
"""What the group has committed, each in a partition of its own."""
NEW = captured(2, ELSEWHERE[1])
"""What came after the store was lost."""
COMMITTED = {each.partition: each.offset + 1 for each in OLD} | {ELSEWHERE[1]: 0}
TOLD_OF_OLD = (1, [[2, 3]], False)


class TopicOutputs(MemoryOutputs):
    """What was sent; `before` is called with each list of outputs before it is there."""

    before: Callable[[Sequence[Output]], None] | None = None

    async def send(self, outputs: Sequence[Output]) -> None:
        if self.before is not None:
            self.before(outputs)
        await super().send(outputs)

    async def read(self) -> AsyncIterator[Record]:
        for each in list(self.sent):
            if each.topic == Topic.RECEIPTS:
                yield Record(each.topic, each.partition, 0, 0, each.key, each.value, ())

    def receipts(self) -> list[dict[str, Any]]:
        return [json.loads(each.value or b"") for each in self.sent if each.topic == Topic.RECEIPTS]


@dataclass
class Process:
    """A process of the service: its handler, and what sends its receipts."""

    handler: RegistrationHandler
    sender: ReceiptSender


def process_on(
    mongo: MemoryMongo, outputs: TopicOutputs, committed: Mapping[int, int] | None = None
) -> Process:
    handler = handler_on(mongo, outputs, committed)
    parts = handler._parts
    sender = ReceiptSender(
        parts.store,
        parts.progress,
        parts.rebuild,
        parts.holdings,
        OutputBuilder(REGISTER, PARTITIONS),
        cast(Outputs, outputs),
        outputs.read,
        parts.metrics,
        parts.budget,
    )
    return Process(handler, sender)


async def settled(
    mongo: MemoryMongo,
    outputs: TopicOutputs,
    order: Sequence[Record],
    together: bool,
    committed: Mapping[int, int] = COMMITTED,
) -> None:
    """Settle the records in this order, by one process or by one for each partition; all look after each."""
    partitions = set(COMMITTED)
    one = process_on(mongo, outputs, committed)
    processes = {each: one if together else process_on(mongo, outputs, committed) for each in partitions}
    for group in [partitions] if together else [{each} for each in partitions]:
        await processes[min(group)].handler.assigned({each: committed.get(each) for each in group})
    for record in order:
        await processes[record.partition].handler.handle([record])
        for each in [one] if together else processes.values():
            await each.sender.send_owed()


def told(receipt: Mapping[str, Any]) -> tuple[int, list[list[int]], bool]:
    return receipt["received"], receipt["missing"], receipt["complete"]


async def answered() -> TopicOutputs:
    """The topics as they were before the store was lost."""
    outputs = TopicOutputs()
    await settled(MemoryMongo(), outputs, OLD, together=True, committed={})
    assert told(outputs.receipts()[-1]) == TOLD_OF_OLD
    return outputs


async def one_process(*records: Record) -> tuple[MemoryMongo, TopicOutputs, Process]:
    """A process that holds all partitions and has settled these records; nothing is sent of receipts yet."""
    mongo, outputs = MemoryMongo(), TopicOutputs()
    process = process_on(mongo, outputs)
    await process.handler.assigned(dict.fromkeys(range(PARTITIONS)))
    await process.handler.handle(records)
    return mongo, outputs, process


TOGETHER = pytest.mark.parametrize("together", [True, False], ids=["one process", "one a partition"])


@TOGETHER
@pytest.mark.parametrize("order", list(permutations([*OLD, NEW])))
async def test_the_last_receipt_is_right_wherever_a_new_event_comes_in_a_rebuild(
    order: tuple[Record, ...], together: bool
) -> None:
    outputs = await answered()
    before = len(outputs.receipts())
    await settled(MemoryMongo(), outputs, order, together)
    assert [told(each) for each in outputs.receipts()[before:]] in (
        [(2, [[3, 3]], False)],
        [TOLD_OF_OLD, (2, [[3, 3]], False)],
    )
    assert Counter(each.topic for each in outputs.sent)[Topic.ACCEPTED] == 2


@TOGETHER
@pytest.mark.parametrize("order", list(permutations(OLD)))
async def test_a_rebuild_without_new_events_sends_no_receipt_anew(
    order: tuple[Record, ...], together: bool
) -> None:
    outputs = await answered()
    before = list(outputs.sent)
    mongo = MemoryMongo()
    await settled(mongo, outputs, order, together)
    assert outputs.sent == before
    [batch] = mongo.dump()[BATCHES]
    assert batch["owed"] is None


@TOGETHER
async def test_a_receipt_that_was_owed_when_the_store_was_lost_is_sent_after_the_rebuild(
    together: bool,
) -> None:
    outputs = TopicOutputs()
    await settled(MemoryMongo(), outputs, OLD, together)
    assert [told(each) for each in outputs.receipts()] == [TOLD_OF_OLD]


async def test_an_old_backup_of_an_answered_batch_sends_no_receipt_anew() -> None:
    outputs = await answered()
    before = list(outputs.sent)
    mongo = MemoryMongo()
    await settled(mongo, TopicOutputs(), [CLOSE], together=True, committed={})
    await settled(mongo, outputs, [OLD[0]], together=True)
    assert outputs.sent == before


async def test_a_receipt_that_was_owed_in_an_old_backup_and_sent_since_is_not_sent_anew() -> None:
    outputs = await answered()
    before = list(outputs.sent)
    mongo, _, _ = await one_process(CLOSE)
    await settled(mongo, outputs, [OLD[0]], together=True)
    assert outputs.sent == before


async def test_what_an_old_backup_owes_and_nobody_sent_is_sent() -> None:
    mongo, outputs, _ = await one_process(CLOSE)
    await settled(mongo, outputs, [OLD[0]], together=True)
    assert [told(each) for each in outputs.receipts()] == [TOLD_OF_OLD]


async def test_once_the_store_is_whole_again_batches_are_as_they_would_have_been() -> None:
    outputs = await answered()
    mongo, undisturbed = MemoryMongo(), MemoryMongo()
    await settled(mongo, outputs, [*OLD, NEW], together=True)
    await settled(undisturbed, TopicOutputs(), [*OLD, NEW], together=True, committed={})
    assert mongo.dump()[BATCHES] == undisturbed.dump()[BATCHES]


async def test_a_receipt_tells_the_content_of_what_arrived() -> None:
    _, outputs, process = await one_process(*OLD)
    await process.sender.send_owed()
    [receipt] = outputs.receipts()
    record = OLD[0]
    content = arrival_hash(REGISTER, EventType.REGISTERED, "e-1", json.loads(record.value or b""))
    assert receipt["content"] == batch_content([(1, content or "")])


async def test_a_batch_that_is_closed_150_times_has_one_small_receipt_a_look() -> None:
    closes = [closing(each, last_sequence=9_999, count=9_999) for each in range(150)]
    _, outputs, process = await one_process(*closes)
    await process.sender.send_owed()
    await process.sender.send_owed()
    [receipt] = [each for each in outputs.sent if each.topic == Topic.RECEIPTS]
    assert len(receipt.value or b"") < 512
    await process.handler.handle([closing(150)])
    await process.sender.send_owed()
    assert [each["count"] for each in outputs.receipts()] == [9_999, 3]


async def test_more_batches_than_are_read_at_once_have_a_receipt_each() -> None:
    closes = [closing(each, batch=f"B-{each}") for each in range(10)]
    _, outputs, process = await one_process(*closes)
    process.sender._budget = Budget(CAPTURE_BATCH_BYTES)
    assert process.sender._budget.capture_batches == 4
    await process.sender.send_owed()
    assert sorted(each["batch"] for each in outputs.receipts()) == sorted(f"B-{each}" for each in range(10))
    assert process.handler._parts.metrics.receipts_owed._value.get() == 0


async def test_closed_batches_that_lack_events_are_counted_once_in_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, _, process = await one_process(*OLD, captured(9, ELSEWHERE[0], offset=50))
    gauge = process.handler._parts.metrics.batches_incomplete._value
    await process.sender.send_owed()
    assert gauge.get() == 1
    rest = [captured(each, ELSEWHERE[0], offset=60 + each) for each in (2, 3)]
    await process.handler.handle(rest)
    await process.sender.send_owed()
    assert gauge.get() == 1  # it looks again in 30 s
    monkeypatch.setattr(process.sender, "_count_again", 0.0)
    await process.sender.send_owed()
    assert gauge.get() == 0


async def test_what_changes_while_a_receipt_is_under_way_has_another() -> None:
    mongo, outputs, process = await one_process(*OLD)

    def more(_outputs: Sequence[Output]) -> None:
        outputs.before = None
        # What another process would have stored meanwhile, as far as the guard sees it.
        mongo.collection(BATCHES).documents[f"{DEVICE}/D-0042-20261020-1"]["state"] = "other"

    outputs.before = more
    await process.sender.send_owed()
    await process.sender.send_owed()
    assert len(outputs.receipts()) == 2


async def test_the_old_receipt_of_a_process_that_was_paused_is_not_the_last() -> None:
    mongo, outputs, paused = await one_process(*OLD)
    other = process_on(mongo, outputs)
    await other.handler.assigned(dict.fromkeys(range(PARTITIONS)))
    old = await paused.handler._parts.store.owed(range(PARTITIONS), "", 10)
    await other.handler.handle([NEW])
    await other.sender.send_owed()
    await outputs.send(paused.sender._receipts(old, {}))
    await paused.handler._parts.store.receipts_sent(old)
    await other.sender.send_owed()
    assert [told(each)[0] for each in outputs.receipts()] == [2, 1, 2]


async def test_of_two_who_add_to_one_batch_at_the_same_moment_neither_is_lost() -> None:
    class Overtaken(MemoryMongo):
        """Lets another process add to the batch between this one's reading and writing."""

        async def write(self, collection: str, writes: Sequence[Any]) -> frozenset[int]:
            if collection == BATCHES and waiting:
                await other.handler.handle([waiting.pop()])
            return await super().write(collection, writes)

    waiting: list[Record] = []
    mongo, outputs = Overtaken(), TopicOutputs()
    this, other = process_on(mongo, outputs), process_on(mongo, outputs)
    await this.handler.assigned({HOME: None, OLD[0].partition: None})
    await other.handler.assigned({NEW.partition: None})
    await this.handler.handle([CLOSE])
    waiting.append(NEW)
    await this.handler.handle([OLD[0]])
    await this.sender.send_owed()
    assert [told(each) for each in outputs.receipts()] == [(2, [[3, 3]], False)]


async def test_a_process_whose_partition_was_taken_over_sends_nothing() -> None:
    mongo, outputs, paused = await one_process(*OLD)
    await process_on(mongo, outputs).handler.assigned({HOME: None})
    with pytest.raises(NotYet):
        await paused.sender.send_owed()
    assert outputs.receipts() == []


async def test_only_the_holder_of_the_devices_partition_sends() -> None:
    mongo, outputs = MemoryMongo(), TopicOutputs()
    home, elsewhere = process_on(mongo, outputs), process_on(mongo, outputs)
    await home.handler.assigned({HOME: None})
    await elsewhere.handler.assigned(dict.fromkeys(ELSEWHERE))
    await home.handler.handle([CLOSE])
    await elsewhere.handler.handle([OLD[0]])
    await elsewhere.sender.send_owed()
    assert outputs.receipts() == []
    await home.sender.send_owed()
    assert [told(each) for each in outputs.receipts()] == [TOLD_OF_OLD]


async def test_a_receipt_that_was_not_acknowledged_is_sent_again() -> None:
    _, outputs, process = await one_process(*OLD)

    def away(_outputs: Sequence[Output]) -> None:
        outputs.before = None
        raise TransientError("outputs not acknowledged")

    outputs.before = away
    with pytest.raises(TransientError):
        await process.sender.send_owed()
    assert process.handler._parts.metrics.receipts_owed._value.get() == 1
    await process.sender.send_owed()
    assert [told(each) for each in outputs.receipts()] == [TOLD_OF_OLD]


async def test_nothing_is_told_of_a_store_that_was_taken_away() -> None:
    mongo, outputs, process = await one_process(*OLD)
    mongo.collections.pop("progress")
    with pytest.raises(StoreRolledBack):
        await process.sender.send_owed()
    assert outputs.receipts() == []
