"""Commands in words. Pure."""

from collections.abc import Mapping
from typing import Any

from shared.contracts.command_types import CommandType

SHORT = 12
"""Characters of an id that people are shown; commands take any beginning of 8 or more that is unique."""

LEAST_BEGINNING = 8
"""Characters of an id that commands take for its beginning."""

_WHAT = {
    CommandType.APPROVED: "approval",
    CommandType.WITHDRAWN: "withdrawal",
    CommandType.ADOPTED: "adopt",
    CommandType.CUT_OFF: "cut-off",
    CommandType.DECIDED: "decide",
    CommandType.REVERSED: "reverse",
    CommandType.FINALISED: "finalise",
    CommandType.SKIPPED: "skip",
}


EXPIRED = "expired (not yet recorded)"
"""What is open but can no longer be approved: only an approval that comes too late records it."""

OTHER_COMMUNES = "which names other communes: at most one of the two counts as made"
"""Of two commands on the same versions; `finalised` and the conflict know which one."""


def what(ce_type: str) -> str:
    """The command's name at the command line; what nobody knows as it is."""
    known = [name for command, name in _WHAT.items() if command == ce_type]
    return known[0] if known else ce_type.removesuffix(".v1").rsplit(".", 1)[-1]


def describe(ce_type: str, data: Any) -> str:
    """What a command would do; nothing where its data are not as the contract asks."""
    match ce_type, data:
        case CommandType.ADOPTED, {"kind": kind, "version": version, "sha256": str(sha256)}:
            lost = ", in the place of a lost key" if data.get("lost") else ""
            return f"{str(kind).replace('_', ' ')} {version} ({sha256[:SHORT]}){lost}"
        case CommandType.CUT_OFF, {"epoch": epoch}:
            return f"epoch {epoch} ends"
        case CommandType.FINALISED, {"roll": roll, "epoch": epoch}:
            election = data.get("election") or {}
            kind = str(election.get("kind", "")).replace("_", " ")
            what_of_undecided = str(data.get("undecided", "")).replace("_", " ")
            return (
                f"{roll} of epoch {epoch}: {data.get('kind')}, {kind} election on {election.get('day')}, "
                f"undecided: {what_of_undecided}"
            )
        case CommandType.SKIPPED, {"topic": topic, "partition": partition, "offset": offset}:
            return f"pass over {topic}/{partition}/{offset}, which cannot be read"
        case ((CommandType.DECIDED | CommandType.REVERSED), {"pair": [one, other]}):
            return f"{_id(one)} and {_id(other)}: {ruling(ce_type, data)}"
        case ((CommandType.APPROVED | CommandType.WITHDRAWN), {"command_id": str(command_id)}):
            return f"of {command_id[:SHORT]}"
        case _:
            return ""


def ruling(ce_type: str, data: Mapping[str, Any]) -> str:
    """What a decision or reversal says of its pair."""
    if ce_type == CommandType.REVERSED:
        return "the decision is taken back"
    if data.get("decision") == "same_person":
        return f"one person, keep {data.get('keep')}"
    return "two people"


def _id(version: Any) -> str:
    return str(version.get("registration_id")) if isinstance(version, Mapping) else ""
