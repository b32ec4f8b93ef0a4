"""The command line's root, and what its commands share.

Nothing heavy is imported until a command runs: each pays for its own libraries only, and `--help`,
`--version` and the shell's completion for none. `tests/unit/cli/test_start.py` holds that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from client.output import echo, fail

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from shared.process.settings import Settings

app = typer.Typer(
    name="rollstream",
    help="Event-driven voter registration: captures in, conflicts decided by people, verifiable lists out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value, for scripts.")]


SELDOM = (50_000, 20, 100)
"""How often a command collects garbage: importing makes next to none, and Python looks for it 100 times."""

_Answer = TypeVar("_Answer")


def run(work: Coroutine[Any, Any, _Answer]) -> _Answer:
    """The answer of a coroutine, in an event loop of its own."""
    import asyncio

    return asyncio.run(work)


def settings() -> Settings:
    """The settings of the environment; ends the command when one is missing or wrong."""
    from shared.process.settings import UnusableSettings, read_settings

    try:
        return read_settings()
    except UnusableSettings as error:
        fail(str(error))


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        echo(f"rollstream {version('rollstream')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Event-driven voter registration: captures in, conflicts decided by people, verifiable lists out."""
