"""What officers look at before and after they act: status."""

import asyncio
import json
from typing import Annotated

import typer

from cli.app import Json, app, settings
from cli.show_conflict import show_conflict
from cli.show_status import show_status
from client.output import fail
from client.status import read_conflict, read_conflict_file, read_status


@app.command()
def status(
    conflicts: Annotated[bool, typer.Option("--conflicts", help="List the open conflicts.")] = False,
    conflict: Annotated[
        str, typer.Option(metavar="ID", help="Show this conflict whole, with both registrations' data.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Show commands and their verdicts, open conflicts, rolls; or all that deciding on a conflict needs."""
    if conflict:
        _one(conflict, as_json)
        return
    found = asyncio.run(read_status(settings(), with_conflicts=conflicts))
    if as_json:
        typer.echo(json.dumps(found, indent=1, default=str))
        return
    show_status(found)


def _one(conflict_id: str, as_json: bool) -> None:
    current = settings()
    conflict = asyncio.run(read_conflict(current, conflict_id))
    if conflict is None:
        fail(f"no one conflict {conflict_id}: `rollstream status --conflicts` lists the open ones")
    found = asyncio.run(read_conflict_file(current, conflict))
    if as_json:
        typer.echo(json.dumps(found.document(), ensure_ascii=False, indent=1, default=str))
        return
    show_conflict(found)
