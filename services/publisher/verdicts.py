"""What became of each command, in MongoDB: the fold's verdicts, and the publisher's on `finalised`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.publisher.roll import Refusal
from shared.commands.state import FinaliseRequest, Verdict
from shared.store.mongo import IndexModel, Mongo, UpdateOne

COMMANDS = "commands"
MOST_NAMES = 1_000
"""Names stored with a refusal; how many there are is told besides."""

# A verdict is never replaced by one given earlier: a paused process may wake up.
_PROPOSED, _APPROVED, _SETTLED = 0, 1, 2


class VerdictStore:
    """Writes are guarded upserts of what follows from the log, so repeating them is harmless."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def prepare(self) -> None:
        """Make the index; repeating it is harmless."""
        await self._mongo.collection(COMMANDS).create_indexes([IndexModel([("offset", 1)], name="by_offset")])

    async def save(self, verdicts: Iterable[Verdict]) -> None:
        """Keep the fold's verdicts."""
        await self._mongo.write(COMMANDS, [_write(verdict) for verdict in verdicts])

    async def refuse(self, request: FinaliseRequest, refusal: Refusal) -> None:
        """A `finalised` is refused, with the names of what stands against it."""
        names = [list(name) if isinstance(name, tuple) else name for name in refusal.names[:MOST_NAMES]]
        await self._settle(
            request,
            {
                "verdict": "refused",
                "reason": refusal.reason,
                "names": names,
                "named": len(refusal.names),
                "command_offset": None,
            },
        )

    async def take_effect(self, request: FinaliseRequest) -> None:
        """A `finalised` takes effect."""
        await self._settle(
            request, {"verdict": "effective", "reason": None, "command_offset": request.command_offset}
        )

    async def refused(self, command_ids: Sequence[str]) -> set[str]:
        """Which of these commands are refused."""
        found = await self._mongo.find_by_ids(COMMANDS, command_ids, {"verdict": 1})
        return {document["_id"] for document in found if document.get("verdict") == "refused"}

    async def _settle(self, request: FinaliseRequest, members: Mapping[str, Any]) -> None:
        update = {"$set": {**members, "stage": _SETTLED}}
        await self._mongo.write(COMMANDS, [UpdateOne({"_id": request.command_id}, update, upsert=True)])


def _write(verdict: Verdict) -> UpdateOne:
    settled = verdict.verdict != "open"
    stage = _SETTLED if settled else _APPROVED if verdict.settled_at is not None else _PROPOSED
    members = {
        "command_type": verdict.command_type,
        "offset": verdict.offset,
        "proposed_by": verdict.proposed_by,
        "approved_by": verdict.approved_by,
        "settled_at": verdict.settled_at,
        "data": verdict.data,
        "value_sha256": verdict.value_sha256,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "command_offset": verdict.command_offset,
        "stage": stage,
    }
    return UpdateOne({"_id": verdict.ce_id, "stage": {"$lte": stage}}, {"$set": members}, upsert=True)
