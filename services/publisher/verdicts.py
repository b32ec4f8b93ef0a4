"""What became of each command, in MongoDB: the fold's verdicts, and the publisher's on `finalised`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.publisher.roll import Refusal
from shared.commands.state import FinaliseRequest, Verdict
from shared.contracts.commands import CommandType
from shared.contracts.timestamps import rfc3339
from shared.process.errors import NotYet
from shared.store.mongo import IndexModel, Mongo, UpdateOne

COMMANDS = "commands"


class VerdictStore:
    """Writes are guarded upserts of what follows from the log, so repeating them is harmless."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def prepare(self) -> None:
        """Make the indexes; repeating it is harmless."""
        await self._mongo.collection(COMMANDS).create_indexes(
            [
                IndexModel([("offset", 1)], name="by_offset"),
                IndexModel([("verdict", 1)], name="by_verdict"),
                IndexModel([("data.pair.registration_id", 1)], name="by_registration"),
            ]
        )

    async def save(self, verdicts: Iterable[Verdict]) -> None:
        """Keep the fold's verdicts, each as of the message that changed it last."""
        await self._mongo.write(COMMANDS, [_write(verdict) for verdict in verdicts])

    async def refuse(self, request: FinaliseRequest, refusal: Refusal) -> None:
        """Store that a `finalised` is refused, and whom or what that is about. Raises TransientError."""
        names = [list(name) if isinstance(name, tuple) else name for name in refusal.names]
        await self._judged(
            request,
            {
                "verdict": "refused",
                "reason": refusal.reason,
                "names": names,
                "named": refusal.named,
                "command_offset": None,
            },
        )

    async def take_effect(self, request: FinaliseRequest) -> None:
        """A `finalised` takes effect. Raises TransientError."""
        await self._judged(
            request, {"verdict": "effective", "reason": None, "command_offset": request.command_offset}
        )

    async def refused(self, command_ids: Sequence[str]) -> set[str]:
        """Which of these commands are refused."""
        found = await self._mongo.find_by_ids(COMMANDS, command_ids, {"verdict": 1})
        return {document["_id"] for document in found if document.get("verdict") == "refused"}

    async def _judged(self, request: FinaliseRequest, members: Mapping[str, Any]) -> None:
        """The publisher's verdict comes upon the fold's, which is stored with its approval: never alone."""
        approved = {"_id": request.command_id, "as_of": request.command_offset}
        if not await self._mongo.update_existing(COMMANDS, [UpdateOne(approved, {"$set": members})]):
            raise NotYet("the approval of a finalised is not stored yet")


def _write(verdict: Verdict) -> UpdateOne:
    """A verdict never replaces one that follows from more of the log: a paused process may wake up."""
    # What a message did to itself, nobody settled.
    settled = verdict.settled if verdict.settled and verdict.settled.offset != verdict.offset else None
    members: dict[str, Any] = {
        "type": verdict.command_type,
        "data": verdict.data,
        "proposed_by": verdict.proposed_by,
        "proposed_at": rfc3339(verdict.timestamp),
        "approved_by": verdict.approved_by,
        "settled_by": settled.by if settled else None,
        "settled_at": rfc3339(settled.timestamp) if settled else None,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "command_offset": verdict.command_offset,
        "superseded_by": verdict.superseded_by,
        "offset": verdict.offset,
        "as_of": verdict.as_of,
    }
    if verdict.command_type == CommandType.FINALISED and verdict.verdict == "refused":
        members["names"] = []
    guard = {"_id": verdict.ce_id, "as_of": {"$lt": verdict.as_of}}
    return UpdateOne(guard, {"$set": members}, upsert=True)
