"""Commands around dead letters: dlq list, dlq show, dlq drop."""

import asyncio
import json
from typing import Annotated, NoReturn

import typer

from cli.app import Json, app, settings
from client.dead_letters import FACTS, drop_letters, read_letters
from client.output import console, fail, show, table

dlq = typer.Typer(help="Dead letters: records that are no events at all.", no_args_is_help=True)
app.add_typer(dlq, name="dlq")

Place = Annotated[str, typer.Argument(help="PARTITION/OFFSET, as `dlq list` shows it.")]


@dlq.command("list")
def list_letters(as_json: Json = False) -> None:
    """List the dead letters with their reasons and where they came from."""
    letters = asyncio.run(read_letters(settings()))
    if as_json:
        typer.echo(json.dumps([{"place": each.place, **each.facts} for each in letters]))
        return
    rows = [(each.place, each.facts["reason"], each.facts["detail"], each.facts["time"]) for each in letters]
    console().print(table("Dead letters", ("place", "reason", "detail", "time"), rows))


@dlq.command("show")
def show_letter(
    place: Place,
    as_json: Json = False,
) -> None:
    """Show one dead letter as it came. It may hold personal data."""
    for letter in asyncio.run(read_letters(settings())):
        if letter.place == place:
            value = {"place": place, **letter.facts, **letter.original()}
            text = [f"{name:10} {letter.facts[name]}" for name in FACTS if letter.facts[name]]
            text.append(json.dumps(letter.original(), ensure_ascii=False, indent=1))
            show(value, as_json=as_json, text="\n".join(text))
            return
    _not_there(place)


@dlq.command("drop")
def drop_letter(
    place: Place,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; it cannot be taken back.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a dead letter that was seen to, and those before it in its partition."""
    if not yes:
        fail(f"nothing was dropped: {place} and what lies before it in its partition go for good by --yes")
    dropped = asyncio.run(drop_letters(settings(), place))
    if dropped is None:
        _not_there(place)
    if not dropped:
        fail(f"{place} lies there twice, once behind a newer one: drop that one, and it goes too")
    text = f"Dropped {len(dropped)}: {', '.join(dropped)}. Their events and outcomes stay where they are."
    show({"dropped": dropped}, as_json=as_json, text=text)


def _not_there(place: str) -> NoReturn:
    fail(f"no dead letter {place}: `rollstream dlq list` shows which there are")
