"""The `rollstream` command."""

import gc
import logging
import sys
import warnings

import typer

from cli import (
    audit_commands,
    capture_commands,
    console_commands,
    dead_letter_commands,
    find_commands,
    officer_commands,
    operations_commands,
    roll_commands,
    status_commands,
    system_commands,
)
from cli.app import SELDOM, app
from client.output import fail


def main() -> None:
    """Run the command line; whatever goes wrong is told in one line, with what to do about it."""
    gc.set_threshold(*SELDOM)
    # What the drivers log, people are told below. A service configures logging of its own.
    logging.lastResort = logging.NullHandler()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries warn those who program with them
    try:
        try:
            app()
        except Exception as error:
            from cli.errors import told

            fail(told(error))
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
    finally:
        # Else Python looks through all that was imported once more as it ends: a sixth of a small command.
        gc.freeze()


__all__ = [
    "app",
    "audit_commands",
    "capture_commands",
    "console_commands",
    "dead_letter_commands",
    "find_commands",
    "main",
    "officer_commands",
    "operations_commands",
    "roll_commands",
    "status_commands",
    "system_commands",
]

if __name__ == "__main__":
    main()
