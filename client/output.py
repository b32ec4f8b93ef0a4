"""How the command line speaks: tables and progress for people, one JSON value for scripts.

Rich is imported only where something is drawn that moves: it costs as much time as a small command.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from client import tables

_STYLES = re.compile(r"(\x1b\[(?:0|1|22|31|33)m)")
"""Bold or not, red and yellow, and their end."""

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


def console(stderr: bool = False) -> Console:
    """Where people read what moves or has colours."""
    from rich.console import Console

    return Console(highlight=False, stderr=stderr)


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a text, the only way to print one: what a stranger wrote may be in it.

    A control character is shown as U+FFFD, so that no id or name moves the terminal or hides a line; all that
    passes are line ends and the styles that are made here.
    """
    parts = _STYLES.split(text)
    typer.echo(
        "".join(part if at % 2 else tables.clean(part) for at, part in enumerate(parts)), nl=nl, err=err
    )


def fail(message: str) -> NoReturn:
    """Say what is wrong and what to do next, and end with code 1."""
    echo(f"{typer.style('error:', fg=typer.colors.RED)} {message}", err=True)
    raise typer.Exit(1)


def warn(message: str) -> None:
    """Say on stderr what is odd; the command goes on."""
    echo(f"{typer.style('warning:', fg=typer.colors.YELLOW)} {message}", err=True)


def show(value: Any, *, as_json: bool, text: str) -> None:
    """Print `value` as JSON for a script, else `text`."""
    echo(to_json(value) if as_json else text)


def to_json(value: Any) -> str:
    """As every `--json` writes it; what JSON does not know, such as a time, is written as text.

    Control characters are escaped, also those that JSON would let stand.
    """
    text = json.dumps(value, ensure_ascii=False, indent=1, default=str)
    return tables.CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def width() -> int:
    """Cells of a line: the terminal's or COLUMNS', 80 where neither is known."""
    return shutil.get_terminal_size((80, 24)).columns


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table to be printed; where there are no rows it says so in one line."""
    if not rows:
        return f"{typer.style(title, bold=True)}: none"
    title, header, lines = tables.table(title, columns, rows, width())
    heads = [line for line in (title, *header.split("\n")) if line]
    return "\n".join([*(typer.style(each, bold=True) for each in heads), *lines, ""])


def wrapped(text: str, *, bold: bool = False) -> str:
    """Prose in lines of the terminal's width."""
    return "\n".join(typer.style(line, bold=bold) for line in tables.fold(text, width()))


def facts(title: str, values: Mapping[str, Any]) -> str:
    """A table of names and values."""
    return table(title, ("", ""), [(name, str(value)) for name, value in values.items()])


class Bars:
    """Progress bars on stderr; nothing at all where nobody looks."""

    def __init__(self, drawn: Progress | None) -> None:
        self._drawn = drawn

    def add(self, description: str, total: int, *, shown: bool = True) -> Bar:
        """One more bar."""
        if self._drawn is None or not shown:
            return Bar(None, None)
        return Bar(self._drawn, self._drawn.add_task(description, total=total))


class Bar:
    """One of them."""

    def __init__(self, drawn: Progress | None, task: TaskID | None) -> None:
        self._drawn, self._task = drawn, task

    def advance(self, count: int = 1) -> None:
        """So much more is done."""
        if self._drawn is not None and self._task is not None:
            self._drawn.advance(self._task, count)

    def reach(self, done: int) -> None:
        """So much is done in all."""
        if self._drawn is not None and self._task is not None:
            self._drawn.update(self._task, completed=done)


@contextmanager
def progress(*, shown: bool = True) -> Iterator[Bars]:
    """Progress bars, drawn where stderr is a terminal."""
    if not shown or not sys.stderr.isatty():
        yield Bars(None)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True)) as drawn:
        yield Bars(drawn)
