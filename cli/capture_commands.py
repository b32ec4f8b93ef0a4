"""Commands around capture files: generate, check, produce."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cli.app import Json, app, settings
from client.allowed import told
from client.check import check_lines
from client.output import console, fail, progress, show
from client.produce import ProduceFailed, produce
from simulator.files import write_stream
from simulator.stream import LEAST_VOTERS, generate_stream

Mode = Annotated[str, typer.Option(help="CloudEvents mode: binary or structured.")]

MOST_SHOWN = 20
"""Faults of a capture file that people are shown; `--json` gives all."""

LONG = 100_000
"""Lines of a file whose check takes so long that people see a bar."""


@app.command()
def generate(
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    voters: Annotated[int, typer.Option(min=LEAST_VOTERS, help="How many voters.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    partitions: Annotated[int, typer.Option(min=2, help="Partitions of the register's topics.")] = 12,
    as_json: Json = False,
) -> None:
    """Make a capture stream with its truth: events.jsonl, stations.csv, truth_*.csv."""
    stream = generate_stream(voters=voters, seed=seed, partitions=partitions)
    with progress("Writing", len(stream.lines)) as bar:
        write_stream(stream, out, lambda done: bar.update(bar.task_ids[0], completed=done))
    value = {"lines": len(stream.lines), "expected": dict(stream.outcomes()), "people": len(stream.people)}
    show(value, as_json=as_json, text=f"{len(stream.lines):,} events in {out / 'events.jsonl'}")


@app.command()
def check(file: Path, as_json: Json = False) -> None:
    """Say what the contract alone finds wrong in a capture file, without a broker."""
    try:
        with file.open("rb") as lines:
            faults = list(check_lines(lines))
    except OSError as error:
        fail(f"{file}: {type(error).__name__}; name a capture file")
    value = [{"line": each.line, "path": each.path, "rule": each.rule} for each in faults]
    text = [
        f"line {each.line}: {each.path or 'event'}: {told(each.rule, each.allowed)}"
        for each in faults[:MOST_SHOWN]
    ]
    if len(faults) > MOST_SHOWN:
        text.append(f"… and {len(faults) - MOST_SHOWN} more; --json gives all")
    show(value, as_json=as_json, text="\n".join(text) or "Nothing is wrong by the contract alone.")
    if faults:
        raise typer.Exit(1)


@app.command("produce")
def produce_command(file: Path, mode: Mode = "binary", as_json: Json = False) -> None:
    """Send a capture file to Kafka; run again after a break, it goes on where it was."""
    if mode not in ("binary", "structured"):
        fail("--mode is binary or structured")
    try:
        with file.open("rb") as lines:
            total = sum(1 for _ in lines)
        with progress("Sending", total) as bar:
            check = bar.add_task("Checking", total=total, visible=total > LONG)
            done = asyncio.run(
                produce(
                    settings(),
                    file,
                    lambda count: bar.advance(bar.task_ids[0], count),
                    "structured" if mode == "structured" else "binary",
                    checked=lambda count: bar.advance(check, count),
                )
            )
    except OSError as error:
        fail(f"{file}: {type(error).__name__}; name a capture file")
    except ProduceFailed as error:
        fail(str(error))
    except KeyboardInterrupt:
        typer.echo("Stopped; the same command goes on where it was.", err=True)
        raise typer.Exit(130) from None
    text = f"Sent {done.sent:,} events" + (f"; {done.skipped:,} were sent before" if done.skipped else "")
    show({"sent": done.sent, "skipped": done.skipped}, as_json=as_json, text=text)
    if done.skipped and not done.sent and not as_json:
        console().print(f"To send it all again, remove {file}.sent")
