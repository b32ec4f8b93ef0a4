"""The trail of operational acts, read and verified."""

from dataclasses import dataclass
from typing import Any

from client import commands
from client.commands import CommandNotSent
from client.foresight import fold_all
from client.require import require
from shared.contracts.operations import Dropped, Operation, ReplayBegun, Replayed, Started
from shared.contracts.timestamps import rfc3339
from shared.contracts.topics import Topic
from shared.operations.log import read_trail
from shared.operations.trail import Entry, Keys, Trail
from shared.process.settings import Settings
from shared.reference.files import ReferenceStore


@dataclass(frozen=True, slots=True)
class Operations:
    """The trail; `keys` of who may sign, or `unchecked`: why signatures could not be checked here."""

    trail: Trail
    keys: Keys | None
    unchecked: str | None

    def document(self, limit: int | None = None) -> dict[str, Any]:
        """As `--json` prints it: of the acts the newest."""
        trail, faults = self.trail, self.trail.faults
        return {
            "records": len(trail.entries),
            "signatures_checked": trail.checked,
            "unchecked": self.unchecked,
            "sealed": trail.sealed,
            "unsealed": trail.unsealed,
            "faults": len(faults),
            "first_fault": {"offset": faults[0].offset, "fault": faults[0].fault} if faults else None,
            "acts": [told(each) for each in trail.entries[-limit if limit else None :]],
        }


async def read_operations(settings: Settings) -> Operations:
    """Everything that lies on the trail now.

    Raises shared.runtime.clients.TopicMissing, and aiokafka's KafkaError if no broker answers.
    """
    keys, unchecked = await keys_of(settings)
    await require(settings, Topic.OPERATIONS)
    return Operations(await read_trail(settings, "rollstream-operations", keys), keys, unchecked)


async def keys_of(settings: Settings) -> tuple[Keys | None, str | None]:
    """Who may sign, by the commands; or None and why that cannot be known here. Raises as above."""
    try:
        records = await commands.read(settings)
        folded = fold_all(settings, records, ReferenceStore(settings.reference_dir).read)
    except CommandNotSent as error:
        return None, str(error)
    return (None, folded.missing) if folded.missing else (Keys.of(folded.state), None)


def told(entry: Entry) -> dict[str, Any]:
    """One record for a script."""
    return {
        "offset": entry.offset,
        "time": rfc3339(entry.timestamp),
        "type": entry.ce_type,
        "id": entry.ce_id,
        "fault": entry.fault,
        "signed": entry.act is not None and entry.act.by.key_id is not None,
        "authentic": entry.authentic,
        "data": None if entry.act is None else entry.act.model_dump(mode="json", exclude_unset=True),
    }


def who(act: Operation) -> str:
    """Who did it, in words."""
    if act.by.service is None:
        return act.by.officer or ""
    instance = f" {act.by.instance}" if act.by.instance else ""
    return f"{act.by.service}{instance}"


def what(act: Operation) -> str:
    """What they did, in words without personal data: the officer's own reason comes last."""
    match act:
        case Started():
            changed = ", ".join(act.changed) or "first start that is recorded"
            return f"started, version {act.version}: {changed}"
        case ReplayBegun():
            return f"began to replay {_letters(act)}: {act.reason}"
        case Replayed():
            return f"replayed {_letters(act)}: {act.reason}"
        case Dropped():
            return f"dropped {_letters(act)}: {act.reason}"


def _letters(act: ReplayBegun | Replayed | Dropped) -> str:
    some = [f"{each.partition}/{each.offset}" for each in act.letters[:3]]
    more = f" and {len(act.letters) - len(some)} more" if len(act.letters) > len(some) else ""
    return ", ".join(some) + more


def fault_counts(trail: Trail) -> dict[str, tuple[int, int]]:
    """Why records do not hold: how many, and the offset of the first."""
    found: dict[str, tuple[int, int]] = {}
    for entry in trail.faults:
        count, first = found.get(entry.fault or "", (0, entry.offset))
        found[entry.fault or ""] = count + 1, first
    return found
