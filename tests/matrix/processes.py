"""The services as processes under a supervisor, which starts again whatever ends, as Kubernetes would."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from demo.processes import SERVICES, RunningService, start_service, stop_service, wait_live
from tests.matrix.world import World

RESTART_S = 0.5
"""How long the supervisor waits before it starts a service again."""

Name = tuple[str, int]
"""A service and the number of its process."""


@dataclass(frozen=True, slots=True)
class End:
    """A process that ended by itself: exit code, and the cause that its log names."""

    name: str
    code: int
    cause: str


@dataclass(slots=True)
class Processes:
    """All processes of a run. `command` of a process is what is started instead of the service's own module.

    `straight`: services reach the servers without a proxy. `anonymous`: members of the groups have no names,
    so that they leave when they stop and are strangers when they come back. `preload` is a library that
    each process is started with.
    """

    world: World
    environment: Mapping[str, str]
    logs: Path
    straight: bool
    anonymous: bool
    preload: Path | None = None
    running: dict[Name, RunningService] = field(default_factory=dict)
    ends: list[End] = field(default_factory=list)
    killed: int = 0
    _watchers: dict[Name, asyncio.Task[None]] = field(default_factory=dict)

    async def start(
        self, service: str, number: int = 1, command: Sequence[str] | None = None, *, ready: bool = True
    ) -> None:
        """Start a process, once with `command`; wait until it takes part if `ready`."""
        self.running[service, number] = started = await self._spawn(service, number, command)
        self._watchers[service, number] = asyncio.create_task(self._watch(service, number))
        if ready:
            await wait_live(started, "/health/ready")

    async def start_all(self, each: int) -> None:
        """Start `each` processes of every service."""
        names = [(service, number) for service in SERVICES for number in range(1, each + 1)]
        await asyncio.gather(*(self.start(*name, ready=False) for name in names))
        await asyncio.gather(*(wait_live(self.running[name], "/health/ready") for name in names))

    def kill(self, service: str, number: int) -> None:
        """End a process without a warning; the supervisor starts it again."""
        with contextlib.suppress(ProcessLookupError):  # it is being started again
            self.running[service, number].process.kill()

    async def stop(self, service: str, number: int) -> None:
        """End a process as an operator would, for good."""
        watcher = self._watchers.pop((service, number))
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher
        await stop_service(self.running.pop((service, number)))

    async def stop_all(self) -> None:
        """End all."""
        for each in self.running.values():
            with contextlib.suppress(ProcessLookupError):
                each.release()
        await asyncio.gather(*(self.stop(*name) for name in list(self.running)))

    def numbers(self, service: str) -> list[int]:
        """The processes of a service."""
        return sorted(number for name, number in self.running if name == service)

    async def _spawn(self, service: str, number: int, command: Sequence[str] | None) -> RunningService:
        own = self.world.environment(None if self.straight else service)
        unset = ["-u", "ROLLSTREAM_RUNTIME__GROUP_INSTANCE_ID"] if self.anonymous else []
        preload = [] if self.preload is None else [f"LD_PRELOAD={self.preload}"]
        line = ["env", *unset, *preload, *(command or (sys.executable, "-m", f"services.{service}"))]
        return await start_service(service, {**self.environment, **own}, self.logs, number, line)

    async def _watch(self, service: str, number: int) -> None:
        while True:
            process = self.running[service, number].process
            code = await process.wait()
            if code < 0:
                self.killed += 1
            else:
                self.ends.append(End(service, code, self._cause(service, number)))
            await asyncio.sleep(RESTART_S)
            self.running[service, number] = await self._spawn(service, number, None)

    def _cause(self, service: str, number: int) -> str:
        """What the log says last of why the service stops."""
        lines = (self.logs / f"{service}-{number}.log").read_text(errors="replace").splitlines()
        for line in reversed(lines):
            if '"event": "service stops"' in line:
                with contextlib.suppress(ValueError):
                    return str(json.loads(line)["cause"])
        return lines[-1][:200] if lines else "nothing was logged"
