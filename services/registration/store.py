"""MongoDB as registration sees it: every write is a guarded or a commutative single-document upsert."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from services.registration.batches import SETS
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
        """Make the indexes by which an event is found by its id; repeating it is harmless."""
        for collection, field in (
            (REGISTRATIONS, "history.event_id"),
            (BATCHES, "closes.event_id"),
            (OUTCOMES, "event_id"),
        ):
            await self._mongo.collection(collection).create_indexes(
                [IndexModel([(field, 1)], name="by_event")]
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

    async def change_batches(self, changes: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Add to capture batches (batch id → updates): unions, so that repeating them is harmless."""
        for step in range(max(map(len, changes.values()), default=0)):
            await self._upsert_all(
                BATCHES, {name: updates[step] for name, updates in changes.items() if step < len(updates)}
            )

    async def closed_batches(self, batch_ids: Collection[str]) -> list[dict[str, Any]]:
        """Those of the batches that are closed, whole."""
        # Most are still open: their sets need not be read.
        closes = await self._mongo.find_by_ids(BATCHES, list(batch_ids), {"closes": 1})
        closed = [document["_id"] for document in closes if document.get("closes")]
        return await self._mongo.find_by_ids(BATCHES, closed)

    async def summarise_batches(
        self, summaries: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
    ) -> list[str]:
        """Set what operators read, (document, summary), if the batch is still as it was read.

        Its sets only grow, so it is unless one of them has more members now. Answers the ids of those that
        have changed.
        """
        lost = await self._mongo.write(
            BATCHES,
            [
                UpdateOne(
                    {
                        "_id": document["_id"],
                        **{f"{name}.{len(document.get(name, ()))}": {"$exists": False} for name in SETS},
                    },
                    {"$set": dict(summary)},
                    upsert=True,
                )
                for document, summary in summaries
            ],
        )
        return [summaries[at][0]["_id"] for at in lost]

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
