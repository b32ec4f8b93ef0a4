"""What the store says: verdicts of commands, conflicts, rolls."""

from collections.abc import Sequence
from typing import Any

from shared.mongo import Mongo
from shared.settings import Settings

MOST_CONFLICTS = 200
"""Open conflicts shown at once; the surest first."""


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
        wanted = {"digest": 1, "revision": 1, "status": 1, "epoch": 1}
        return {each["_id"]: each for each in await mongo.find_by_ids("registrations", ids, wanted)}
    finally:
        mongo.close()


async def read_conflict(settings: Settings, conflict_id: str) -> dict[str, Any] | None:
    """The conflict whose id is or begins with `conflict_id`; None where there is none, or more than one."""
    mongo = Mongo(settings.mongo, "rollstream-status")
    try:
        begins_so = {"_id": {"$gte": conflict_id, "$lt": conflict_id + "~"}}
        found: list[dict[str, Any]] = await mongo.collection("conflicts").find(begins_so).limit(2).to_list(2)
        return found[0] if len(found) == 1 else None
    finally:
        mongo.close()
