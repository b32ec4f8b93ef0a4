"""How far each partition's effects are stored: collection `progress`, `_id` `<service>/<topic>/<partition>`.

A document is `{next_offset, first_record_sha256, owner}`. The hash is that of the partition's first record:
with it a store that was written from other topics is told apart (aiokafka cannot read topic ids). `owner` is
the fencing token of the assignment that holds the partition, drawn at random when it begins: progress is
written only under it, so that of a process that was paused and wakes up, of a batch that outlasted its
rebalance, and of whoever was there before the store was dropped and written anew, nothing counts.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any

from shared.process.errors import NotYet, StopService, StoreRolledBack
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
        self._owner: dict[int, str] = {}

    async def load(self, partitions: Collection[int]) -> dict[int, int]:
        """Next offset of each partition, 0 where there is none; from then on it has a document, and is ours.

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
        owner = secrets.token_hex(8)
        # Progress that was never there could not be missed when the store is dropped in mid-batch.
        await self._mongo.write(
            COLLECTION,
            [
                UpdateOne(
                    {"_id": self._id(partition)},
                    {
                        "$set": {"owner": owner},
                        "$setOnInsert": {"next_offset": 0, "first_record_sha256": hashes[partition]},
                    },
                    upsert=True,
                )
                for partition in partitions
            ],
        )
        starts = await self.positions(partitions)  # no other owner can move them from here on
        self._hashes.update(hashes)
        self._written.update(starts)
        self._owner.update(dict.fromkeys(partitions, owner))
        return starts

    async def positions(self, partitions: Collection[int]) -> dict[int, int]:
        """Next offset of each partition, whoever holds it; 0 where there is none."""
        stored = await self._read(partitions)
        return {each: int(stored[each]["next_offset"]) if each in stored else 0 for each in partitions}

    async def check(self, partitions: Collection[int]) -> None:
        """Ask between a batch's last reading and its first effect: raises `StoreRolledBack` if progress is
        lower than was written.

        Then the database was dropped or restored under this process, and what it holds in memory is wrong.
        Raises `NotYet` if one of the partitions is not this process's any more.
        """
        # As it is before the store is asked: a batch may be settled meanwhile.
        written = {each: self._written[each] for each in partitions if each in self._written}
        owners = dict(self._owner)
        stored = await self._read(written)
        for partition, offset in written.items():
            found = int(stored[partition]["next_offset"]) if partition in stored else None
            if found is None or found < offset:
                raise StoreRolledBack(
                    f"progress of {self._prefix}/{partition} is {'gone' if found is None else found}, but "
                    f"this process wrote {offset}: the store was dropped or restored"
                )
        for partition in partitions:
            if partition not in written or stored[partition].get("owner") != owners[partition]:
                raise NotYet(f"{self._prefix}/{partition} is another process's by now")

    async def check_all(self) -> None:
        """`check` for every partition of this process; a batch may be in flight.

        That a partition is another's by now is no error here: the group tells so soon.
        """
        with contextlib.suppress(NotYet):
            await self.check(tuple(self._written))

    async def store(self, next_offsets: Mapping[int, int]) -> None:
        """Write progress after effects and outputs; it never goes down, since a paused process may wake.

        Raises `StoreRolledBack` and `NotYet` as `check` does, and then has not written all: a store that was
        dropped while the batch was in flight lacks everything before it, and must not look complete.
        """
        mine = {each: offset for each, offset in next_offsets.items() if each in self._written}
        unknown = [partition for partition in mine if self._hashes.get(partition) is None]
        if unknown:
            self._hashes.update(await self._first_records(unknown))
        found = await self._mongo.update_existing(
            COLLECTION,
            [
                UpdateOne(
                    {
                        "_id": self._id(partition),
                        "owner": self._owner[partition],
                        "next_offset": {"$gte": self._written[partition]},
                    },
                    {
                        "$max": {"next_offset": next_offset},
                        "$set": {"first_record_sha256": self._hashes.get(partition)},
                    },
                )
                for partition, next_offset in mine.items()
            ],
        )
        if found < len(next_offsets):
            await self.check(next_offsets.keys())
            raise NotYet(f"progress of {self._prefix} was not taken")
        self._written.update((each, offset) for each, offset in mine.items() if each in self._written)

    def forget(self, partitions: Collection[int]) -> None:
        """The partitions belong to another process now."""
        for partition in partitions:
            self._written.pop(partition, None)
            self._hashes.pop(partition, None)
            self._owner.pop(partition, None)

    async def _read(self, partitions: Iterable[int]) -> dict[int, dict[str, Any]]:
        ids = {self._id(partition): partition for partition in partitions}
        return {ids[found["_id"]]: found for found in await self._mongo.find_by_ids(COLLECTION, list(ids))}

    def _id(self, partition: int) -> str:
        return f"{self._prefix}/{partition}"
