"""Progress that is looked at while a batch is being settled."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest

from shared.process.errors import NotYet, StoreRolledBack
from shared.store.progress import COLLECTION, ProgressStore
from tests.kit.memory_mongo import MemoryMongo


async def _first_records(partitions: Collection[int]) -> Mapping[int, str | None]:
    return dict.fromkeys(partitions, "first")


class SlowMongo(MemoryMongo):
    """A store on which a batch is settled while one of its answers is under way."""

    async def find_by_ids(self, collection: str, ids: Any, _projection: Any = None) -> list[dict[str, Any]]:
        found = await super().find_by_ids(collection, ids)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return found

    meanwhile: Any = None


async def _progress(mongo: MemoryMongo, partitions: Sequence[int] = (0, 1)) -> ProgressStore:
    progress = ProgressStore(mongo.as_mongo(), "s", "t", _first_records)
    await progress.load(partitions)
    await progress.store({0: 5})
    return progress


async def test_a_batch_that_is_settled_meanwhile_is_no_store_rolled_back() -> None:
    mongo = SlowMongo()
    progress = await _progress(mongo)
    mongo.meanwhile = lambda: progress.store({0: 9})
    await progress.check_all()
    assert mongo.meanwhile is None
    assert mongo.collection(COLLECTION).documents["s/t/0"]["next_offset"] == 9


async def test_every_partition_of_the_process_is_looked_at_and_no_other() -> None:
    mongo = MemoryMongo()
    progress = await _progress(mongo)
    del mongo.collection(COLLECTION).documents["s/t/1"]
    with pytest.raises(StoreRolledBack, match="s/t/1 is gone, but this process wrote 0"):
        await progress.check_all()
    progress.forget([1])
    await progress.check_all()


async def test_a_batch_of_a_partition_that_was_given_up_is_stopped_before_its_effects() -> None:
    mongo = MemoryMongo()
    progress = await _progress(mongo)
    progress.forget([0])
    for asked in (progress.check([0, 1]), progress.store({0: 9, 1: 2})):
        with pytest.raises(NotYet, match="s/t/0 is another process's by now"):
            await asked
    assert mongo.collection(COLLECTION).documents["s/t/0"]["next_offset"] == 5


async def test_progress_is_refused_to_whoever_does_not_hold_the_partitions_newest_token() -> None:
    mongo = MemoryMongo()
    before = await _progress(mongo)
    after = await _progress(mongo)
    with pytest.raises(NotYet, match="another process's"):
        await before.store({0: 50})
    assert mongo.collection(COLLECTION).documents["s/t/0"]["next_offset"] == 5
    await after.store({0: 6})
    tokens = [each["owner"] for each in mongo.collection(COLLECTION).documents.values()]
    await after.load([0])
    assert mongo.collection(COLLECTION).documents["s/t/0"]["owner"] not in tokens, (
        "each assignment has its own"
    )


async def test_a_store_that_was_dropped_and_written_anew_refuses_who_was_there_before() -> None:
    mongo = MemoryMongo()
    paused = await _progress(mongo)
    mongo.collection(COLLECTION).documents.clear()
    owner = await _progress(mongo)
    await owner.store({0: 7})
    with pytest.raises(NotYet, match="another process's"):
        await paused.store({0: 20})
    assert mongo.collection(COLLECTION).documents["s/t/0"]["next_offset"] == 7


async def test_what_another_owner_stored_last_is_where_a_new_one_starts() -> None:
    mongo = SlowMongo()
    before = await _progress(mongo)
    after = ProgressStore(mongo.as_mongo(), "s", "t", _first_records)
    mongo.meanwhile = lambda: before.store({0: 9})  # while the new owner reads what is there
    assert await after.load([0]) == {0: 9}


async def test_progress_below_what_was_written_is_a_store_rolled_back_though_the_owner_is_the_same() -> None:
    mongo = MemoryMongo()
    progress = await _progress(mongo)
    mongo.collection(COLLECTION).documents["s/t/0"]["next_offset"] = 3
    for asked in (progress.check([0]), progress.store({0: 9})):
        with pytest.raises(StoreRolledBack, match="is 3, but this process wrote 5"):
            await asked
    assert mongo.collection(COLLECTION).documents["s/t/0"]["next_offset"] == 3
