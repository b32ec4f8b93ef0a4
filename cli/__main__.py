"""The `rollstream` command."""

import logging
import sys

import typer
from aiokafka.errors import KafkaError

from cli import (
    capture_commands,
    dead_letter_commands,
    officer_commands,
    roll_commands,
    status_commands,
    system_commands,
)
from cli.app import app
from client.output import fail
from client.topics import TopicMissing
from shared.store.mongo import StoreError


def main() -> None:
    """Run the command line; a server that does not answer is told in one line, and what to look at."""
    # What the drivers log, people are told below. A service configures logging of its own.
    logging.lastResort = logging.NullHandler()
    try:
        try:
            app()
        except KafkaError as error:
            fail(f"no broker answers ({type(error).__name__}): check ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS")
        except TopicMissing as error:
            fail(str(error))
        except StoreError as error:
            fail(f"the store does not answer ({type(error).__name__}): check ROLLSTREAM_MONGO__URI")
    except typer.Exit as ended:
        sys.exit(ended.exit_code)


__all__ = [
    "app",
    "capture_commands",
    "dead_letter_commands",
    "main",
    "officer_commands",
    "roll_commands",
    "status_commands",
    "system_commands",
]

if __name__ == "__main__":
    main()
