"""A store is rebuilt while new events come: receipts end up right, and nothing is answered anew."""

import json
from collections import Counter
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from shared.contracts.events import EventType
from shared.contracts.topics import Topic, partition_for
from shared.runtime.record import Record
from tests.kit.memory_mongo import MemoryMongo
from tests.kit.registration_kit import DEVICE, PARTITIONS, batch_closed, event, registration
from tests.unit.registration.test_dropped_store import MemoryOutputs, handler_on

HOME = partition_for(DEVICE.encode(), PARTITIONS)
ELSEWHERE = [number for number in range(PARTITIONS) if number != HOME]


def captured(sequence: int, partition: int, offset: int = 0) -> Record:
    """A capture of the batch, of a registration of that partition."""
    ids = (f"R-{sequence}-{number}" for number in range(1000))
    mine = next(each for each in ids if partition_for(each.encode(), PARTITIONS) == partition)
    data = registration(registration_id=mine, capture__sequence=sequence)
    return event(EventType.REGISTERED, data, event_id=f"e-{sequence}", offset=offset)


CLOSE = event(EventType.BATCH_CLOSED, batch_closed(), event_id="close")
OLD = [captured(1, ELSEWHERE[0]), CLOSE]
"""What the group has committed, each in a partition of its own."""
NEW = [captured(2, ELSEWHERE[1])]
"""What came after the store was lost."""
COMMITTED = {each.partition: each.offset + 1 for each in OLD} | {ELSEWHERE[1]: 0}


async def settled(
    mongo: MemoryMongo, outputs: MemoryOutputs, order: Sequence[Record], together: bool
) -> None:
    """Settle the records in this order, by one process or by one for each partition."""
    partitions = {record.partition for record in order}
    one = handler_on(mongo, outputs, COMMITTED)
    processes = {each: one if together else handler_on(mongo, outputs, COMMITTED) for each in partitions}
    for group in [partitions] if together else [{each} for each in partitions]:
        await processes[min(group)].assigned({each: COMMITTED[each] for each in group})
    for record in order:
        await processes[record.partition].handle([record])


def receipts(outputs: MemoryOutputs) -> list[dict[str, Any]]:
    return [json.loads(each.value or b"") for each in outputs.sent if each.topic == Topic.RECEIPTS]


@pytest.mark.parametrize("together", [True, False], ids=["one process", "one a partition"])
@pytest.mark.parametrize("order", list(permutations([*OLD, *NEW])))
async def test_the_last_receipt_is_right_wherever_a_new_event_comes_in_a_rebuild(
    order: tuple[Record, ...], together: bool
) -> None:
    outputs = MemoryOutputs()
    await settled(MemoryMongo(), outputs, order, together)
    last = receipts(outputs)[-1]
    assert (last["received"], last["missing"], last["complete"]) == (2, [3], False)
    sent = Counter(each.topic for each in outputs.sent)
    assert sent[Topic.ACCEPTED] == 1


@pytest.mark.parametrize("together", [True, False], ids=["one process", "one a partition"])
@pytest.mark.parametrize("order", list(permutations(OLD)))
async def test_a_rebuild_without_new_events_sends_no_receipt(
    order: tuple[Record, ...], together: bool
) -> None:
    outputs = MemoryOutputs()
    await settled(MemoryMongo(), outputs, order, together)
    assert outputs.sent == []


async def test_an_old_backup_of_an_answered_batch_sends_no_receipt_anew() -> None:
    mongo = MemoryMongo()
    first = handler_on(mongo, MemoryOutputs())
    await first.assigned({each.partition: None for each in OLD})
    await first.handle([CLOSE])
    outputs = MemoryOutputs()
    await settled(mongo, outputs, [OLD[0]], together=True)
    assert outputs.sent == []


async def test_once_the_store_is_whole_again_batches_are_as_they_would_have_been() -> None:
    mongo, undisturbed = MemoryMongo(), MemoryMongo()
    await settled(mongo, MemoryOutputs(), [*OLD, *NEW], together=True)
    handler = handler_on(undisturbed, MemoryOutputs())
    await handler.assigned({each.partition: None for each in [*OLD, *NEW]})
    await handler.handle([*OLD, *NEW])
    assert mongo.dump()["capture_batches"] == undisturbed.dump()["capture_batches"]
