"""The store dies, stands still, is full, is taken away or set back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines import EngineFailed
from tests.matrix.cell import cell
from tests.matrix.clock import set_clock
from tests.matrix.run import Run

AWAY_S = 12.0
"""Longer than max_poll_interval_ms (10 s) and any call's time-out."""

ROLLED_BACK = frozenset({"store_rolled_back"})
"""A service whose store went back ends, and its next start mends that."""

FULL_S = 6.0


@cell("store-kill", "kill -9 of the store, and its restart", kills_servers=True, cheap=True)
async def store_kill(run: Run) -> None:
    for _ in range(run.dice.choice((1, 2))):
        async with run.fault():
            await run.world.servers.store.kill()
            await run.pause(0, 4)
            await run.world.servers.store.start()


@cell(
    "store-silent",
    "the store answers nobody for longer than max_poll_interval_ms (SIGSTOP)",
    kills_servers=True,
)
async def store_silent(run: Run) -> None:
    async with run.fault():
        run.world.servers.store.freeze()
        await asyncio.sleep(AWAY_S + run.dice.uniform(0, 4))
        run.world.servers.store.thaw()


@cell("store-away", "the store refuses connections for longer than max_poll_interval_ms", kills_servers=True)
async def store_away(run: Run) -> None:
    async with run.fault():
        await run.world.servers.store.kill()
        await asyncio.sleep(AWAY_S + run.dice.uniform(0, 4))
        await run.world.servers.store.start()


async def _back_up(run: Run) -> dict[str, list[dict[str, Any]]]:
    """Every document, collection by collection as it is now."""
    database = run.mongo.collection("x").database
    names = await database.list_collection_names()
    return {name: await run.mongo.collection(name).find({}).to_list(None) for name in names}


async def _put(run: Run, documents: Mapping[str, list[dict[str, Any]]]) -> None:
    """Drop the database and put the documents in its place."""
    for name in await run.mongo.collection("x").database.list_collection_names():
        await run.mongo.collection(name).drop()
    for name, some in documents.items():
        if some:
            await run.mongo.collection(name).insert_many(some)


@cell("store-dropped", "the database is dropped while services run", stops=ROLLED_BACK, cheap=True)
async def store_dropped(run: Run) -> None:
    await run.pause(1, 4)
    async with run.fault():
        await _put(run, {})


@cell("store-restored", "the store is restored from an older backup while services run", stops=ROLLED_BACK)
async def store_restored(run: Run) -> None:
    await run.look()
    for service in ("registration", "dedup", "publisher"):
        for number in run.processes.numbers(service):
            run.processes.running[service, number].hold()
    await asyncio.sleep(0.5)  # what was asked of the store is done: a backup is of one moment
    backup = await _back_up(run)
    for process in run.processes.running.values():
        process.release()
    await run.pause(2, 6)
    async with run.fault():
        await _put(run, backup)


@cell("replay", "services start on an empty database and replay from offset 0 while new events come in")
async def replay(run: Run) -> None:
    await run.pause(2, 6)
    names = sorted(run.processes.running)
    async with run.fault():
        for name in names:
            await run.processes.stop(*name)
        await _put(run, {})
        await asyncio.gather(*(run.processes.start(*name, ready=False) for name in names))


@cell(
    "disk-full",
    "the store's disk is full (a tmpfs of 256 MiB), has room again, and the store is started again",
    kills_servers=True,
    small_disk=True,
    needs=frozenset({"mount"}),
)
async def disk_full(run: Run) -> None:
    assert run.world.servers.disk is not None
    filler = run.world.servers.disk / "filler"
    async with run.fault():
        _fill(filler)
        await asyncio.sleep(FULL_S + run.dice.uniform(0, 4))
        run.note("the store ended by itself" if not run.world.servers.store.runs else "the store lived")
        if run.world.servers.store.runs:
            await run.world.servers.store.kill()
        filler.unlink()
        try:
            await run.world.servers.store.start()
        except EngineFailed as error:
            raise AssertionError(f"the store does not start again: {error}") from error


def _fill(filler: Path) -> None:
    """Take all that is left of the file system, to the last byte."""
    piece = 1024 * 1024
    with filler.open("wb", buffering=0) as file:
        while piece:
            try:
                file.write(os.urandom(piece) if piece < 4096 else bytes(piece))
            except OSError:
                piece //= 2


@cell(
    "clock",
    "the wall clock of the services and the store is set forward and back by hours",
    clock=True,
    needs=frozenset({"cc"}),
)
async def clock(run: Run) -> None:
    assert run.clock is not None
    for _ in range(run.dice.choice((1, 2, 3))):
        hours = run.dice.choice((-1, 1)) * run.dice.uniform(1, 12)
        run.note(f"{hours:+.1f} h")
        async with run.fault():
            set_clock(run.clock, int(3600 * hours))
            await run.pause(1, 3)
    if run.dice.random() < 0.5:
        set_clock(run.clock, 0)
