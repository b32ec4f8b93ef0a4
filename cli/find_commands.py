"""What became of anything that has an id: find."""

from typing import Annotated, Any

import typer

from cli.app import Json, app, run, settings
from client.output import echo, fail, to_json

KINDS = "offset | event | registration | batch | command | conflict"
"""What can be looked up; a test compares it with `client.find`, which costs an import."""

MOST_SHOWN = 50


@app.command("find")
def find_command(
    wanted: Annotated[
        str,
        typer.Argument(metavar="ID", help="An id, or PARTITION/OFFSET of the events topic, or DEVICE/BATCH."),
    ] = "",
    kind: Annotated[str, typer.Option(help=f"Look for one kind only: {KINDS}.")] = "",
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="List the closed batches that lack events.")
    ] = False,
    office: Annotated[str, typer.Option(help="With --incomplete: only this office.")] = "",
    device: Annotated[str, typer.Option(help="With --incomplete: only this device.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="With --incomplete: show at most so many.")] = MOST_SHOWN,
    as_json: Json = False,
) -> None:
    """Show what became of an event, registration, batch or command.

    All kinds are searched and all matches are shown: outcome, versions, claims, decisions, list and serial.
    Of a command or a conflict the first 8 characters are enough.
    """
    if incomplete:
        if wanted:
            fail("--incomplete lists batches; choose among them by --office and --device, without an ID")
        run(_list_incomplete(office, device, limit, as_json))
        return
    if not wanted:
        fail("say what to find: rollstream find ID, or rollstream find --incomplete")
    from cli.show_found import show_found
    from client.find import find, kinds_of

    kinds = kinds_of(kind)
    if kinds is None:
        fail(f"--kind is one of {KINDS}")
    found = run(find(settings(), wanted, kinds))
    if as_json:
        echo(to_json([each.document() for each in found]))
    elif found:
        show_found(found)
    if not found:
        what = f"no {kind}" if kind else "nothing"
        fail(
            f"{what} is known by the id {wanted}. Give the whole id; for commands and conflicts 8 characters "
            "are enough. What was sent just now may not be settled yet: try again in a few seconds."
        )


async def _list_incomplete(office: str, device: str, limit: int, as_json: bool) -> None:
    from cli.show_found import show_incomplete
    from client.incomplete import incomplete_batches

    found: list[dict[str, Any]] = []
    more = False
    async for each in incomplete_batches(settings(), office, device):
        if len(found) == limit:
            more = True
            break
        found.append(each)
    if as_json:
        echo(to_json(found))
        return
    show_incomplete(found)
    if more:
        echo("… and more: choose with --limit, --office and --device.")
