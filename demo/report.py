"""What the demo prints at its end."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from client.output import facts, table
from demo.state import ROLL, Demo, Example

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
    "second_epoch",
    "open_conflicts",
    "lists",
    "entries",
    "verified",
    "people_on_two_lists",
    "people_missed",
    "events_per_second",
    "latency_p50_ms",
    "latency_p99_ms",
    "audit_broken",
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
    for sentence in (*in_words(figures), figures["audit"]):
        out.print(sentence, markup=False)


def in_words(figures: Mapping[str, Any]) -> list[str]:
    """What the figures on people and epochs say, in sentences."""
    missed = figures["people_missed"]
    undone = figures["people_on_two_lists"] - missed
    told = [
        f"{missed} people are on two lists because matching missed them: no claim joins their registrations, "
        "so that no officer was asked."
        if missed
        else "Matching missed nobody who is on the lists.",
        f"{undone} people are on two lists although officers decided that they are one."
        if undone
        else "Nobody about whom officers decided is on two lists.",
    ]
    return [
        " ".join(told),
        f"The last {figures['second_epoch']:,} events came after the cut-off and belong to epoch 2, with "
        f"{figures['open_conflicts']} open conflicts. The lists are those of epoch 1.",
    ]


def _print(out: Console, made: str) -> None:
    """A table has its own width and its own colours."""
    typer.echo(made, file=out.file)


def show_what_next(out: Console, demo: Demo) -> None:
    """Print where everything is, and what to type while it runs."""
    out.print("\nAll of it goes on running until Ctrl-C.")
    for name, service in demo.services.items():
        out.print(f"  {name:13} {service.url}/metrics  {service.url}/health/ready", soft_wrap=True)
    out.print(f"  broker        {demo.settings.kafka.bootstrap_servers}")
    out.print("\nTry, in another terminal:")
    for what, *lines in what_next(demo.directory, demo.stream.election_day.isoformat(), demo.example):
        out.print(what, soft_wrap=True, markup=False)
        for line in lines:
            out.print(f"  {line}", soft_wrap=True, markup=False, highlight=False)


def what_next(directory: Path, election_day: str, example: Example | None) -> list[tuple[str, ...]]:
    """What to type and why, in order; each explanation with its commands."""
    lists = shlex.quote(str(directory / "lists"))
    approve = f"rollstream approve ID {_by('second-officer')}"
    look: tuple[tuple[str, ...], ...] = ()
    if example:
        short = example.conflict[:12]
        decision = f"--keep {example.keep}" if example.keep else "--different"
        look = (
            (
                f"One of the conflicts that epoch 2 has left open, with both registrations ({example.why}):",
                f"rollstream status --conflict {short}",
            ),
            (
                "Decide it. Every proposal is printed with its ID, and another officer approves it:",
                f'rollstream decide {short} {decision} --reason "looked at" {_by("adjudicator")}',
                approve,
            ),
        )
    return [
        (
            "The settings of this register; $KEYS is where the keys of its officers are:",
            f"source {shlex.quote(str(directory / 'environment'))}",
        ),
        (
            "The lists of epoch 1, verified with the public key alone:",
            f'rollstream verify {lists} --key "$KEYS/signing.pub.pem"',
        ),
        ("What officers have done, and which conflicts are open:", "rollstream status --conflicts"),
        *look,
        (
            "Or go through them, one key each, and then through what was proposed:",
            f"rollstream review {_by('adjudicator')}",
            f"rollstream review --approve {_by('second-officer')}",
        ),
        (
            "End epoch 2. What is captured later belongs to epoch 3:",
            f"rollstream cut-off 2 {_by('publisher')}",
            approve,
        ),
        (
            "Make the second version of the roll. Of an open conflict the later registration is held:",
            f"rollstream finalise {ROLL} --epoch 2 --election commune_council --day {election_day} "
            f"--kind final --undecided hold_later {_by('publisher')}",
            approve,
            f'rollstream lists --out {lists} --key "$KEYS/signing.pub.pem" --once',
        ),
    ]


def _by(officer: str) -> str:
    return f'--officer {officer} --key "$KEYS/{officer}.pem"'
