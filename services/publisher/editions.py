"""Versions of rolls and their lists in MongoDB."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.publisher.lists import Edition, StationList, Totals
from services.publisher.registrations import Registration
from services.publisher.verdicts import VerdictStore
from shared.store.mongo import IndexModel, Mongo, ReplaceOne, UpdateOne

ROLLS = "rolls"
LISTS = "lists"


@dataclass(frozen=True, slots=True)
class Stood:
    """Where and as what someone stood in a version: station, village and the station that they had named."""

    station: str
    village_code: str
    polling_station: str | None


@dataclass(frozen=True, slots=True)
class StoredList:
    """Who stood at a station in a version, and as what."""

    station: str
    stood: Mapping[str, Stood]


class EditionStore:
    """Writes are upserts of what follows from the log, so repeating them is harmless."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self.verdicts = VerdictStore(mongo)

    async def prepare(self) -> None:
        """Make the indexes; repeating it is harmless."""
        await self.verdicts.prepare()
        await self._mongo.collection(LISTS).create_indexes(
            [IndexModel([("command_offset", 1), ("province", 1), ("station", 1)], name="by_province")]
        )

    # Versions

    async def take_effect(self, edition: Edition) -> None:
        """A `finalised` takes effect: its version is about to be published."""
        data = edition.request.data
        document = {
            "roll": data.roll,
            "version": edition.version,
            "kind": data.kind,
            "epoch": data.epoch,
            "command_id": edition.request.command_id,
            "command_offset": edition.request.command_offset,
            "election": data.election.model_dump(),
            "undecided": data.undecided,
            "replaces": edition.replaces,
        }
        await self._mongo.write(
            ROLLS,
            [
                UpdateOne(
                    {"_id": edition.name},
                    {"$set": document, "$setOnInsert": {"state": "publishing"}},
                    upsert=True,
                )
            ],
        )
        await self.verdicts.take_effect(edition.request)

    async def versions(self) -> list[dict[str, Any]]:
        """Every version of every roll, in the order in which they took effect."""
        found: list[dict[str, Any]] = (
            await self._mongo.collection(ROLLS).find({}).sort("command_offset", 1).to_list(None)
        )
        return found

    async def newest_epoch(self) -> int:
        """The newest epoch of which a version is published, 0 if there is none."""
        found = await self._mongo.collection(ROLLS).find_one(
            {"state": "published"}, {"epoch": 1}, sort=[("epoch", -1)]
        )
        return int(found["epoch"]) if found else 0

    async def published(self, edition: Edition, totals: Totals) -> None:
        """The roll manifest is on its topic."""
        members = {
            "state": "published",
            "stations": totals.stations,
            "entries": totals.entries,
            "excluded": dict(totals.excluded),
            "roll_root": totals.root,
        }
        await self._mongo.write(ROLLS, [UpdateOne({"_id": edition.name}, {"$set": members})])
        await self._mongo.collection(LISTS).delete_many(
            {
                "roll": edition.request.data.roll,
                "command_offset": {"$lt": edition.request.command_offset},
            }
        )

    # Lists

    async def save_lists(
        self, edition: Edition, lists: Iterable[tuple[StationList, bool, Sequence[Registration]]]
    ) -> None:
        """Keep the lists of an edition, each with whether its station is closed and who stands there.

        They stay until the next version of the roll is published, which needs them for `removed`.
        """
        await self._mongo.write(LISTS, [_list_write(edition, *each) for each in lists])

    async def stored_lists(self, command_offset: int, stations: Sequence[str]) -> list[StoredList]:
        """What a version said of some stations; it has a list of each."""
        ids = [_list_id(command_offset, station) for station in stations]
        return [_stored_list(found) for found in await self._mongo.find_by_ids(LISTS, ids, {"value": 0})]

    async def communes(self, command_offset: int) -> dict[str, str]:
        """The stations of a version with their communes, without those that were closed then."""
        found = self._mongo.collection(LISTS).find(
            {"command_offset": command_offset, "closed": False}, {"station": 1, "commune": 1}
        )
        return {document["station"]: document["commune"] async for document in found}

    async def values(self, command_offset: int, province: str) -> AsyncIterator[tuple[str, bytes]]:
        """The messages of a province's lists by station, in order of station."""
        found = self._mongo.collection(LISTS).find(
            {"command_offset": command_offset, "province": province}, {"station": 1, "value": 1}
        )
        async for document in found.sort("station", 1):
            yield document["station"], bytes(document["value"])

    async def drop_lists(self, command_offset: int) -> None:
        """Forget the lists of a version that comes to nothing."""
        await self._mongo.collection(LISTS).delete_many({"command_offset": command_offset})


def _list_id(command_offset: int, station: str) -> str:
    # Named by the command, not the version: what a refused one left behind is nobody else's.
    return f"{command_offset}/{station}"


def _list_write(
    edition: Edition, made: StationList, closed: bool, voters: Sequence[Registration]
) -> ReplaceOne[dict[str, Any]]:
    key = _list_id(edition.request.command_offset, made.station)
    document = {
        "_id": key,
        "command_offset": edition.request.command_offset,
        "roll": edition.request.data.roll,
        "version": edition.version,
        "station": made.station,
        "commune": made.commune,
        "province": made.commune[:2],
        "closed": closed,
        "count": made.count,
        "merkle_root": made.root,
        "stood": [
            [voter.registration_id, voter.captured.village_code, voter.captured.polling_station]
            for voter in voters
        ],
        "value": made.value,
    }
    return ReplaceOne({"_id": key}, document, upsert=True)


def _stored_list(document: Mapping[str, Any]) -> StoredList:
    station = document["station"]
    return StoredList(
        station,
        {each: Stood(station, village, named) for each, village, named in document["stood"]},
    )
