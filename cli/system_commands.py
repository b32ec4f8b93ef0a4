"""Commands that run the system: serve, engines, topics, init, demo."""

import gc
import json
import shlex
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.app import Json, app, run, settings
from client.output import console, echo, fail, show, table, to_json

_USUAL_GC = gc.get_threshold()
"""Python's own; a command collects less often (`cli.app.SELDOM`), a service as usual."""


@app.command()
def serve(
    service: Annotated[str, typer.Argument(help="registration, dedup, publisher or console")],
) -> None:
    """Run a service: registration, dedup, publisher or console.

    The same as `python -m services.NAME`.
    """
    if service not in ("registration", "dedup", "publisher", "console"):
        fail(f"no service {service}: there are registration, dedup, publisher and console")
    # Each process pays for the imports of its own service only.
    from importlib import import_module

    gc.set_threshold(*_USUAL_GC)
    raise typer.Exit(import_module(f"services.{service}.app").run(settings()))


@app.command()
def engines(
    directory: Annotated[Path, typer.Option(help="Folder for their data.")] = Path(".rollstream/engines"),
) -> None:
    """Run a broker and a store on this machine, without Docker.

    Prints the settings with which services and commands find them.
    """
    from engines import EngineFailed
    from engines.serve import serve_engines

    def tell(environment: Mapping[str, str]) -> None:
        # This broker never forgets a member that was killed; under its name it comes back at once. Each
        # service has its own group, so that one name does for all three.
        named = {**environment, "ROLLSTREAM_RUNTIME__GROUP_INSTANCE_ID": "1"}
        for variable, value in named.items():
            echo(f"export {variable}={shlex.quote(value)}")
        echo(
            f"Run these lines in each other terminal. Ctrl-C ends both; the data stay in {directory}, and "
            "the next time the lines are different: restart the services with the new ones.",
            err=True,
        )

    # `kill` ends them as Ctrl-C does, their data saved.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(serve_engines(directory, tell))
    except EngineFailed as error:
        fail(str(error))
    except OSError as error:
        fail(f"{directory}: {error.strerror}. Name a folder of your own by --directory")
    except KeyboardInterrupt:
        return


@app.command()
def topics(as_json: Json = False) -> None:
    """Create missing topics, and say what differs from the contract."""
    from client.topics import TopicsNotCreated, ensure_topics

    try:
        reports = run(ensure_topics(settings()))
    except TopicsNotCreated as error:
        fail(f"{error}. Mend the broker's or your settings and run `rollstream topics` again.")
    if as_json:
        echo(to_json([[each.topic, each.state, list(each.differences)] for each in reports]))
    else:
        rows = [(each.topic, each.state, "; ".join(each.differences)) for each in reports]
        echo(table("Topics", ("topic", "state", "differences"), rows))
        if any(each.differences for each in reports):
            echo("Existing topics are never changed from here: mend the broker's or your settings.")
    if any(each.differences for each in reports):
        raise typer.Exit(1)


@app.command()
def init(
    out: Annotated[Path, typer.Option(help="Folder of the new register.")],
    stations: Annotated[
        Path | None, typer.Option(help="Stations file; without it each commune has one station.")
    ] = None,
    devices: Annotated[
        Path | None, typer.Option(help="Devices file; without it anyone may send any event.")
    ] = None,
    send_adoptions: Annotated[bool, typer.Option("--send", help="Send the first adoptions now.")] = False,
    as_json: Json = False,
) -> None:
    """Create a register: keys, officers and reference data.

    Writes the signed commands that adopt them to adoptions.jsonl.
    """
    from aiokafka.errors import KafkaError

    from cli.devices_file import require_own_keys
    from cli.errors import of_kafka
    from client.bounded import TooLarge
    from client.commands import send
    from client.init import MENDED, RegisterExists, init_register
    from shared.reference.files import InvalidReference

    current = settings()
    if devices is not None:
        require_own_keys(current, devices)
    try:
        made = init_register(current.register, out, stations, devices)
        if send_adoptions:
            run(send(current, made.adoptions))
    except RegisterExists as error:
        fail(str(error))
    except (InvalidReference, TooLarge) as error:
        fail(f"{error}. Mend the file and run the command again.")
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}. Mend that and run the command again.")
    except KafkaError as error:
        fail(
            f"the register was created, but {of_kafka(error, current)}. "
            f"Then send its first adoptions: rollstream adopt --first {out / 'adoptions.jsonl'}"
        )
    lines = [
        f"The register {current.register} was created in {out}.",
        "Fingerprints of the public keys:",
        *(f"  {name:16} {fingerprint}" for name, fingerprint in made.fingerprints.items()),
        "Only these officers can create the register. Every service, and every officer's terminal, needs:",
        f"  ROLLSTREAM_FOUNDING_OFFICERS={made.founding_officers}",
        f"The gazetteer's package contradicts itself in {len(made.mended)} places. They were mended or left "
        f"out; {out / MENDED} names each.",
        "Give each officer their own key and delete it here; copy reference/ to ROLLSTREAM_REFERENCE_DIR.",
    ]
    if not send_adoptions:
        lines.append(f"Next: rollstream topics, then rollstream adopt --first {out / 'adoptions.jsonl'}")
    value = {
        "directory": str(out),
        "fingerprints": dict(made.fingerprints),
        "founding_officers": made.founding_officers,
        "mended": list(made.mended),
    }
    show(value, as_json=as_json, text="\n".join(lines))


@app.command()
def demo(
    events: Annotated[int, typer.Option(min=500, help="Events in the stream.")] = 5000,
    seed: Annotated[int, typer.Option(help="Seed of the generated country.")] = 2026,
    leave: Annotated[bool, typer.Option("--exit", help="Stop when the figures are there.")] = False,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", help="Write the figures to this file; with - to stdout, and all else to stderr."
        ),
    ] = None,
    directory: Annotated[Path, typer.Option(help="Folder for the engines' data and the files.")] = Path(
        ".rollstream/demo"
    ),
) -> None:
    """Run everything on this machine and print what it measured.

    Starts engines and services, sends a capture stream, decides conflicts, publishes and verifies lists, and
    compares all of it with the truth.
    """
    from demo.run import run_demo
    from demo.state import DemoFailed

    figures_told = False

    def tell(figures: Mapping[str, Any]) -> None:
        nonlocal figures_told
        figures_told = True
        text = json.dumps(figures, indent=1)
        if alone:
            echo(text)
        elif json_file is not None:
            try:
                json_file.write_text(text + "\n")
            except OSError as error:
                raise DemoFailed(f"{json_file}: {error.strerror}. Name another file by --json") from error

    alone = json_file == Path("-")
    if json_file is not None and not alone and not json_file.absolute().parent.is_dir():
        fail(f"{json_file}: there is no such folder; make it, or name another file by --json")
    if json_file is not None and json_file.is_file():
        json_file.unlink()  # a demo that fails early leaves no figures of another one
    # `kill` ends it as Ctrl-C does, with its services and engines.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        out = console(stderr=alone)
        run(run_demo(events, seed, directory, stay=not leave, tell=tell, out=out))
    except DemoFailed as error:
        fail(str(error))
    except KeyboardInterrupt:
        # Once the figures are there, this is how it is meant to end.
        raise typer.Exit(0 if figures_told else 130) from None
