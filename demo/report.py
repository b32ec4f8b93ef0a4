"""What the demo prints at its end."""

import shlex
from pathlib import Path

import typer
from rich.console import Console

from client.output import facts, table
from demo.state import Demo

JSON_NAMES = (
    "events",
    "accepted",
    "ignored",
    "rejected",
    "dead_lettered",
    "unaccounted",
    "wrong_outcome",
    "true_pairs",
    "found_pairs",
    "precision",
    "recall",
    "conflicts",
    "decisions",
    "lists",
    "entries",
    "verified",
    "people_on_two_lists",
    "people_missed",
    "events_per_second",
    "latency_p50_ms",
    "latency_p99_ms",
    "seconds",
)
"""The figures that `--json` writes, in this order."""


def show(out: Console, demo: Demo) -> None:
    """Print what came of every event, the matching, the lists, and the figures."""
    figures = demo.figures
    out.print()
    columns = ("expected", "reason", "events", "as expected")
    _print(out, table("What came of every event, against the truth", columns, figures["outcome_table"]))
    classes = ("class", "true pairs", "claimed", "precision", "recall")
    _print(out, table("What the matching claimed, by class", classes, figures["class_table"]))
    columns = ("truth", "how the two captures differ", "pairs", "claimed")
    _print(out, table("What the matching claimed, against the truth", columns, figures["matching_table"]))
    for kind, number in figures["wrong_by_kind"].items():
        out.print(f"[red]not as expected:[/] {kind}: {number}")
    _print(out, facts("In figures", {name: figures[name] for name in JSON_NAMES}))


def _print(out: Console, made: str) -> None:
    """A table has its own width and its own colours."""
    typer.echo(made, file=out.file)


def show_what_next(out: Console, demo: Demo) -> None:
    """Print where everything is, and what to try while it runs."""
    keys = demo.directory / "register/keys"
    out.print("\nAll of it goes on running until Ctrl-C.")
    for name, service in demo.services.items():
        out.print(f"  {name:13} {service.url}/metrics  {service.url}/health/ready", soft_wrap=True)
    out.print(f"  broker        {demo.settings.kafka.bootstrap_servers}")
    out.print("\nTry, in another terminal:")
    suggestions: tuple[tuple[str | Path, ...], ...] = (
        ("source", demo.directory / "environment"),
        ("rollstream", "status", "--conflicts"),
        ("rollstream", "verify", demo.directory / "lists", "--key", keys / "signing.pub.pem"),
        ("rollstream", "cut-off", "2", "--officer", "publisher", "--key", keys / "publisher.pem"),
    )
    for words in suggestions:
        out.print(f"  {shlex.join(map(str, words))}", soft_wrap=True, markup=False)
    out.print("The last one waits for another officer, as it will say:")
    key = shlex.quote(str(keys / "second-officer.pem"))
    out.print(f"  rollstream approve ID --officer second-officer --key {key}", soft_wrap=True, markup=False)
