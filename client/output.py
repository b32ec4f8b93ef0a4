"""How the command line speaks: tables and progress for people, one JSON value for scripts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table


def console(stderr: bool = False) -> Console:
    """Where people read."""
    return Console(highlight=False, stderr=stderr)


def fail(message: str) -> NoReturn:
    """Say what is wrong and what to do next, and end with code 1."""
    Console(stderr=True, highlight=False).print(f"[red]error:[/] {escape(message)}", soft_wrap=True)
    raise typer.Exit(1)


def show(value: Any, *, as_json: bool, text: str) -> None:
    """Print `value` as JSON for a script, else `text`."""
    if as_json:
        typer.echo(json.dumps(value, ensure_ascii=False, indent=1))
    else:
        console().print(text, soft_wrap=True, markup=False)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """A table whose numbers stand to the right; what a cell says is never taken for markup."""
    made = Table(title=title, title_justify="left", header_style="bold")
    for at, column in enumerate(columns):
        numbers = bool(rows) and all(isinstance(row[at], (int, float)) for row in rows)
        # Folded, not cut: the ends of ids and of paths are what tells them apart.
        made.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*(f"{cell:,}" if isinstance(cell, int) else escape(str(cell)) for cell in row))
    return made


def facts(title: str, values: Mapping[str, Any]) -> Table:
    """A table of names and values."""
    return table(title, ("", ""), [(name, str(value)) for name, value in values.items()])


@contextmanager
def progress(description: str, total: int, *, shown: bool = True) -> Iterator[Progress]:
    """A progress bar with one task; use `advance(0, n)`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        bar.add_task(description, total=total)
        yield bar
