"""Conflicts in MongoDB. Dedup is the collection's only writer."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from services.dedup.claims import Pair
from services.dedup.conflicts import Conflict
from shared.contracts.identity import ordered_pair
from shared.store.mongo import IndexModel, Mongo, UpdateOne

CONFLICTS = "conflicts"

MOST_COUNTED = 100_000
"""Open conflicts of a class that are counted, every few seconds: to count millions takes longer than that."""


class ConflictStore:
    """Guarded upserts: a conflict is never replaced by one that was computed from less."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def prepare(self) -> None:
        """Make the indexes; repeating it is harmless."""
        await self._mongo.collection(CONFLICTS).create_indexes(
            [
                IndexModel([("pair.registration_id", 1)], name="by_registration"),
                # The console's queue: the surest first or the oldest, everywhere or in an officer's areas.
                # The order is part of each index, so a page is read and nothing is sorted.
                *(
                    IndexModel([("status", 1), *place, ("class", 1), *order, ("_id", 1)], name=name)
                    for name, place, order in (
                        ("by_probability", (), (("probability", -1),)),
                        ("by_age", (), (("found_at", 1),)),
                        ("by_place_and_probability", (("places", 1),), (("probability", -1),)),
                        ("by_place_and_age", (("places", 1),), (("found_at", 1),)),
                    )
                ),
            ]
        )

    async def save(
        self, conflicts: Sequence[tuple[Conflict, Mapping[str, Any], Mapping[str, Any]]]
    ) -> frozenset[int]:
        """Store conflicts, each with the facts to set and the facts for a new one only.

        Answers the positions of those for which the store holds something computed from more.
        """
        return await self._mongo.write(CONFLICTS, [_upsert(*each) for each in conflicts])

    async def of_registrations(self, ids: Sequence[str]) -> AsyncIterator[Pair]:
        """Pairs of all conflicts that a registration takes part in: of one alone there may be thousands."""
        for start in range(0, len(ids), self._mongo.in_limit):
            chunk = list(ids[start : start + self._mongo.in_limit])
            query = {"pair.registration_id": {"$in": chunk}}
            async for document in self._mongo.collection(CONFLICTS).find(query, {"pair": 1}):
                yield _pair_of(document)

    async def all_pairs(self) -> AsyncIterator[Pair]:
        """Pairs of every conflict."""
        async for document in self._mongo.collection(CONFLICTS).find({}, {"pair": 1}):
            yield _pair_of(document)

    async def newest_finalised(self) -> int:
        """The newest epoch of which a roll was finalised, 0 if none."""
        document = await self._mongo.collection("rolls").find_one(
            {"state": "published"}, {"epoch": 1}, sort=[("epoch", -1)]
        )
        return int(document["epoch"]) if document else 0

    async def open_by_class(self) -> dict[str, int]:
        """How many conflicts wait for a decision, counted up to MOST_COUNTED."""
        counts: dict[str, int] = {}
        for kind in ("resend", "multiple_registration", "reported"):
            counts[kind] = await self._mongo.collection(CONFLICTS).count_documents(
                {"status": "open", "class": kind}, limit=MOST_COUNTED
            )
        return counts


def places(communes: Sequence[str | None]) -> list[str]:
    """The communes with their districts and provinces: officers look for conflicts in any of these."""
    known = [each for each in communes if each]
    return sorted({each[:digits] for each in known for digits in (2, 4, 6)})


def _pair_of(document: Mapping[str, Any]) -> Pair:
    one, other = ((each["registration_id"], each["digest"]) for each in document["pair"])
    return ordered_pair(one, other)


def _upsert(conflict: Conflict, facts: Mapping[str, Any], first: Mapping[str, Any]) -> UpdateOne:
    as_of = conflict.as_of
    # Every part must be as new as the stored one; if one is not, the filter finds nothing, the upsert meets
    # its own _id, and the conflict is computed again from more.
    guard = {
        "_id": conflict.id,
        "as_of.command_offset": {"$lte": as_of.command_offset},
        "as_of.first_source": {"$lte": as_of.sources[0]},
        "as_of.second_source": {"$lte": as_of.sources[1]},
        "as_of.finalised": {"$lte": as_of.finalised},
    }
    changed = {
        "pair": [
            {"registration_id": id_, "digest": digest, "commune": commune}
            for (id_, digest), commune in zip(conflict.pair, conflict.communes, strict=True)
        ],
        "places": places(conflict.communes),
        "status": conflict.status,
        "decision": conflict.decision,
        "found_at": conflict.found_at,
        "as_of": as_of.document(),
        **facts,
    }
    update: dict[str, Any] = {"$set": changed}
    if first:
        update["$setOnInsert"] = dict(first)
    return UpdateOne(guard, update, upsert=True)
