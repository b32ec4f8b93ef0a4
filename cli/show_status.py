"""How people see the status: what needs them, and what came of the last proposals."""

from collections.abc import Iterator, Mapping
from typing import Any

from client.already import differ_in_communes, is_too_old
from client.describe import EXPIRED, OTHER_COMMUNES, SHORT, describe, what
from client.output import echo, table
from client.status import Status
from shared.contracts.command_types import CommandType
from shared.contracts.timestamps import milliseconds

ANSWERS = (CommandType.APPROVED, CommandType.WITHDRAWN)
"""What is no proposal, but says something of one."""

LAST_SHOWN = 10
"""Settled proposals that people are shown unless they ask for more."""

NAMES_SHOWN = 3
"""Names of a refused `finalised` that people are shown; `--json` has them."""


def show_status(found: Status) -> None:
    """What needs people first; `--json` has the same in full."""
    if not found.known:
        echo("No command was judged yet: the publisher does that (`rollstream serve publisher`).")
    columns: tuple[str, ...] = ("command", "what", "by", "since", "note")
    waiting = [_waiting(each) for each in found.open]
    echo(table("Proposals that wait for approval", columns, waiting))
    columns = ("command", "what", "by", "verdict")
    echo(table("Last settled", columns, [_settled(each, found.later) for each in found.settled]))
    echo(table("Conflicts", ("status", "number"), list(found.conflicts.items())))
    if found.open_conflicts is not None:
        columns = ("conflict", "class", "probability", "registrations")
        echo(table("Open conflicts", columns, [_conflict(each) for each in found.open_conflicts]))
        if (more := found.conflicts.get("open", 0) - len(found.open_conflicts)) > 0:
            echo(f"… and {more:,} more: --limit shows them, `rollstream review` goes through them\n")
    rolls = [(each["_id"], each.get("state") or "", each.get("epoch") or "") for each in found.rolls]
    echo(table("Rolls", ("roll", "state", "epoch"), rolls))


def _waiting(command: Mapping[str, Any]) -> tuple[str, ...]:
    note = (command.get("data") or {}).get("reason") or "" if isinstance(command.get("data"), dict) else ""
    if command.get("approved_by"):
        # Only a `finalised` waits after its approval; the publisher's log and metric name the cause.
        note = f"approved by {command['approved_by']}, waits for its epoch, a file or the signing key"
    elif _is_expired(command):
        note = f"{EXPIRED}: {note}" if note else EXPIRED
    since = str(command.get("proposed_at") or "")[:10]
    return command["_id"][:SHORT], _told(command), command["proposed_by"], since, note


def _is_expired(command: Mapping[str, Any]) -> bool:
    # An approved `finalised` waits as long as it must.
    unsettled = command["verdict"] == "open" and not command.get("approved_by")
    return bool(unsettled and command.get("proposed_at")) and is_too_old(milliseconds(command["proposed_at"]))


def _settled(command: Mapping[str, Any], later: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    by = command["proposed_by"]
    if command.get("approved_by"):
        by = f"{by}, {command['approved_by']}"
    why = (command.get("data") or {}).get("reason") if isinstance(command.get("data"), dict) else None
    told = f"{_told(command)}: {why}" if why else _told(command)
    return command["_id"][:SHORT], told, by, "; ".join(verdict(command, later))


def verdict(command: Mapping[str, Any], later: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What became of a command in words; `later` has type and data of what superseded it."""
    said, by = str(command["verdict"]), command.get("settled_by")
    if said in ("withdrawn", "returned") and by:
        yield f"{said} by {by}"
    elif command.get("reason"):
        yield f"{said} ({command['reason']})"
    else:
        yield EXPIRED if _is_expired(command) else said
    if by_id := command.get("superseded_by"):
        other = later.get(by_id, {})
        how = "taken back" if other.get("type") == CommandType.REVERSED else "decided anew"
        yield f"{how} by {by_id[:SHORT]}"
        if differ_in_communes(command.get("data"), other.get("data")):
            yield OTHER_COMMUNES
    if names := command.get("names"):
        some = ", ".join(
            " and ".join(each) if isinstance(each, list) else each for each in names[:NAMES_SHOWN]
        )
        more = int(command.get("named") or len(names)) - NAMES_SHOWN
        yield f"{some} and {more} more" if more > 0 else some


def _told(command: Mapping[str, Any]) -> str:
    described = describe(command["type"], command.get("data"))
    return f"{what(command['type'])}: {described}" if described else what(command["type"])


def _conflict(conflict: Mapping[str, Any]) -> tuple[str, ...]:
    one, other = (version["registration_id"] for version in conflict["pair"])
    probability = conflict.get("probability")
    told = "–" if probability is None else f"{probability:.4f}"
    return conflict["_id"][:SHORT], str(conflict.get("class") or ""), told, f"{one}, {other}"
