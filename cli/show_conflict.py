"""How an officer sees one conflict: both registrations side by side, what speaks for it, who said what."""

from collections.abc import Mapping
from typing import Any

from cli import show_people
from cli.show_status import verdict
from client.describe import SHORT, ruling
from client.output import echo, table, wrapped
from client.people import Names
from client.status import ConflictFile


def show_conflict(found: ConflictFile, place: Names) -> None:
    """For a terminal; `--json` has the same in full."""
    conflict = found.conflict
    echo(show_people.conflict_line(conflict))
    about = [("status", conflict.get("status")), ("epoch", conflict.get("epoch"))]
    about += [("found", conflict.get("found_at")), ("id", conflict["_id"])]
    told = ", ".join(f"{name} {value}" for name, value in about if value is not None)
    echo(f"{wrapped(told)}\n")
    echo(show_people.people(found.registrations[0], found.registrations[1], place))
    echo(show_people.evidence(conflict.get("evidence") or ()))
    for each in show_people.stale(found.registrations):
        echo(wrapped(f"Note: {each}") + "\n")
    later = {each["_id"]: each for each in found.decisions}
    columns = ("command", "what", "verdict", "why", "by", "on")
    echo(table("Decisions so far", columns, [_decision(each, later) for each in found.decisions]))


def _decision(command: Mapping[str, Any], later: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    data = command["data"]
    return (
        command["_id"][:SHORT],
        ruling(command["type"], data),
        "; ".join(verdict(command, later)),
        data["reason"],
        ", ".join(filter(None, (command["proposed_by"], command.get("approved_by")))),
        "these versions" if command["these_versions"] else "other versions",
    )
