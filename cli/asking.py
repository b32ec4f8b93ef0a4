"""Questions to whoever sits at the terminal."""

import sys

import typer

from client.output import echo


class Keys:
    """Answers by one key each: from the terminal without Enter, from a pipe one character after the other."""

    def key(self) -> str:
        """The next key in lower case; empty where there are no more."""
        if sys.stdin.isatty():
            try:
                return typer.getchar().lower()
            except (KeyboardInterrupt, EOFError):
                return ""
        while (char := sys.stdin.read(1)) and char.isspace():
            pass
        return char.lower()

    def line(self, prompt: str) -> str:
        """A line of text; empty where there are no more."""
        echo(f"{prompt}: ", nl=False, err=True)
        while line := sys.stdin.readline():
            if line.strip() or sys.stdin.isatty():
                return line.strip()
        return ""


def someone_there() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty()


def agrees(question: str) -> bool:
    """Whether they say yes; anything else is no."""
    echo(f"{question} [y/N] ", nl=False, err=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
