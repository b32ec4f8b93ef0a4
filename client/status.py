"""What the store says: verdicts of commands, conflicts, rolls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.contracts.commands import CommandType
from shared.process.settings import Settings
from shared.store.mongo import Mongo

MOST_CONFLICTS = 200
"""Open conflicts shown at once; the surest first."""


class UnknownVersion(Exception):
    """No commune is known of a version; the text says what to do."""


async def read_status(settings: Settings, *, with_conflicts: bool) -> dict[str, Any]:
    """The verdicts of all commands, how many conflicts have which status, the rolls; the open conflicts."""
    mongo = Mongo(settings.mongo, "rollstream-status")
    try:
        conflicts = mongo.collection("conflicts")
        found: dict[str, Any] = {
            "commands": await mongo.collection("commands").find({}).sort("offset", 1).to_list(None),
            "conflicts": {
                status: await conflicts.count_documents({"status": status})
                for status in ("open", "decided", "void")
            },
            "rolls": await mongo.collection("rolls").find({}).sort("_id", 1).to_list(None),
        }
        if with_conflicts:
            surest = conflicts.find({"status": "open"}).sort("probability", -1).limit(MOST_CONFLICTS)
            found["open"] = await surest.to_list(None)
        return found
    finally:
        mongo.close()


async def read_registrations(settings: Settings, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What two officers must know of registrations to decide on them, by id; those that are there."""
    mongo = Mongo(settings.mongo, "rollstream-status")
    try:
        wanted = {"digest": 1, "revision": 1, "status": 1, "epoch": 1, "residence": 1}
        return {each["_id"]: each for each in await mongo.find_by_ids("registrations", ids, wanted)}
    finally:
        mongo.close()


async def with_communes(settings: Settings, pair: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The versions of a pair with the commune of each one's residence, as a decision names them.

    Raises UnknownVersion where a version is not stored, or is no longer the current one and its residence is
    not kept.
    """
    mongo = Mongo(settings.mongo, "rollstream-status")
    try:
        ids = [version["registration_id"] for version in pair]
        wanted = {"digest": 1, "residence": 1, "history": 1}
        stored = {each["_id"]: each for each in await mongo.find_by_ids("registrations", ids, wanted)}
    finally:
        mongo.close()
    named = [(version, stored.get(version["registration_id"], {})) for version in pair]
    return [
        {
            "registration_id": version["registration_id"],
            "digest": version["digest"],
            "commune": _commune(version, document),
        }
        for version, document in named
    ]


def _commune(version: Mapping[str, str], document: Mapping[str, Any]) -> str:
    if document.get("digest") == version["digest"]:
        return str(document["residence"]["commune"])
    for past in document.get("history", ()):
        if past["digest"] == version["digest"] and past.get("commune"):
            return str(past["commune"])
    raise UnknownVersion(
        f"the version of {version['registration_id']} with digest {version['digest'][:12]} is not the "
        "current one, and its commune is not known here: decide on the newest versions, by both ids"
    )


async def read_conflict(settings: Settings, conflict_id: str) -> dict[str, Any] | None:
    """The conflict whose id is or begins with `conflict_id`; None where there is none, or more than one."""
    mongo = Mongo(settings.mongo, "rollstream-status")
    try:
        begins_so = {"_id": {"$gte": conflict_id, "$lt": conflict_id + "~"}}
        found: list[dict[str, Any]] = await mongo.collection("conflicts").find(begins_so).limit(2).to_list(2)
        return found[0] if len(found) == 1 else None
    finally:
        mongo.close()


@dataclass(frozen=True, slots=True)
class ConflictFile:
    """All that officers need who decide on a conflict; personal data, for their eyes only.

    `registrations` are both as they are stored now, in the order of the pair, each with `current`: whether
    the conflict is about this version. `decisions` are the commands on the two, on any versions of theirs,
    oldest first, each with `these_versions`.
    """

    conflict: dict[str, Any]
    registrations: list[dict[str, Any]]
    decisions: list[dict[str, Any]]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "conflict": self.conflict,
            "registrations": self.registrations,
            "decisions": self.decisions,
        }


SIDE = (
    *("revision", "status", "removal_reason", "epoch", "first_accepted_at", "digest"),
    *("voter", "residence", "polling_station", "capture"),
)
"""What is shown of a registration. Of a removed one `voter` and `residence` are those that it had."""


async def read_conflict_file(settings: Settings, conflict: dict[str, Any]) -> ConflictFile:
    """The registrations and the decisions of a conflict."""
    named = {version["registration_id"]: version["digest"] for version in conflict["pair"]}
    mongo = Mongo(settings.mongo, "rollstream-status")
    try:
        documents = await mongo.find_by_ids("registrations", list(named), dict.fromkeys(SIDE, 1))
        stored = {each["_id"]: each for each in documents}
        on_pairs = {"type": {"$in": [CommandType.DECIDED.value, CommandType.REVERSED.value]}}
        commands = await mongo.collection("commands").find(on_pairs).sort("offset", 1).to_list(None)
    finally:
        mongo.close()
    registrations = [_side(name, digest, stored.get(name, {})) for name, digest in named.items()]
    pairs = [(each, (each.get("data") or {}).get("pair") or []) for each in commands]
    decisions = [
        {**each, "these_versions": pair == conflict["pair"]}
        for each, pair in pairs
        if [version["registration_id"] for version in pair] == list(named)
    ]
    return ConflictFile(conflict, registrations, decisions)


def _side(registration_id: str, named_digest: str, stored: dict[str, Any]) -> dict[str, Any]:
    return {
        "registration_id": registration_id,
        "current": stored.get("digest") == named_digest,
        **{name: stored.get(name) for name in SIDE},
    }
