"""Commands around capture files: generate, check, produce."""

from pathlib import Path
from typing import Annotated

import typer

from cli.app import Json, app, run, settings
from client.output import echo, fail, progress, show

Mode = Annotated[str, typer.Option(help="CloudEvents mode to send in: binary or structured.")]

LEAST_VOTERS = 300
"""The simulator's own, which is not imported before it is needed; a test compares the two."""

MOST_SHOWN = 20
"""Faults of a capture file that people are shown; `--json` gives all."""

LONG = 100_000
"""Lines of a file whose check takes so long that people see a bar."""


@app.command()
def generate(
    out: Annotated[Path, typer.Option(help="Folder to write the files to.")],
    voters: Annotated[int, typer.Option(min=LEAST_VOTERS, help="Voters to generate.")] = 1000,
    seed: Annotated[
        int, typer.Option(help="Seed of the random numbers; the same seed gives the same bytes.")
    ] = 1,
    partitions: Annotated[int, typer.Option(min=2, help="Partitions of the register's topics.")] = 12,
    register: Annotated[
        str, typer.Option(envvar="ROLLSTREAM_REGISTER", help="The register that the devices sign for.")
    ] = "kh-2026",
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Do not sign the events, for a register without devices.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Generate a capture stream with its truth.

    Writes events.jsonl, devices.json, stations.csv, and the truth to compare with: truth_events.csv and
    truth_people.csv.
    """
    from simulator.files import write_stream
    from simulator.stream import generate_stream

    signs_for = None if unsigned else register
    stream = generate_stream(voters=voters, seed=seed, partitions=partitions, register=signs_for)
    with progress() as bars:
        write_stream(stream, out, bars.add("Writing", len(stream.lines)).reach)
    value = {
        "lines": len(stream.lines),
        "expected": dict(stream.outcomes()),
        "people": len(stream.people),
        "register": signs_for,
    }
    signed = f"signed for the register {register} by the devices in {out / 'devices.json'}"
    told = "not signed: for a register without devices" if unsigned else signed
    show(value, as_json=as_json, text=f"{len(stream.lines):,} events in {out / 'events.jsonl'}, {told}")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A capture file: one CloudEvent in JSON a line.")],
    limit: Annotated[int, typer.Option(min=1, help="Faults to show; --json gives all.")] = MOST_SHOWN,
    as_json: Json = False,
) -> None:
    """Check a capture file against the contract, without a broker.

    Names line, field and rule of each fault.
    """
    from client.allowed import told
    from client.bounded import TooLarge, bounded_lines
    from client.check import check_lines

    try:
        with file.open("rb") as lines:
            faults = list(check_lines(bounded_lines(lines)))
    except OSError as error:
        fail(f"{file}: {error.strerror}; name a capture file")
    except TooLarge as error:
        fail(f"{file}: {error}; name a capture file")
    value = [{"line": each.line, "path": each.path, "rule": each.rule} for each in faults]
    text = [
        f"line {each.line}: {each.path or 'event'}: {told(each.rule, each.allowed)}"
        + (f" ({each.detail})" if each.detail else "")
        for each in faults[:limit]
    ]
    if len(faults) > limit:
        text.append(f"… and {len(faults) - limit} more; --limit shows more, --json all")
    show(value, as_json=as_json, text="\n".join(text) or "The contract alone finds no fault.")
    if faults:
        raise typer.Exit(1)


@app.command("produce")
def produce_command(
    file: Annotated[Path, typer.Argument(help="A capture file: one CloudEvent in JSON a line.")],
    mode: Mode = "binary",
    as_json: Json = False,
) -> None:
    """Send a capture file to Kafka.

    After an interruption the same command continues where it stopped.
    """
    from client.bounded import TooLarge, bounded_lines
    from client.produce import ProduceFailed, produce

    if mode not in ("binary", "structured"):
        fail("--mode is binary or structured")
    try:
        with file.open("rb") as lines:
            total = sum(1 for _ in bounded_lines(lines))
        with progress() as bars:
            sending, checking = bars.add("Sending", total), bars.add("Checking", total, shown=total > LONG)
            done = run(
                produce(
                    settings(),
                    file,
                    sending.advance,
                    "structured" if mode == "structured" else "binary",
                    checked=checking.advance,
                )
            )
    except OSError as error:
        fail(f"{file}: {error.strerror}; name a capture file")
    except TooLarge as error:
        fail(f"{file}: {error}; name a capture file")
    except ProduceFailed as error:
        fail(str(error))
    except KeyboardInterrupt:
        echo("Stopped; the same command continues where it stopped.", err=True)
        raise typer.Exit(130) from None
    text = f"Sent {done.sent:,} events" + (f"; {done.skipped:,} were sent before" if done.skipped else "")
    if done.skipped and not done.sent:
        text += f"\nTo send it all again, remove {file}.sent"
    show({"sent": done.sent, "skipped": done.skipped}, as_json=as_json, text=text)
