"""The course of a run: servers, register, services, load; the cell acts; all settles, and is judged."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from client.topics import ensure_topics
from demo.run import create_register, demo_environment
from shared.contracts.identity import sha256_hex
from shared.store.mongo import Mongo
from tests.matrix import checks, results
from tests.matrix.cell import Cell
from tests.matrix.clock import library
from tests.matrix.load import Load, disturbed
from tests.matrix.officers import Officers
from tests.matrix.processes import Processes
from tests.matrix.run import NotRecovered, Run, settings_of
from tests.matrix.topics import place_topics
from tests.matrix.world import given, given_world, new_world

PARTITIONS = 3
EVENTS = 600
RATE = 25.0
"""Events a second while things break: slow enough for a load that outlasts most faults."""

SETTLE_BOUND_S = 150.0
LATE_S = 20.0
"""How long receipts and conflicts may take when all records are settled."""

SHORT_TIMES = {
    "KAFKA__REQUEST_TIMEOUT_MS": "3000",
    "MONGO__TIMEOUT_MS": "3000",
    "RUNTIME__SESSION_TIMEOUT_MS": "6000",
    "RUNTIME__HEARTBEAT_INTERVAL_MS": "1000",
    "RUNTIME__REBALANCE_TIMEOUT_MS": "12000",
    "RUNTIME__DRAIN_TIMEOUT_S": "5",
    "RUNTIME__MAX_POLL_INTERVAL_MS": "10000",
    "RUNTIME__COMMIT_TIMEOUT_S": "3",
    "RUNTIME__BACKOFF_MAX_S": "1.5",
    "RUNTIME__PROBE_INTERVAL_S": "1",
    "RUNTIME__STOP_TIMEOUT_S": "8",
    "RUNTIME__FAILED_LINGER_S": "0",
}
"""The shortest that the brokers take, so that every time-out passes within a run of half a minute."""


async def play(cell: Cell, seed: int, directory: Path) -> dict[str, Any]:
    """Run a cell with a seed; answers its result. Whatever goes wrong is in the result, too."""
    began = time.monotonic()
    found: dict[str, Any] = {"cell": cell.name, "seed": seed, "broken": []}
    try:
        async with _ready(cell, seed, directory) as run:
            await _course(run, found)
    except NotRecovered as error:
        found["broken"].append(str(error))
    except Exception as error:
        found["failed"] = results.without_folder(f"{type(error).__name__}: {error}")[:500]
    found["seconds"] = round(time.monotonic() - began, 1)
    return found


async def _course(run: Run, found: dict[str, Any]) -> None:
    tasks = [asyncio.create_task(run.load.run())]
    try:
        await run.pause(1.5, 3)
        if not run.cell.by_hand:
            tasks.append(asyncio.create_task(_officers(run)))
        acting = asyncio.create_task(run.cell.act(run))
        tasks.append(acting)
        await _all_well(acting, tasks)
        late = [seconds for seconds in run.recovered_s if seconds > run.cell.within_s]
        found["broken"] += [f"work went on after {seconds} s only" for seconds in late]
        run.load.rush()
        await asyncio.wait_for(_all_well(asyncio.gather(*tasks), tasks), SETTLE_BOUND_S)
        await asyncio.wait_for(_rest(run), SETTLE_BOUND_S)
        await _judge(run, found)
    except TimeoutError:
        found["broken"].append(f"it did not settle within {SETTLE_BOUND_S:.0f} s")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        found |= {
            "recovered_s": run.recovered_s,
            "notes": run.notes,
            "ends": [f"{end.name} {end.code} {end.cause}" for end in run.processes.ends],
            "acknowledged": len(run.load.acknowledged),
            "killed": run.processes.killed,
        }
        if run.cell.proxied and not run.world.carried:
            found["broken"].append("no byte went by a proxy: nothing was broken")
        found["broken"] += [
            f"{end.name} ended by itself with code {end.code}: {end.cause}"
            for end in run.processes.ends
            if end.cause not in run.cell.stops
        ]


async def _all_well(awaited: Any, tasks: list[asyncio.Task[None]]) -> None:
    """Wait, but no longer than until one of the tasks fails."""
    waiting = asyncio.ensure_future(awaited)
    while not waiting.done():
        await asyncio.wait(
            [waiting, *(each for each in tasks if not each.done())], return_when="FIRST_COMPLETED"
        )
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error
    await waiting


async def _officers(run: Run) -> None:
    """They cut off while things break, decide what they see, and finalise, in half of the runs at once."""
    officers = run.officers
    await run.pause(0.5, 6)
    await officers.cut_off()
    if run.dice.random() < 0.5:
        run.note("finalised before the epoch was complete")
        await officers.finalise()
    await officers.epoch_complete()
    await officers.decide()
    await officers.finalise()


async def _rest(run: Run) -> None:
    await run.settled()
    await run.published()


async def _judge(run: Run, found: dict[str, Any]) -> None:
    """Judge once everything is there: receipts come a second later, conflicts follow decisions."""
    ends = time.monotonic() + LATE_S
    while (verdict := await checks.judged(run.settings, run.mongo, run.load.acknowledged)).late:
        if time.monotonic() > ends:
            break
        await asyncio.sleep(1)
    found["broken"] += verdict.broken[:20]
    found["broken"] += [f"not there after {LATE_S:.0f} s: {each}" for each in verdict.late[:20]]
    found |= {"sent_again": verdict.sent_again, "lists": verdict.lists, "counts": dict(verdict.counts)}
    if not verdict.lists:
        found["broken"].append("no list was published: of lists this run shows nothing")


@asynccontextmanager
async def _ready(cell: Cell, seed: int, directory: Path) -> AsyncIterator[Run]:
    """A run whose services wait for load."""
    dice = random.Random(f"{cell.name}/{seed}")
    clock = directory / "clock" if cell.clock else None
    preload = library(directory, clock) if clock is not None else None
    async with AsyncExitStack() as stack:
        named = given()
        world = await stack.enter_async_context(
            given_world(named)
            if named
            else new_world(directory, cell.brokers, small_disk=cell.small_disk, preload=preload)
        )
        environment: dict[str, str] = {
            **demo_environment(directory, world.environment()),
            **{f"ROLLSTREAM_{name}": value for name, value in SHORT_TIMES.items()},
            "ROLLSTREAM_KAFKA__PARTITIONS": str(PARTITIONS),
            "ROLLSTREAM_RUNTIME__BATCH_SIZE": str(dice.choice((7, 50, 500))),
            **{f"ROLLSTREAM_{name}": value for name, value in cell.settings.items()},
        }
        settings = settings_of(environment)
        await place_topics(settings, cell.topics)
        await ensure_topics(settings)
        stream = await create_register(
            EVENTS, seed, directory, settings, Console(quiet=True), signed=cell.devices
        )
        officers_file = (directory / "register/officers.json").read_bytes()
        environment["ROLLSTREAM_FOUNDING_OFFICERS"] = sha256_hex(officers_file)
        settings = settings_of(environment)
        mongo = Mongo(settings.mongo, "rollstream-matrix")
        stack.callback(mongo.close)
        if named:
            stack.push_async_callback(
                mongo.collection("x").database.client.drop_database, settings.mongo.database
            )
        processes = Processes(
            world,
            environment,
            directory / "logs",
            straight=not cell.proxied,
            anonymous=dice.random() < 0.5,
            preload=preload,
        )
        stack.push_async_callback(processes.stop_all)
        await processes.start_all(cell.processes)
        lines = disturbed(stream.lines, dice, cell.twice, cell.moved)
        load = Load(settings, lines, RATE)
        officers = Officers(settings, directory / "register/keys", mongo, stream)
        yield Run(
            cell, seed, directory, settings, world, stream, mongo, processes, load, officers, dice, clock
        )
