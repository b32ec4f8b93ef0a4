"""How an officer sees one conflict: what speaks for it, both registrations side by side, who said what."""

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from cli.show_status import SHORT
from client.output import facts, table
from client.status import ConflictFile

ABOUT = ("status", "class", "probability", "weight", "model", "epoch", "found_at")


def show_conflict(found: ConflictFile) -> None:
    """For a terminal; `--json` has the same in full."""
    conflict = found.conflict
    about = {name: _text(conflict.get(name)) for name in ABOUT}
    typer.echo(facts(f"Conflict {conflict['_id'][:SHORT]}", about))
    evidence = [(each["field"], each["level"], each["weight"]) for each in conflict.get("evidence") or ()]
    typer.echo(table("Evidence, in bits", ("field", "level", "weight"), evidence))
    ids = [each["registration_id"] for each in found.registrations]
    typer.echo(table("As captured", ("", *ids), list(_side_by_side(*found.registrations))))
    for each in found.registrations:
        if not each["current"]:
            typer.echo(
                f"The conflict is about another version of {each['registration_id']} than this, its newest.",
            )
    columns = ("command", "what", "keep", "why", "by", "approved by", "verdict", "on")
    typer.echo(table("Decisions so far", columns, [_decision(each) for each in found.decisions]))


def _side_by_side(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Every value by its path; what one of them lacks is empty."""
    ones, others = dict(_leaves(one)), dict(_leaves(other))
    for path in dict.fromkeys((*ones, *others)):
        if path != "registration_id" and not ones.get(path) is others.get(path) is None:
            yield path, _text(ones.get(path)), _text(others.get(path))


def _leaves(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, content in value.items():
        if isinstance(content, Mapping):
            yield from _leaves(content, f"{above}{name}.")
        else:
            yield f"{above}{name}", content


def _decision(command: Mapping[str, Any]) -> tuple[str, ...]:
    data, reason = command["data"], command.get("reason")
    return (
        command["_id"][:SHORT],
        data.get("decision", "reversed"),
        _text(data.get("keep")),
        data["reason"],
        command["proposed_by"],
        _text(command.get("approved_by")),
        f"{command['verdict']}: {reason}" if reason else command["verdict"],
        "these versions" if command["these_versions"] else "other versions",
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
