"""One run of a cell: the register, its servers, processes, load and officers, and what is measured."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.processes import SERVICES
from demo.waiting import settled
from shared.process.settings import Settings
from shared.runtime.outages import is_outage
from shared.store.mongo import Mongo
from simulator.stream import Stream
from tests.matrix.cell import Cell
from tests.matrix.load import Load
from tests.matrix.officers import Officers
from tests.matrix.processes import Processes
from tests.matrix.world import World

RECOVERY_BOUND_S = 120.0
"""Longer nobody waits."""

LOOK_S = 0.1

Progress = dict[tuple[str, int], int]
"""Service and partition → the next offset to settle."""


class NotRecovered(Exception):
    """Work did not go on in time; the text says whose."""


@dataclass(slots=True)
class Run:
    """All that a cell may touch. `dice` are the seed's."""

    cell: Cell
    seed: int
    directory: Path
    settings: Settings
    world: World
    stream: Stream
    mongo: Mongo
    processes: Processes
    load: Load
    officers: Officers
    dice: random.Random
    clock: Path | None = None
    recovered_s: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    highest: Progress = field(default_factory=dict)

    async def pause(self, least: float, most: float) -> None:
        """Wait for a random while."""
        await asyncio.sleep(self.dice.uniform(least, most))

    def some_service(self) -> str:
        """One of the three."""
        return self.dice.choice(SERVICES)

    def some_process(self, service: str) -> int:
        """The number of one of a service's processes."""
        return self.dice.choice(self.processes.numbers(service))

    def note(self, text: str) -> None:
        """Say in the results what the seed chose."""
        self.notes.append(text)

    @asynccontextmanager
    async def fault(self) -> AsyncIterator[None]:
        """Something is broken within this block; then wait until every service works on every partition."""
        await self.look()  # the store may be empty afterwards
        yield
        await self.recovery()

    async def recovery(self) -> None:
        """Wait until each service has settled something new in each partition; notes the seconds it took."""
        await self.look()
        began, before = time.monotonic(), dict(self.highest)
        while waiting := [each for each in before if self.highest[each] <= before[each]]:
            if time.monotonic() - began > RECOVERY_BOUND_S:
                raise NotRecovered(f"nothing new within {RECOVERY_BOUND_S:.0f} s: {sorted(waiting)}")
            if self.load.done:  # it cannot be seen any more
                self.note("the load ended before the recovery was seen")
                return
            await asyncio.sleep(LOOK_S)
            await self.look()
        self.recovered_s.append(round(time.monotonic() - began, 2))

    async def look(self) -> None:
        """Read the stored progress; a store that is away tells nothing."""
        try:
            async for document in self.mongo.collection("progress").find({}):
                service, _, rest = document["_id"].partition("/")
                name = (service, int(rest.rpartition("/")[2]))
                self.highest[name] = max(self.highest.get(name, 0), document["next_offset"])
        except Exception as error:
            if not is_outage(error):
                raise

    async def settled(self) -> None:
        """Return when every group has committed all that there is."""
        while True:
            try:
                return await settled(self.settings)
            except Exception as error:
                if not is_outage(error):
                    raise
                await asyncio.sleep(0.5)

    async def published(self) -> None:
        """Return when each `finalised` has its verdict, and what it made is on its topics."""
        for command in self.officers.finalised:
            while True:
                found = await self._find("commands", {"_id": command.id, "verdict": {"$ne": "open"}})
                made = await self._find("rolls", {"command_id": command.id, "state": "published"})
                if found and (made or found["verdict"] != "effective"):
                    if found["verdict"] != "effective":
                        self.note(f"the roll was refused: {found['reason']}")
                    break
                await asyncio.sleep(0.25)

    async def _find(self, collection: str, query: Mapping[str, Any]) -> Any:
        try:
            return await self.mongo.collection(collection).find_one(query)
        except Exception as error:
            if not is_outage(error):
                raise
            return None


def settings_of(environment: Mapping[str, str]) -> Settings:
    """The settings that an environment gives."""
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        return Settings()
    finally:
        os.environ.clear()
        os.environ.update(before)
