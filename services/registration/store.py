"""MongoDB as registration sees it: every write is a guarded or a commutative single-document upsert."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, get_args

from services.registration.batches import Batch, BatchChange, Owed
from services.registration.history import Close
from services.registration.markers import Epochs
from services.registration.registrations import Registration
from shared.process.errors import NotYet
from shared.store.mongo import IndexModel, Mongo, ReplaceOne, UpdateOne

REGISTRATIONS = "registrations"
OUTCOMES = "outcomes"
BATCHES = "capture_batches"
EPOCHS = "epochs"

_MOST_TRIES = 20


class Store:
    """The collections `registrations`, `outcomes`, `capture_batches` and `epochs`."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def prepare(self) -> None:
        """Make the indexes by which an event, and what is owed, is found; repeating it is harmless."""
        for collection, field in (
            (REGISTRATIONS, "history.event_id"),
            (BATCHES, "closes.event_id"),
            (OUTCOMES, "event_id"),
        ):
            await self._mongo.collection(collection).create_indexes(
                [IndexModel([(field, 1)], name="by_event")]
            )
        await self._mongo.collection(BATCHES).create_indexes(
            [
                IndexModel([("owed", 1), ("partition", 1), ("_id", 1)], name="by_owed"),
                IndexModel([("complete", 1), ("count", 1)], name="by_complete"),
            ]
        )
        await self._mongo.collection(OUTCOMES).create_indexes(
            [
                IndexModel([("registration_id", 1)], name="by_registration"),
                # Only a run of offsets that could not be decoded has one.
                IndexModel([("last_offset", 1)], name="by_run", sparse=True),
            ]
        )

    async def registrations(self, ids: Collection[str]) -> dict[str, Registration]:
        """The registrations with these ids; one that is not there is new."""
        found = {each: Registration(each) for each in ids}
        for document in await self._mongo.find_by_ids(REGISTRATIONS, list(ids)):
            found[document["_id"]] = Registration.of(document)
        return found

    async def save_registrations(self, registrations: Sequence[Registration]) -> list[str]:
        """Store each if nobody did meanwhile; answers the ids of those that somebody did.

        The guard is the last offset that was read, and the document is replaced whole.
        """
        lost = await self._mongo.write(
            REGISTRATIONS,
            [
                ReplaceOne({"_id": each.id, "last_offset": each.stored_offset}, each.document(), upsert=True)
                for each in registrations
            ],
        )
        return [registrations[at].id for at in lost]

    async def save_outcomes(self, outcomes: Iterable[Mapping[str, Any]]) -> None:
        """Store outcomes once and for all: the first one stays, and any later one is the same."""
        await self._mongo.write(
            OUTCOMES,
            [
                UpdateOne(
                    {"_id": outcome["_id"]},
                    {"$setOnInsert": {name: value for name, value in outcome.items() if name != "_id"}},
                    upsert=True,
                )
                for outcome in outcomes
            ],
        )

    async def closes(self, batch_ids: Collection[str]) -> dict[str, list[Close]]:
        """The accepted closes of these batches, in order of offset."""
        found: dict[str, list[Close]] = {each: [] for each in batch_ids}
        for document in await self._mongo.find_by_ids(BATCHES, list(batch_ids), {"closes": 1}):
            closes = [Close.of(each) for each in document.get("closes", ())]
            found[document["_id"]] = sorted(closes, key=lambda close: close.offset)
        return found

    async def change_batches(
        self, changes: Mapping[str, BatchChange], partition_of: Callable[[str], int], at_once: int
    ) -> None:
        """Add to capture batches (batch id → change), `at_once` of them at a time; repeating it is harmless.

        Raises NotYet if others keep changing the same ones.
        """
        ids = list(changes)
        for at in range(0, len(ids), at_once):
            left = ids[at : at + at_once]
            for _ in range(_MOST_TRIES):
                batches = {each: Batch(each, partition_of(each)) for each in left}
                for document in await self._mongo.find_by_ids(BATCHES, left):
                    batches[document["_id"]] = Batch.of(document)
                for batch in batches.values():
                    batch.add(changes[batch.id])
                    await asyncio.sleep(0)  # a full one takes 20 ms: heartbeats go on between them
                left = await self._save_batches([each for each in batches.values() if each.changed])
                if not left:
                    break
            else:
                raise NotYet("others keep changing the same capture batches")

    async def _save_batches(self, batches: Sequence[Batch]) -> list[str]:
        """Store each if nobody did meanwhile; answers the ids of those that somebody did."""
        writes = [ReplaceOne(each.stored, each.document(), upsert=True) for each in batches]
        return [batches[at].id for at in await self._mongo.write(BATCHES, writes)]

    async def owed(self, partitions: Collection[int], after: str, most: int) -> list[Batch]:
        """The first `most` batches of these partitions, by id from `after` on, whose receipt is owed."""
        found = self._mongo.collection(BATCHES).find(
            {
                "owed": {"$in": list(get_args(Owed))},
                "partition": {"$in": list(partitions)},
                "_id": {"$gt": after},
            }
        )
        return [Batch.of(each) for each in await found.sort("_id", 1).limit(most).to_list(None)]

    async def count_owed(self, partitions: Collection[int]) -> int:
        """How many batches of these partitions have a receipt to be sent."""
        owed = {"owed": {"$in": list(get_args(Owed))}, "partition": {"$in": list(partitions)}}
        return int(await self._mongo.collection(BATCHES).count_documents(owed))

    async def count_incomplete(self, partitions: Collection[int]) -> int:
        """How many closed batches of these partitions lack events."""
        # `count` is null while a batch is not closed.
        lacking = {"complete": False, "count": {"$gte": 0}, "partition": {"$in": list(partitions)}}
        return int(await self._mongo.collection(BATCHES).count_documents(lacking))

    async def doubt_owed(self) -> None:
        """The store is an old one: what was owed when it was copied may have been sent since."""
        await self._mongo.collection(BATCHES).update_many({"owed": "new"}, {"$set": {"owed": "check"}})

    async def receipts_sent(self, batches: Sequence[Batch]) -> None:
        """Their receipts are on the topic, as the batches were read.

        One that somebody changed meanwhile owes another, whatever it was that changed: if that somebody has
        sent theirs before ours, ours must not be the last on the topic.
        """
        settled = [UpdateOne(each.stored, {"$set": {"owed": None}}) for each in batches]
        if await self._mongo.update_existing(BATCHES, settled) == len(batches):
            return
        states = {each.id: each.stored["state"] for each in batches}
        found = await self._mongo.find_by_ids(BATCHES, list(states), {"state": 1})
        changed = [each["_id"] for each in found if each["state"] != states[each["_id"]]]
        await self._mongo.update_existing(
            BATCHES, [UpdateOne({"_id": each}, {"$set": {"owed": "new"}}) for each in changed]
        )

    async def epochs(self, partitions: Collection[int]) -> dict[int, Epochs]:
        """The valid markers that were met in these partitions."""
        names = {str(partition): partition for partition in partitions}
        found = {partition: Epochs() for partition in partitions}
        for document in await self._mongo.find_by_ids(EPOCHS, list(names)):
            for marker in document["markers"]:
                found[names[document["_id"]]].end(marker["epoch"], marker["offset"])
        return found

    async def end_epochs(self, markers: Sequence[tuple[int, int, int]]) -> None:
        """Store valid markers: (partition, epoch, offset)."""
        ends: dict[str, list[dict[str, int]]] = {}
        for partition, epoch, offset in markers:
            ends.setdefault(str(partition), []).append({"epoch": epoch, "offset": offset})
        await self._upsert_all(
            EPOCHS, {name: {"$addToSet": {"markers": {"$each": each}}} for name, each in ends.items()}
        )

    async def _upsert_all(self, collection: str, updates: Mapping[str, Mapping[str, Any]]) -> None:
        """Upserts by `_id` alone. Of two that insert at the same moment one may meet the other's document."""
        left = list(updates.items())
        for _ in range(_MOST_TRIES):
            writes = [UpdateOne({"_id": each}, dict(update), upsert=True) for each, update in left]
            lost = await self._mongo.write(collection, writes)
            if not lost:
                return
            left = [left[at] for at in lost]
        raise NotYet(f"others keep writing to {collection}")
