"""What officers look at: status."""

import asyncio
import json
from typing import Annotated

import typer

from cli.app import Json, app, settings
from cli.show_status import show_status
from cli.status import read_status


@app.command()
def status(
    conflicts: Annotated[bool, typer.Option("--conflicts", help="List the open conflicts.")] = False,
    as_json: Json = False,
) -> None:
    """Show commands and their verdicts, open conflicts, rolls."""
    found = asyncio.run(read_status(settings(), with_conflicts=conflicts))
    if as_json:
        typer.echo(json.dumps(found, indent=1, default=str))
        return
    show_status(found)
