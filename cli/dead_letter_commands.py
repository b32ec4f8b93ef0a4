"""Commands around dead letters: dlq list, dlq show."""

import asyncio
import json
from typing import Annotated

import typer

from cli.app import Json, app, settings
from cli.dead_letters import FACTS, read_letters
from cli.output import console, fail, show, table

dlq = typer.Typer(help="Dead letters: records that are no events at all.", no_args_is_help=True)
app.add_typer(dlq, name="dlq")


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
    place: Annotated[str, typer.Argument(help="PARTITION/OFFSET, as `dlq list` shows it.")],
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
    fail(f"no dead letter {place}: `rollstream dlq list` shows which there are")
