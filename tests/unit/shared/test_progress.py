"""Progress that is looked at while a batch is being settled."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest

from shared.process.errors import StoreRolledBack
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
