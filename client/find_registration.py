"""All that is stored of one registration but the voter's data: versions, claims, decisions, lists."""

import json
from collections.abc import Mapping
from typing import Any

from shared.store.mongo import Mongo

MOST = 200
"""Outcomes, claims and decisions each that are told of one registration."""

CLAIM = dict.fromkeys(
    ("pair", "status", "class", "probability", "weight", "epoch", "found_at", "decision"), 1
)
"""What is told of a claim."""

_NOW = (
    *("revision", "status", "removal_reason", "epoch", "digest", "first_accepted_at"),
    *("residence", "polling_station", "capture"),
)
_VERSION = ("type", "revision", "status", "epoch", "digest", "event_source", "event_id")
_DECISION = (
    *("type", "data", "verdict", "reason", "proposed_by", "approved_by", "settled_at"),
    *("command_offset", "superseded_by"),
)


async def facts_of(mongo: Mongo, document: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a stored registration, or of an id of which nothing was accepted (an empty history).

    `others` are the events about it that were not accepted.
    """
    registration_id = document["_id"]
    return {
        **{name: document[name] for name in _NOW if name in document},
        "versions": [_version(each) for each in document["history"]],
        "others": await _others(mongo, registration_id),
        "claims": await _claims(mongo, registration_id),
        "decisions": await _decisions(mongo, registration_id),
        "lists": await _lists(mongo, document),
    }


def _version(version: Mapping[str, Any]) -> dict[str, Any]:
    place = f"{version['partition']}/{version['offset']}"
    return {"place": place, **{name: version[name] for name in _VERSION}}


async def _others(mongo: Mongo, registration_id: str) -> list[dict[str, Any]]:
    query = {"registration_id": registration_id}
    found = await mongo.collection("outcomes").find(query).limit(MOST).to_list(MOST)
    return [{"place": each["_id"], **{n: v for n, v in each.items() if n != "_id"}} for each in found]


async def _claims(mongo: Mongo, registration_id: str) -> list[dict[str, Any]]:
    query = {"pair.registration_id": registration_id}
    found = await mongo.collection("conflicts").find(query, CLAIM).limit(MOST).to_list(MOST)
    claims = []
    for each in found:
        [other] = [version for version in each["pair"] if version["registration_id"] != registration_id]
        kept = {name: each.get(name) for name in CLAIM if name != "pair"}
        claims.append({"claim_id": each["_id"], "other": other, **kept})
    return claims


async def _decisions(mongo: Mongo, registration_id: str) -> list[dict[str, Any]]:
    query = {"data.pair.registration_id": registration_id}
    found = await mongo.collection("commands").find(query).sort("offset", 1).limit(MOST).to_list(MOST)
    return [{"command_id": each["_id"], **{name: each.get(name) for name in _DECISION}} for each in found]


async def _lists(mongo: Mongo, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where the newest published version of each roll has the registration: station and serial, or as what
    it was removed, or that it is on none of its communes' lists."""
    versions = await mongo.collection("rolls").find({"state": "published"}).sort("version", 1).to_list(None)
    newest = {each["roll"]: each for each in versions}
    communes = {each.get("commune") for each in document["history"]} | {_commune(document)}
    found = []
    for roll in newest.values():
        head = {name: roll[name] for name in ("roll", "version", "kind", "epoch")}
        places = [
            place
            for commune in sorted(filter(None, communes))
            for place in await _on_lists(mongo, roll["token"], commune, document["_id"])
        ]
        found += [{**head, **place} for place in places] or [{**head, "station": None, "serial": None}]
    return found


async def _on_lists(mongo: Mongo, token: str, commune: str, registration_id: str) -> list[dict[str, Any]]:
    of_commune = {"token": token, "province": commune[:2], "commune": commune}
    found: list[dict[str, Any]] = []
    async for stored in mongo.collection("lists").find(of_commune, {"value": 1}):
        content = json.loads(bytes(stored["value"]))
        station = content["list"]["station"]
        found += [
            {"station": station, "serial": row["serial"]}
            for row in content["entries"]
            if row["registration_id"] == registration_id
        ]
        found += [
            {"station": station, "serial": None, "removed": {"reason": row["reason"], "by": row["by"]}}
            for row in content["removed"]
            if row["registration_id"] == registration_id
        ]
    return found


def _commune(document: Mapping[str, Any]) -> str | None:
    commune: str | None = (document.get("residence") or {}).get("commune")
    return commune
