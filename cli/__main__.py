"""The `rollstream` command."""

from cli import capture_commands, officer_commands, roll_commands, system_commands
from cli.app import app


def main() -> None:
    """Run the command line."""
    app()


__all__ = ["app", "capture_commands", "main", "officer_commands", "roll_commands", "system_commands"]

if __name__ == "__main__":
    main()
