"""The command line's root, and what its commands share."""

from typing import Annotated

import typer
from pydantic import ValidationError

from cli.output import fail
from shared.settings import Settings

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
        return Settings()
    except ValidationError as error:
        wrong = [
            f"ROLLSTREAM_{'__'.join(str(part) for part in item['loc']).upper()}: {item['type']}"
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        fail(f"settings: {'; '.join(wrong)}. Set what docs/operations.md lists and try again.")
