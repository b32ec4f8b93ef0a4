"""How people see the status: what needs them, and what came of the last commands."""

from typing import Any

import typer

from client.output import table
from shared.contracts.commands import CommandType

LAST_SHOWN = 10
"""Settled commands that people are shown."""

SHORT = 12
"""Characters of an id that people are shown; commands take any beginning that is unique."""

ANSWERS = (CommandType.APPROVED, CommandType.WITHDRAWN)
"""What is no proposal, but says something of one."""


def show_status(found: dict[str, Any]) -> None:
    """People see what needs them and what came of the last commands; `--json` has every one in full."""
    proposals = [each for each in found["commands"] if each["type"] not in ANSWERS]
    waiting = [each for each in proposals if each["verdict"] == "open"]
    last = [each for each in found["commands"] if each["verdict"] != "open" and _tells(each)]
    if not found["commands"]:
        typer.echo(
            "No command was judged yet: the publisher does that (`rollstream serve publisher`).",
        )
    columns: tuple[str, ...] = ("command", "what", "of", "by", "verdict", "reason")
    typer.echo(table("Open commands", columns, [_command(each) for each in waiting]))
    typer.echo(table("Last settled commands", columns, [_command(each) for each in last[-LAST_SHOWN:]]))
    typer.echo(table("Conflicts", ("status", "number"), list(found["conflicts"].items())))
    if "open" in found:
        columns = ("conflict", "probability", "one", "other")
        typer.echo(table("Open conflicts", columns, [_conflict(each) for each in found["open"]]))
    rolls = [(each["_id"], each.get("state") or "", each.get("epoch") or "") for each in found["rolls"]]
    typer.echo(table("Rolls", ("roll", "state", "epoch"), rolls))


def _tells(command: dict[str, Any]) -> bool:
    """An approval or a withdrawal that did its work is told by what became of the proposal."""
    return bool(command["type"] not in ANSWERS or command["verdict"] == "refused")


def _command(command: dict[str, Any]) -> tuple[str, ...]:
    what = str(command["type"]).removesuffix(".v1").rsplit(".", 1)[-1]
    reason = command.get("reason") or ""
    if command["verdict"] == "open" and command.get("approved_by"):
        # Only a `finalised` waits after its approval; the publisher's log and metric name the cause.
        reason = f"approved by {command['approved_by']}, waits for its epoch, a file or the signing key"
    return command["_id"][:SHORT], what, _about(command), command["proposed_by"], command["verdict"], reason


def _about(command: dict[str, Any]) -> str:
    """What a command is of, in a few words; nothing where its data are not as the contract asks."""
    match command.get("data"):
        case {"kind": kind, "version": version, "sha256": _}:
            return f"{kind} {version}"
        case {"roll": roll, "epoch": epoch}:
            return f"{roll}, epoch {epoch}"
        case {"epoch": epoch}:
            return f"epoch {epoch}"
        case {"command_id": str(approved)}:
            return approved[:SHORT]
        case {"pair": [{"registration_id": one}, {"registration_id": other}]}:
            return f"{one}\n{other}"
        case _:
            return ""


def _conflict(conflict: dict[str, Any]) -> tuple[str, ...]:
    one, other = (version["registration_id"] for version in conflict["pair"])
    return conflict["_id"][:SHORT], str(conflict["probability"] or "–"), one, other
