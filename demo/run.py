"""The demo's course: engines, register, services, stream, cut-off, decisions, lists, figures."""

import asyncio
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from rich.console import Console

from client import commands
from client.init import NewRegister, init_register
from client.output import console
from client.topics import ensure_topics
from demo import checks, measure, report, steps
from demo.processes import READY_SECONDS, ServiceFailed, running_services, wait_live
from demo.state import Demo, DemoFailed
from demo.watch import until_moved, watching
from engines import EngineFailed, engines
from shared.contracts.topics import Topic
from shared.process.settings import Settings
from shared.store.mongo import Mongo
from simulator.files import write_stream
from simulator.rates import DEMO_RATES
from simulator.stream import Stream, generate_stream

REGISTER = "kh-demo"

LEFT_BY_THE_LAST = ("stream", "register", "logs", "lists")
"""What a demo leaves in its folder, to be looked at until the next one."""

COURSE = (
    ("Capturing: a burst, then an open loop of 50 events a second", steps.capture),
    ("Cut-off of epoch 1, and a roll that is asked for too early", steps.cut_off_and_ask_too_early),
    ("Two officers decide every conflict", steps.decide),
    ("Finalising the roll", steps.publish),
    ("Verifying every list from the topic with the public key only", steps.verify_lists),
    ("Capturing after the cut-off: epoch 2, whose conflicts stay open", steps.capture_after_the_cut_off),
    ("Accounting for every event of both epochs", steps.account),
    ("Holding the claims against the truth", steps.match),
    ("Auditing all of it with code that shares nothing with the services", steps.audit_all),
    ("Reading the metrics", checks.read_metrics),
)


async def run_demo(
    events: int,
    seed: int,
    directory: Path,
    *,
    stay: bool,
    tell: Callable[[Mapping[str, Any]], None] = lambda _figures: None,
    out: Console | None = None,
) -> None:
    """Run it all, `tell` the figures, and with `stay` go on until cancelled.

    Raises DemoFailed when anything is not as promised; if it is the figures, after they were told.
    """
    started = time.monotonic()
    out = out or console()
    _require_ours(directory)
    async with AsyncExitStack() as stack:
        try:
            out.print("Starting broker and store …")
            running = await stack.enter_async_context(engines(directory / "engines"))
            # Only now: the engines hold the folder's lock, so no other demo runs in it.
            for name in LEFT_BY_THE_LAST:
                shutil.rmtree(directory / name, ignore_errors=True)
            environment = demo_environment(directory.absolute(), running.environment)
            write_environment(directory / "environment", environment)
            os.environ.update(environment)
            settings = Settings()
            await _require_empty(settings)
            stream, register = make_register(events, seed, directory, settings, out)
            environment["ROLLSTREAM_FOUNDING_OFFICERS"] = register.founding_officers
            write_environment(directory / "environment", environment)
            os.environ.update(environment)
            settings = Settings()
            out.print("Starting registration, dedup and publisher, which wait for the first adoptions …")
            services = await stack.enter_async_context(running_services(environment, directory / "logs"))
            highest = await stack.enter_async_context(watching(services))
            waiting = "rollstream_reference_waiting"
            async with asyncio.timeout(READY_SECONDS):
                for service in services.values():
                    await until_moved(highest, service, waiting)
            await commands.send(settings, register.adoptions)
            await asyncio.gather(*(wait_live(service, "/health/ready") for service in services.values()))
            mongo = Mongo(settings.mongo, "rollstream-demo")
            stack.callback(mongo.close)
            demo = Demo(settings, directory, stream, mongo, services, highest=highest)
            for title, step in COURSE:
                out.print(f"{title} …")
                await step(demo)
        except (ServiceFailed, EngineFailed) as error:
            raise DemoFailed(str(error)) from error
        except asyncio.CancelledError:
            out.print("Stopping …")
            raise
        demo.figures["seconds"] = round(time.monotonic() - started, 1)
        report.show(out, demo)
        tell({name: demo.figures[name] for name in report.JSON_NAMES})
        if broken := checks.broken_promises(demo.figures):
            raise DemoFailed("; ".join(broken))
        if stay:
            report.show_what_next(out, demo)
            try:
                await asyncio.Event().wait()
            finally:
                out.print("Stopping …")


def demo_environment(directory: Path, engines: Mapping[str, str]) -> dict[str, str]:
    """The settings of all processes: the register's files below `directory`, and where the engines are."""
    register = directory / "register"
    return {
        "ROLLSTREAM_REGISTER": REGISTER,
        "ROLLSTREAM_DEMO": "true",
        "ROLLSTREAM_REFERENCE_DIR": str(register / "reference"),
        "ROLLSTREAM_SIGNING__KEY_FILE": str(register / "keys/signing.pem"),
        "ROLLSTREAM_MARKER__KEY_FILE": str(register / "keys/marker.pem"),
        **engines,
    }


def write_environment(path: Path, environment: Mapping[str, str]) -> None:
    """What another terminal needs to use `rollstream` on the running demo; for its owner only.

    `KEYS` is no setting: it names the folder of the officers' keys in the commands that the demo suggests.
    """
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()]
    lines.append(f"export KEYS={shlex.quote(str(path.parent.absolute() / 'register/keys'))}\n")
    lines.append(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"\n')
    path.write_text("".join(lines))


def _require_ours(directory: Path) -> None:
    """A demo empties its folder, so it takes none that holds anything else, a register's keys above all."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        holds = {each.name for each in directory.iterdir()}
        if not holds:
            (directory / "engines").mkdir()
    except OSError as error:
        raise DemoFailed(
            f"{directory}: {error.strerror}. Name a folder of your own by --directory"
        ) from error
    if holds and not (directory / "engines").is_dir():
        raise DemoFailed(f"{directory} holds other things than a demo's: name an empty folder by --directory")


async def _require_empty(settings: Settings) -> None:
    """A demo among a register's events would be no demo, and no register either."""
    await ensure_topics(settings)
    if await measure.read_all(settings, Topic.COMMANDS):
        raise DemoFailed(
            f"{settings.kafka.bootstrap_servers} holds a register already: name another broker, or unset "
            "ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS to run on embedded engines"
        )


async def create_register(
    events: int,
    seed: int,
    directory: Path,
    settings: Settings,
    out: Console,
    *,
    stations: str | None = None,
    devices: str | None = None,
    signed: bool = True,
) -> Stream:
    """`make_register`, and send its first adoptions."""
    stream, register = make_register(
        events, seed, directory, settings, out, stations=stations, devices=devices, signed=signed
    )
    await commands.send(settings, register.adoptions)
    return stream


def make_register(
    events: int,
    seed: int,
    directory: Path,
    settings: Settings,
    out: Console,
    *,
    stations: str | None = None,
    devices: str | None = None,
    signed: bool = True,
) -> tuple[Stream, NewRegister]:
    """Generate the stream and make the register's files below `directory`.

    `stations` and `devices` are files to take instead of the stream's own. Unless `signed`, it is a register
    without devices, which takes an event from anybody.
    """
    out.print(f"Generating {events:,} events over the gazetteer of Cambodia, seed {seed} …")
    stream = generate_stream(
        events=events,
        seed=seed,
        partitions=settings.kafka.partitions,
        rates=DEMO_RATES,
        register=settings.register if signed else None,
        cut_off=True,
    )
    files = directory / "stream"
    write_stream(stream, files)
    if stations is not None:
        (files / "stations.csv").write_text(stations)
    if devices is not None:
        (files / "devices.json").write_text(devices)
    out.print("Creating the register: keys, officers, devices, reference data …")
    adopted = files / "devices.json" if signed else None
    made = init_register(settings.register, directory / "register", files / "stations.csv", adopted)
    return stream, made
