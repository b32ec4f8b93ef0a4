"""The independent check of a register: audit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cli.app import Json, app, run
from client.output import echo, progress, table, to_json

if TYPE_CHECKING:
    from audit.report import Finding, Report
    from client.output import Bar, Bars

BROKEN, UNREACHABLE, NOT_YET = 1, 2, 3
"""How the command ends where not all holds. A wrong option ends it as UNREACHABLE does."""

MOST_SHOWN = 20


@app.command()
def audit(
    no_store: Annotated[
        bool, typer.Option("--no-store", help="Read the topics only, without access to MongoDB.")
    ] = False,
    reference: Annotated[
        Path | None,
        typer.Option(help="Folder of the reference files, instead of ROLLSTREAM_REFERENCE_DIR."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Show at most so many findings a check.")] = (
        MOST_SHOWN
    ),
    as_json: Json = False,
) -> None:
    """Check the whole register, independently of its services.

    Folds all events and commands anew and compares with every topic and the store. Ends with 0 if all holds,
    1 if something is broken, 2 if it cannot be told, 3 if the services have yet to catch up.
    """
    try:
        from client.audit import audit as audit_register
        from shared.process.settings import read_settings

        settings = read_settings()
        with progress(shown=not as_json) as bars:
            work = audit_register(settings, with_store=not no_store, reference=reference, tell=_Drawn(bars))
            report = run(work)
    except Exception as error:
        _cannot_tell(error)
    if as_json:
        echo(to_json(report.document()))
    else:
        _show(report, settings.register, limit)
    if report.broken:
        raise typer.Exit(BROKEN)
    if report.not_yet:
        raise typer.Exit(NOT_YET)


class _Drawn:
    """A bar for each topic, from when it is begun."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._drawn: dict[str, Bar] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self._drawn:
            self._drawn[what] = self._bars.add(what, total)
        self._drawn[what].reach(done)


def _cannot_tell(error: Exception) -> NoReturn:
    from cli.errors import told

    echo(f"{typer.style('error:', fg=typer.colors.RED)} {told(error)}", err=True)
    raise typer.Exit(UNREACHABLE) from None


def _show(report: Report, register: str, limit: int) -> None:
    from audit.report import CHECKS
    from client.audit import verdict

    if report.broken:
        _show_findings("Broken", report.broken, limit)
    if report.not_yet:
        _show_findings("Not there yet", report.not_yet, limit)
    if report.passed_over:
        rows_of_skips = report.passed_over[:limit]
        echo(table("Passed over, as two officers decided", ("where", "command"), rows_of_skips))
    rows = [
        (
            each.replace("_", " "),
            report.looked_at[each],
            report.broken_of[each],
            report.not_yet_of[each],
            CHECKS[each],
        )
        for each in report.checks()
    ]
    title = f"Audit of {register}"
    echo(table(title, ("check", "compared", "broken", "not yet", "what holds"), rows))
    echo(verdict(report))


def _show_findings(title: str, findings: list[Finding], limit: int) -> None:
    shown: list[tuple[str, str, str]] = []
    of_check: dict[str, int] = {}
    for each in findings:
        of_check[each.check] = of_check.get(each.check, 0) + 1
        if of_check[each.check] <= limit:
            shown.append((each.check.replace("_", " "), each.where, each.what))
    echo(table(title, ("check", "where", "what"), shown))
