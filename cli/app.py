"""The command line's root, and what its commands share."""

from typing import Annotated

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

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
            f"ROLLSTREAM_{'__'.join(map(str, item['loc'])).upper()}: {_what(item['type'], item['msg'])}"
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        fail(f"settings: {'; '.join(wrong)}. docs/contracts/settings.md says what each may be.")
    except SettingsError as error:
        fail(f"settings: {error}. docs/contracts/settings.md says what each may be.")


def _what(rule: str, told: str) -> str:
    """No message of pydantic's repeats the value, which may be a password."""
    if rule == "extra_forbidden":
        return "there is no such setting"
    return "is not set" if rule in ("missing", "string_type") else told
