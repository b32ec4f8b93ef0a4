"""Versions of rolls and their lists in MongoDB, fenced: only the last attempt to take a version can store it.

A process may be paused for hours between any two steps, and the store may be dropped or exchanged under it.
So each attempt to judge a version takes it first: it puts a token of its own in the version's document. Lists
are stored under that token and count for no other attempt. That a version is effective, and published, is
written only where the token still is. A store that was dropped meanwhile has none.
"""

import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.publisher.lists import Edition, StationList, Totals
from services.publisher.registrations import Registration
from shared.store.mongo import IndexModel, InsertOne, Mongo, UpdateOne

ROLLS = "rolls"
LISTS = "lists"

JUDGING, PUBLISHING, PUBLISHED = "judging", "publishing", "published"
"""`state` of a version: taken and perhaps to be refused; effective; its roll manifest is on its topic."""


class Abandoned(Exception):
    """Another process took the version over, or it is published already, or the store is another one."""


@dataclass(frozen=True, slots=True)
class Stood:
    """Where and as what someone stood in a version: station, village and the station that they had named."""

    station: str
    village_code: str
    polling_station: str | None


@dataclass(frozen=True, slots=True)
class StoredList:
    """One voter on a station's list in a version, and as what."""

    station: str
    stood: Mapping[str, Stood]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to judge and publish a version; what it stores counts only while its token is the last."""

    edition: Edition
    token: str


class EditionStore:
    """What it stores of a version follows from the log, so any attempt that still holds stores the same."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def prepare(self) -> None:
        """Make the indexes; repeating it is harmless."""
        await self._mongo.collection(LISTS).create_indexes(
            [IndexModel([("token", 1), ("province", 1), ("station", 1)], name="by_province")]
        )

    # Versions

    async def take(self, edition: Edition) -> Attempt:
        """Take a version over from whoever had it. Raises Abandoned if it is published."""
        attempt = Attempt(edition, uuid.uuid4().hex)
        request = edition.request
        members = {
            "token": attempt.token,
            "roll": request.data.roll,
            "version": edition.version,
            "kind": request.data.kind,
            "epoch": request.data.epoch,
            "command_id": request.command_id,
            "command_offset": request.command_offset,
            "election": request.data.election.model_dump(),
            "undecided": request.data.undecided,
            "replaces": edition.replaces,
        }
        unpublished = {"_id": edition.name, "state": {"$ne": PUBLISHED}}
        update = {"$set": members, "$setOnInsert": {"state": JUDGING}}
        if await self._mongo.write(ROLLS, [UpdateOne(unpublished, update, upsert=True)]):
            raise Abandoned
        return attempt

    async def require(self, attempt: Attempt) -> None:
        """Raise Abandoned unless the version is still this attempt's, in the store in which it began.

        Asked after all that it read, so that it was read from one store and nothing of it was dropped.
        """
        found = await self._mongo.find_by_ids(ROLLS, [attempt.edition.name])
        if not any(each["token"] == attempt.token for each in found):
            raise Abandoned

    async def take_effect(self, attempt: Attempt) -> None:
        """The version is about to be published. Raises Abandoned."""
        await self._change(attempt, {"state": PUBLISHING})

    async def published(self, attempt: Attempt, totals: Totals) -> None:
        """The roll manifest is on its topic. Raises Abandoned."""
        await self._change(
            attempt,
            {
                "state": PUBLISHED,
                "stations": totals.stations,
                "entries": totals.entries,
                "excluded": dict(totals.excluded),
                "roll_root": totals.root,
            },
        )
        lists, request = self._mongo.collection(LISTS), attempt.edition.request
        roll, offset = request.data.roll, request.command_offset
        await lists.delete_many({"roll": roll, "command_offset": {"$lt": offset}})
        await lists.delete_many({"command_offset": offset, "token": {"$ne": attempt.token}})

    async def _change(self, attempt: Attempt, members: Mapping[str, Any]) -> None:
        mine = {"_id": attempt.edition.name, "token": attempt.token}
        if not await self._mongo.update_existing(ROLLS, [UpdateOne(mine, {"$set": dict(members)})]):
            raise Abandoned

    async def drop(self, attempt: Attempt) -> None:
        """Forget a version that is refused: it comes to nothing, and another may have its number."""
        mine = {"_id": attempt.edition.name, "token": attempt.token}
        await self._mongo.collection(ROLLS).delete_many(mine)
        await self._mongo.collection(LISTS).delete_many({"token": attempt.token})

    async def versions(self) -> list[dict[str, Any]]:
        """Every version of every roll that took effect, in their order."""
        found: list[dict[str, Any]] = (
            await self._mongo.collection(ROLLS)
            .find({"state": {"$ne": JUDGING}})
            .sort("command_offset", 1)
            .to_list(None)
        )
        return found

    async def newest_epoch(self) -> int:
        """The newest epoch of which a version is published, 0 if there is none."""
        found = await self._mongo.collection(ROLLS).find_one(
            {"state": PUBLISHED}, {"epoch": 1}, sort=[("epoch", -1)]
        )
        return int(found["epoch"]) if found else 0

    # Lists

    async def save_lists(
        self, attempt: Attempt, lists: Iterable[tuple[StationList, bool, Sequence[Registration]]]
    ) -> None:
        """Keep the lists of an attempt, each with whether its station is closed and who is on it.

        They stay until the next version of the roll is published, which needs them for `removed`.
        """
        await self._mongo.write(LISTS, [_list_write(attempt, *each) for each in lists])

    async def stored_lists(self, token: str, stations: Sequence[str]) -> list[StoredList]:
        """What a version said of some stations; it has a list of each."""
        ids = [_list_id(token, station) for station in stations]
        return [_stored_list(found) for found in await self._mongo.find_by_ids(LISTS, ids, {"value": 0})]

    async def communes(self, token: str) -> dict[str, str]:
        """The stations of a version with their communes, without those that were closed then."""
        found = self._mongo.collection(LISTS).find(
            {"token": token, "closed": False}, {"station": 1, "commune": 1}
        )
        return {document["station"]: document["commune"] async for document in found}

    async def values(self, attempt: Attempt, province: str) -> AsyncIterator[tuple[str, bytes]]:
        """The messages of a province's lists by station, in order of station."""
        found = self._mongo.collection(LISTS).find(
            {"token": attempt.token, "province": province}, {"station": 1, "value": 1}
        )
        async for document in found.sort("station", 1):
            yield document["station"], bytes(document["value"])


def _list_id(token: str, station: str) -> str:
    return f"{token}/{station}"


def _list_write(
    attempt: Attempt, made: StationList, closed: bool, voters: Sequence[Registration]
) -> InsertOne[dict[str, Any]]:
    request = attempt.edition.request
    return InsertOne(
        {
            "_id": _list_id(attempt.token, made.station),
            "token": attempt.token,
            "command_offset": request.command_offset,
            "roll": request.data.roll,
            "version": attempt.edition.version,
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
    )


def _stored_list(document: Mapping[str, Any]) -> StoredList:
    station = document["station"]
    return StoredList(
        station,
        {each: Stood(station, village, named) for each, village, named in document["stood"]},
    )
