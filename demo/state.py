"""What the demo's steps share."""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from client import commands
from client.commands import SignedCommand, Signer, approval, sign
from demo.measure import Place
from demo.processes import RunningService
from demo.watch import Highest
from shared.contracts.commands import CommandType
from shared.crypto import signing
from shared.process.settings import Settings
from shared.store.mongo import Mongo
from simulator.stream import Stream

_Result = TypeVar("_Result")


ROLL = "2027-commune"


class DemoFailed(Exception):
    """What went wrong, and where to look."""


@dataclass(frozen=True, slots=True)
class Example:
    """A conflict to decide: which registration to keep, None for two people; `why` tells the truth."""

    conflict: str
    keep: str | None
    why: str


@dataclass(slots=True)
class Demo:
    """The running system, the stream and what was measured so far.

    `places` says where each line lies, by its index; `highest` are the metrics' highest values so far;
    `figures` are those of the report, `example` a conflict that is left open.
    """

    settings: Settings
    directory: Path
    stream: Stream
    mongo: Mongo
    services: Mapping[str, RunningService]
    places: list[Place] = field(default_factory=list)
    highest: Highest = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    example: Example | None = None

    async def bounded(self, what: str, waiting: Awaitable[_Result], seconds: float = 180) -> _Result:
        """Wait for a step, watching that no service ends meanwhile. Raises DemoFailed, ServiceFailed."""
        task = asyncio.ensure_future(waiting)
        deadline = time.monotonic() + seconds
        try:
            while not task.done():
                for service in self.services.values():
                    service.check()
                if time.monotonic() > deadline:
                    raise DemoFailed(
                        f"waited {seconds:.0f} s for {what}; see the logs in {self.directory}/logs"
                    )
                await asyncio.wait([task], timeout=0.5)
            return task.result()
        finally:
            task.cancel()

    async def two_officers(
        self, proposer: str, ce_type: CommandType, proposals: Sequence[Mapping[str, Any]], reason: str
    ) -> list[SignedCommand]:
        """Have one officer propose and another approve; answers the proposals."""
        first, second = self._signer(proposer), self._signer("second-officer")
        register = self.settings.register
        signed = [sign(register, first, ce_type, data) for data in proposals]
        messages = [
            each for command in signed for each in (command, approval(register, second, command, reason))
        ]
        await commands.send(self.settings, messages)
        return signed

    def _signer(self, name: str) -> Signer:
        key = signing.load_private_key(self.directory / "register/keys" / f"{name}.pem")
        return Signer(name, key)
