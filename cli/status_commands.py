"""What officers look at before and after they act: status."""

from typing import Annotated

import typer

from cli.app import Json, app, run, settings
from client.output import fail, to_json


@app.command()
def status(
    conflicts: Annotated[bool, typer.Option("--conflicts", help="List the open conflicts.")] = False,
    conflict: Annotated[
        str, typer.Option(metavar="ID", help="Show this conflict whole, with both registrations' data.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Show proposals and their verdicts, conflicts and rolls.

    `--conflict ID` shows all that deciding on one conflict needs.
    """
    from cli.show_status import show_status
    from client.status import read_status

    if conflict:
        _one(conflict, as_json)
        return
    found = run(read_status(settings(), with_conflicts=conflicts))
    if as_json:
        typer.echo(to_json(found))
        return
    show_status(found)


def _one(conflict_id: str, as_json: bool) -> None:
    from cli.show_conflict import show_conflict
    from client.status import read_conflict, read_conflict_file

    current = settings()
    conflict = run(read_conflict(current, conflict_id))
    if conflict is None:
        fail(f"no one conflict {conflict_id}: `rollstream status --conflicts` lists the open ones")
    found = run(read_conflict_file(current, conflict))
    if as_json:
        typer.echo(to_json(found.document()))
        return
    show_conflict(found)
