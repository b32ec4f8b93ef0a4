"""The trail of operational acts: operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.app import Json, app, run, settings
from client.output import echo, table, to_json, warn

if TYPE_CHECKING:
    from shared.operations.trail import Entry, Trail

MOST_SHOWN = 50


@app.command("operations")
def show_operations(
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"Show at most so many, the newest; {MOST_SHOWN} without.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show and verify the trail of operational acts.

    These are replays and drops of dead letters, and starts of services with other settings. Each record seals
    those before it; the command ends with code 1 and names the first that does not hold.
    """
    from client.operations import fault_counts, read_operations
    from shared.operations.trail import FAULTS

    found = run(read_operations(settings()))
    trail = found.trail
    if as_json:
        echo(to_json(found.document(limit)))
    else:
        _show(trail, limit or MOST_SHOWN)
    if found.unchecked:
        warn(f"no signature was checked: {found.unchecked}")
    for fault, (count, first) in fault_counts(trail).items():
        warn(f"{count} do not hold, the first at offset {first}: {fault}: {FAULTS[fault]}")
    if trail.faults:
        raise typer.Exit(1)


def _show(trail: Trail, limit: int) -> None:
    shown = trail.entries[-limit:]
    echo(table("Operations", ("offset", "time", "who", "what", ""), [_row(each) for each in shown]))
    if len(trail.entries) > len(shown):
        echo(f"… and {len(trail.entries) - len(shown)} before them: choose with --limit")
    if trail.entries and not trail.faults:
        sealed = 0 if trail.sealed is None else trail.sealed + 1
        echo(
            f"All {len(trail.entries)} hold. The first {sealed} are sealed by later ones, the last "
            f"{trail.unsealed} not yet."
        )


def _row(entry: Entry) -> tuple[Any, ...]:
    from client.operations import what, who
    from shared.commands.message import shown
    from shared.contracts.timestamps import rfc3339

    act = entry.act
    signed = "unsigned" if act is None or act.by.key_id is None else "not checked"
    return (
        entry.offset,
        rfc3339(entry.timestamp),
        who(act) if act else "",
        what(act) if act else shown(entry.ce_type),
        entry.fault or ("signed" if entry.authentic else signed),
    )
