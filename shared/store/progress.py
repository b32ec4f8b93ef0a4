"""How far each partition's effects are stored: collection `progress`, `_id` `<service>/<topic>/<partition>`.

A document is `{next_offset, first_record_sha256}`. The hash is that of the partition's first record: with it
a store that was written from other topics is told apart (aiokafka cannot read topic ids).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

from shared.process.errors import StopService, StoreRolledBack
from shared.store.mongo import Mongo, UpdateOne

COLLECTION = "progress"

FirstRecords = Callable[[Collection[int]], Awaitable[Mapping[int, str | None]]]
"""Partition → SHA-256 of its first record, None where it is empty (`shared.runtime.first_records`)."""


class ProgressStore:
    """The progress of one service on one topic."""

    def __init__(self, mongo: Mongo, service: str, topic: str, first_records: FirstRecords) -> None:
        self._mongo = mongo
        self._prefix = f"{service}/{topic}"
        self._first_records = first_records
        self._hashes: dict[int, str | None] = {}
        self._written: dict[int, int] = {}

    async def load(self, partitions: Collection[int]) -> dict[int, int]:
        """Next offset of each partition, 0 where there is none; from then on it has a document.

        Raises `StopService` if the store was written from a partition that began with another record.
        """
        stored = await self._read(partitions)
        hashes = await self._first_records(partitions)
        for partition, document in stored.items():
            known = document.get("first_record_sha256")
            if known is not None and known != hashes[partition]:
                raise StopService(
                    f"the store was written from another topic: {self._prefix}/{partition} began with "
                    "another record; point it to its own broker, or drop the database",
                    cause="foreign_store",
                )
        starts = {
            partition: int(stored[partition]["next_offset"]) if partition in stored else 0
            for partition in partitions
        }
        # Progress that was never there could not be missed when the store is dropped in mid-batch.
        await self._mongo.write(
            COLLECTION,
            [
                UpdateOne(
                    {"_id": self._id(partition)},
                    {"$setOnInsert": {"next_offset": 0, "first_record_sha256": hashes[partition]}},
                    upsert=True,
                )
                for partition in partitions
                if partition not in stored
            ],
        )
        self._hashes.update(hashes)
        self._written.update(starts)
        return starts

    async def positions(self, partitions: Collection[int]) -> dict[int, int]:
        """Next offset of each partition, whoever holds it; 0 where there is none."""
        stored = await self._read(partitions)
        return {each: int(stored[each]["next_offset"]) if each in stored else 0 for each in partitions}

    async def check(self, partitions: Collection[int]) -> None:
        """Ask between a batch's last reading and its first effect: raises `StoreRolledBack` if progress is
        lower than was written.

        Then the database was dropped or restored under this process, and what it holds in memory is wrong.
        """
        # As it is before the store is asked: a batch may be settled meanwhile.
        written = {each: self._written[each] for each in partitions if each in self._written}
        stored = await self._read(written)
        for partition, offset in written.items():
            found = int(stored[partition]["next_offset"]) if partition in stored else None
            if found is None or found < offset:
                raise StoreRolledBack(
                    f"progress of {self._prefix}/{partition} is {'gone' if found is None else found}, but "
                    f"this process wrote {offset}: the store was dropped or restored"
                )

    async def check_all(self) -> None:
        """`check` for every partition of this process; a batch may be in flight."""
        await self.check(tuple(self._written))

    async def store(self, next_offsets: Mapping[int, int]) -> None:
        """Write progress after effects and outputs; it never goes down, since a paused process may wake.

        Raises `StoreRolledBack` as `check` does, and then has not written: a store that was dropped while
        the batch was in flight lacks everything before it, and must not look complete.
        """
        # Whoever has a partition by now tells its progress; a batch that outlasted it does not.
        mine = {each: offset for each, offset in next_offsets.items() if each in self._written}
        unknown = [partition for partition in mine if self._hashes.get(partition) is None]
        if unknown:
            self._hashes.update(await self._first_records(unknown))
        found = await self._mongo.update_existing(
            COLLECTION,
            [
                UpdateOne(
                    {"_id": self._id(partition), "next_offset": {"$gte": self._written[partition]}},
                    {
                        "$max": {"next_offset": next_offset},
                        "$set": {"first_record_sha256": self._hashes.get(partition)},
                    },
                )
                for partition, next_offset in mine.items()
            ],
        )
        if found < len(mine):
            await self.check(mine.keys())
        self._written.update((each, offset) for each, offset in mine.items() if each in self._written)

    def forget(self, partitions: Collection[int]) -> None:
        """The partitions belong to another process now."""
        for partition in partitions:
            self._written.pop(partition, None)
            self._hashes.pop(partition, None)

    async def _read(self, partitions: Iterable[int]) -> dict[int, dict[str, Any]]:
        ids = {self._id(partition): partition for partition in partitions}
        return {ids[found["_id"]]: found for found in await self._mongo.find_by_ids(COLLECTION, list(ids))}

    def _id(self, partition: int) -> str:
        return f"{self._prefix}/{partition}"
