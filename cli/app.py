"""The command line's root, and what its commands share."""

from typing import Annotated

import typer

from client.output import fail
from shared.process.settings import Settings, UnusableSettings, read_settings

app = typer.Typer(
    name="rollstream",
    help="Event-driven voter registration: captures in, conflicts decided by people, verifiable lists out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value, for scripts.")]


def settings() -> Settings:
    """The settings of the environment; ends the command when one is missing or wrong."""
    try:
        return read_settings()
    except UnusableSettings as error:
        fail(str(error))
