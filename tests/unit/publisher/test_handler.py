"""What a batch of checked records leaves in the store, whatever fails or comes between."""

from collections.abc import Sequence

import pytest

from services.publisher.registrations import Document
from services.publisher.store import CLAIMS, EPOCHS, ROLL, EpochEnd, RollStore
from shared.commands.state import PairKey
from shared.contracts.commands import CommandType
from shared.contracts.topics import Topic
from shared.process.errors import NotYet, StoreRolledBack, TransientError, UnreadableRecord
from shared.runtime.record import Record, fingerprint
from shared.store.progress import COLLECTION
from tests.kit.checked_records import checked_output
from tests.kit.memory_mongo import MemoryMongo
from tests.kit.publisher_desk import PARTITIONS, Desk


def desk_with_records() -> Desk:
    desk = Desk()
    desk.commands.cut_off(1)
    desk.commands.finalise()
    claims = (("r-1", "first"),)
    desk.records(
        1,
        [
            checked_output("r-1", 0, PARTITIONS, village="01020304"),
            checked_output("r-2", 1, PARTITIONS, village="02030405", claims=claims),
        ],
    )
    return desk


class Fails(RollStore):
    """Fails instead of one of its writes."""

    def __init__(self, mongo: MemoryMongo, at: str) -> None:
        super().__init__(mongo.as_mongo())
        self._at = at

    async def save(self, documents: Sequence[Document]) -> None:
        await self._or_fail("save")
        await super().save(documents)

    async def add_claims(self, claims: dict[PairKey, int]) -> None:  # type: ignore[override]
        await self._or_fail("add_claims")
        await super().add_claims(claims)

    async def end_epochs(self, ends: Sequence[EpochEnd]) -> None:
        await self._or_fail("end_epochs")
        await super().end_epochs(ends)

    async def _or_fail(self, what: str) -> None:
        if what == self._at:
            raise TransientError("the store is away")


@pytest.mark.parametrize("at", ["save", "add_claims", "end_epochs"])
async def test_an_epoch_is_complete_only_with_its_whole_roll_and_all_its_claims(at: str) -> None:
    desk = desk_with_records()
    with pytest.raises(TransientError):
        await desk.read(*desk.checked, roll=Fails(desk.mongo, at))
    assert all(each["next_offset"] == 0 for each in desk.mongo.dump()[COLLECTION])
    await desk.finaliser().judge_all()
    assert desk.sent() == {}
    await desk.read(*desk.checked)
    found = desk.mongo.dump()
    assert (len(found[ROLL]), len(found[CLAIMS]), len(found[EPOCHS])) == (2, 1, PARTITIONS)


async def test_a_store_dropped_under_the_process_gets_no_effect_of_its_batch() -> None:
    desk = desk_with_records()
    handler = desk.handler()
    await handler.assigned(dict.fromkeys(range(PARTITIONS)))
    await handler.handle(desk.checked[:1])
    desk.mongo.collections.clear()
    with pytest.raises(StoreRolledBack):
        await handler.handle(desk.checked[1:])
    assert not any(desk.mongo.dump().values())


async def test_of_two_who_read_a_registration_at_once_the_second_to_store_it_reads_again() -> None:
    mongo = MemoryMongo()
    roll = RollStore(mongo.as_mongo())
    first = {"_id": "r-1", "revision": 1, "slots": ["first"]}
    await roll.save([first])
    with pytest.raises(NotYet):
        await roll.save([{**first, "slots": ["second"]}])
    assert mongo.dump()[ROLL] == [first]
    await roll.save([{**first, "revision": 2, "slots": ["first", "second"]}])
    with pytest.raises(NotYet):
        await roll.save([{**first, "revision": 2, "slots": ["first", "third"]}])
    assert mongo.dump()[ROLL][0]["slots"] == ["first", "second"]


def skip(desk: Desk, record: Record) -> None:
    """Two officers have the record passed over."""
    data = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "record_sha256": fingerprint(record),
        "reason": "a test tool wrote it",
    }
    desk.commands.command(CommandType.SKIPPED, data, "admin")


async def test_a_foreign_record_stops_the_publisher_until_two_officers_skip_it_and_leaves_no_trace() -> None:
    plain, desk = desk_with_records(), desk_with_records()
    foreign = Record(
        Topic.CHECKED.value, 1, next(desk.offsets[1]), 0, None, None, (), "undecodable_batch", 40
    )
    with pytest.raises(UnreadableRecord, match=r"rollstream skip registration\.checked\.v1/1/"):
        await desk.read(*desk.checked, foreign)
    skip(desk, foreign)
    await desk.read(*desk.checked, foreign)
    await plain.read(*plain.checked)
    found = desk.mongo.dump()
    assert {each["_id"]: each["next_offset"] for each in found[COLLECTION]}[
        f"publisher/{Topic.CHECKED.value}/1"
    ] == 41
    assert found[ROLL] == plain.mongo.dump()[ROLL]
    assert len(found[EPOCHS]) == PARTITIONS


async def test_a_checked_record_is_read_whatever_officers_say() -> None:
    desk = desk_with_records()
    for record in list(desk.checked):
        skip(desk, record)
    await desk.read(*desk.checked)
    assert len(desk.mongo.dump()[ROLL]) == 2
