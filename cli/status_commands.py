"""What officers look at before and after they act: status."""

from typing import Annotated

import typer

from cli.app import Json, app, run, settings
from client.output import echo, fail, to_json

MOST_CONFLICTS = 200
"""Open conflicts that are shown at once, the surest first."""


@app.command()
def status(
    conflicts: Annotated[bool, typer.Option("--conflicts", help="Also list the open conflicts.")] = False,
    conflict: Annotated[
        str, typer.Option(metavar="ID", help="Show this conflict whole, with both registrations' data.")
    ] = "",
    kind: Annotated[str, typer.Option("--class", help="With --conflicts: only this class.")] = "",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Show at most so many settled commands, and so many conflicts.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show proposals and their verdicts, conflicts and rolls.

    `--conflict ID` shows all that deciding on one conflict needs; `rollstream review` goes through many.
    """
    from cli.show_status import LAST_SHOWN, show_status
    from client.status import read_status

    if conflict:
        _one(conflict, as_json)
        return
    settled = limit if as_json else limit or LAST_SHOWN
    most = (limit or MOST_CONFLICTS) if conflicts else None
    found = run(read_status(settings(), settled=settled, conflicts=most, kind=kind))
    if as_json:
        echo(to_json(found.document()))
        return
    show_status(found)


def _one(conflict_id: str, as_json: bool) -> None:
    from cli.show_conflict import show_conflict
    from client.places import Places
    from client.status import read_conflict, read_conflict_file
    from shared.reference.files import ReferenceStore

    current = settings()
    conflict = run(read_conflict(current, conflict_id))
    if conflict is None:
        fail(
            f"no conflict, or more than one, has an id that begins with {conflict_id}: "
            "`rollstream status --conflicts` lists the open ones"
        )
    found = run(read_conflict_file(current, conflict))
    if as_json:
        echo(to_json(found.document()))
        return
    show_conflict(found, Places(ReferenceStore(current.reference_dir), found.gazetteer))
