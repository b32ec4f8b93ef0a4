"""What became of an event, a registration, a capture batch, a command, a conflict or an offset.

One id may name several things; all kinds are searched, and all matches told. No names, dates or documents of
people are among them: where a person must be looked at, `rollstream status --conflict` does that.
"""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from client.describe import LEAST_BEGINNING
from client.find_offset import RecordAt, at_offset, record_at
from client.find_registration import CLAIM, facts_of
from shared.process.settings import Settings
from shared.store.mongo import Mongo

Kind = Literal["offset", "event", "registration", "batch", "command", "conflict"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def kinds_of(name: str) -> tuple[Kind, ...] | None:
    """The kinds that a name asks for, all of them if it is empty; None if there is no such kind."""
    return tuple(kind for kind in KINDS if name in ("", kind)) or None


MOST = 20
"""Matches of one kind that are told: a beginning may be many commands', a batch's name many devices'."""


@dataclass(frozen=True, slots=True)
class Match:
    """Something that the id names. `facts` are what is stored of it, as the contract names it."""

    kind: Kind
    id: str
    facts: Mapping[str, Any]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"kind": self.kind, "id": self.id, **self.facts}


async def find(
    settings: Settings, wanted: str, kinds: Collection[Kind] = KINDS, log: RecordAt | None = None
) -> list[Match]:
    """All that an id names among these kinds. `log` reads an offset of the input; None: from the broker.

    Raises aiokafka's KafkaError where an accepted event's offset is asked for and no broker answers.
    """
    mongo = Mongo(settings.mongo, "rollstream-find")
    try:
        found: list[Match] = []
        for kind in KINDS:
            if kind in kinds:
                facts = await _SEARCHES[kind](mongo, wanted)
                found += [Match(kind, str(each["_id"]), _without_id(each)) for each in facts]
        if "offset" in kinds and not any(each.kind == "offset" for each in found):
            read = log or (lambda partition, offset: record_at(settings, partition, offset))
            told = await at_offset(mongo, wanted, read)
            found += [Match("offset", wanted, told)] if told else []
        return found
    finally:
        mongo.close()


async def _offsets(mongo: Mongo, wanted: str) -> list[dict[str, Any]]:
    place = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,18})", wanted)
    if place is None:
        return []
    outcomes = mongo.collection("outcomes")
    found = await outcomes.find({"_id": wanted}).to_list(1)
    if found:
        return list(found)
    # A run of offsets that could not be decoded is stored under its first one. "0" follows "/".
    partition, offset = place[1], int(place[2])
    of_partition = {"_id": {"$gte": f"{partition}/", "$lt": f"{partition}0"}, "last_offset": {"$gte": offset}}
    runs = await outcomes.find(of_partition).sort("last_offset", 1).limit(1).to_list(1)
    return [each for each in runs if int(each["_id"].split("/")[1]) <= offset]


async def _events(mongo: Mongo, wanted: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for document in await mongo.collection("registrations").find({"history.event_id": wanted}).to_list(MOST):
        found += [
            {"_id": wanted, "outcome": "accepted", "registration_id": document["_id"], **_place(version)}
            for version in document["history"]
            if version["event_id"] == wanted
        ]
    for document in await mongo.collection("capture_batches").find({"closes.event_id": wanted}).to_list(MOST):
        found += [
            {"_id": wanted, "outcome": "accepted", "batch": document["_id"], **_place(close)}
            for close in document["closes"]
            if close["event_id"] == wanted
        ]
    others = await mongo.collection("outcomes").find({"event_id": wanted}).to_list(MOST)
    return found + [{**each, "_id": wanted, "place": each["_id"]} for each in others]


def _place(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A version or a close without what only the service needs."""
    kept = {
        name: value for name, value in entry.items() if name not in ("data_sha256", "partition", "offset")
    }
    return {"place": f"{entry['partition']}/{entry['offset']}", **kept}


async def _registrations(mongo: Mongo, wanted: str) -> list[dict[str, Any]]:
    [*found] = await mongo.find_by_ids("registrations", [wanted])
    if found:
        return [{"_id": wanted, **await facts_of(mongo, found[0])}]
    # What was never accepted may still have been sent, or decided on.
    facts = await facts_of(mongo, {"_id": wanted, "history": []})
    return (
        [{"_id": wanted, **facts}] if any(facts[name] for name in ("others", "claims", "decisions")) else []
    )


async def _batches(mongo: Mongo, wanted: str) -> list[dict[str, Any]]:
    batches = mongo.collection("capture_batches")
    if "/" in wanted:
        found = await batches.find({"_id": wanted}, {"arrivals": 0}).to_list(1)
    else:
        named = {"_id": {"$regex": f"/{re.escape(wanted)}$"}}
        found = await batches.find(named, {"arrivals": 0}).limit(MOST).to_list(MOST)
    return [_batch(each) for each in found]


def _batch(document: Mapping[str, Any]) -> dict[str, Any]:
    kept = {
        name: value
        for name, value in document.items()
        if name not in ("arrivals", "owed", "state", "partition")
    }
    return {**kept, "received_count": len(document.get("received") or ())}


async def _commands(mongo: Mongo, wanted: str) -> list[dict[str, Any]]:
    return await _beginning(mongo, "commands", wanted)


async def _conflicts(mongo: Mongo, wanted: str) -> list[dict[str, Any]]:
    return await _beginning(mongo, "conflicts", wanted, CLAIM)


async def _beginning(
    mongo: Mongo, collection: str, wanted: str, projection: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    query: dict[str, Any] = {"_id": wanted}
    if len(wanted) >= LEAST_BEGINNING:
        query = {"_id": {"$gte": wanted, "$lt": f"{wanted}\U0010ffff"}}
    return list(await mongo.collection(collection).find(query, projection).limit(MOST).to_list(MOST))


def _without_id(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "_id"}


_SEARCHES: Mapping[Kind, Callable[[Mongo, str], Awaitable[Sequence[dict[str, Any]]]]] = {
    "offset": _offsets,
    "event": _events,
    "registration": _registrations,
    "batch": _batches,
    "command": _commands,
    "conflict": _conflicts,
}
