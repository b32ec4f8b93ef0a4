"""What the store says: verdicts of commands, conflicts, rolls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.contracts.command_types import CommandType
from shared.process.settings import Settings
from shared.store.mongo import Mongo


class UnknownVersion(Exception):
    """No commune is known of a version; the text says what to do."""


ANSWERS = (CommandType.APPROVED.value, CommandType.WITHDRAWN.value)
"""What is no proposal, but says something of one: told only where it was refused itself."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is stored of commands, conflicts and rolls.

    `open` are the proposals that wait, `settled` the last others, the oldest first; `known`: there is any
    command at all; `later` are type and data of those that superseded one of `settled`; `conflicts` are
    numbers by status, `open_conflicts` None where they were not asked for.
    """

    known: bool
    open: list[dict[str, Any]]
    settled: list[dict[str, Any]]
    later: Mapping[str, Mapping[str, Any]]
    conflicts: Mapping[str, int]
    open_conflicts: list[dict[str, Any]] | None
    rolls: list[dict[str, Any]]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        commands = sorted([*self.open, *self.settled], key=lambda each: int(each["offset"]))
        found = {"commands": commands, "conflicts": dict(self.conflicts), "rolls": self.rolls}
        return found if self.open_conflicts is None else {**found, "open": self.open_conflicts}


async def read_status(
    settings: Settings, *, settled: int | None, conflicts: int | None, kind: str = ""
) -> Status:
    """The open proposals, the last so many settled ones (None: all), the numbers of conflicts, the rolls.

    With `conflicts`, also so many open ones, the surest first, of a class if `kind` is given.
    """
    mongo = Mongo(settings.mongo, "rollstream-status")
    try:
        stored, commands = mongo.collection("conflicts"), mongo.collection("commands")
        waiting = await commands.find({"verdict": "open"}).sort("offset", 1).to_list(None)
        last = commands.find(_SETTLED).sort("offset", -1)
        if settled is not None:
            last = last.limit(settled)
        found = list(reversed(await last.to_list(None)))
        ids = [each["superseded_by"] for each in found if each.get("superseded_by")]
        named = await mongo.find_by_ids("commands", ids, {"type": 1, "data": 1})
        later = {each["_id"]: each for each in named}
        numbers = {
            status: await stored.count_documents({"status": status}) for status in ("open", "decided", "void")
        }
        surest = None
        if conflicts is not None:
            query = {"status": "open", **({"class": kind} if kind else {})}
            surest = await stored.find(query).sort("probability", -1).limit(conflicts).to_list(None)
        rolls = await mongo.collection("rolls").find({}).sort("_id", 1).to_list(None)
        known = bool(waiting or found) or await commands.find_one({}) is not None
        return Status(known, waiting, found, later, numbers, surest, rolls)
    finally:
        mongo.close()


_SETTLED: Mapping[str, Any] = {
    "verdict": {"$ne": "open"},
    "$or": [{"type": {"$nin": list(ANSWERS)}}, {"verdict": "refused"}],
}


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
            "commune": commune_of(version, document),
        }
        for version, document in named
    ]


def commune_of(version: Mapping[str, str], document: Mapping[str, Any]) -> str:
    """The commune of a version's residence, from its registration as stored. Raises UnknownVersion."""
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
    oldest first, each with `these_versions`. `gazetteer` is the SHA-256 of the one in force.
    """

    conflict: dict[str, Any]
    registrations: list[dict[str, Any]]
    decisions: list[dict[str, Any]]
    gazetteer: str | None = None

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
        adopted = {"type": CommandType.ADOPTED.value, "verdict": "effective", "data.kind": "gazetteer"}
        newest = mongo.collection("commands").find(adopted).sort("command_offset", -1).limit(1)
        gazetteers = [each["data"]["sha256"] for each in await newest.to_list(1)]
    finally:
        mongo.close()
    registrations = [side(name, digest, stored.get(name, {})) for name, digest in named.items()]
    pairs = [(each, (each.get("data") or {}).get("pair") or []) for each in commands]
    decisions = [
        {**each, "these_versions": _versions(pair) == _versions(conflict["pair"])}
        for each, pair in pairs
        if [version["registration_id"] for version in pair] == list(named)
    ]
    return ConflictFile(conflict, registrations, decisions, gazetteers[0] if gazetteers else None)


def _versions(pair: Sequence[Mapping[str, str]]) -> list[tuple[str, str]]:
    return [(each["registration_id"], each["digest"]) for each in pair]


def side(registration_id: str, named_digest: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """A registration as stored now, with whether that is the version of this digest."""
    return {
        "registration_id": registration_id,
        "current": stored.get("digest") == named_digest,
        **{name: stored.get(name) for name in SIDE},
    }
