"""The capture systems: they send, resend what was not acknowledged, send twice, and out of order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from aiokafka.errors import KafkaError

from client.sender import RecordSender
from client.wire import to_record
from shared.contracts.topics import Topic
from shared.process.settings import Settings
from shared.runtime.clients import connection_options

TICK_S = 0.2
WINDOW = 12
"""How far a record may be moved from its place."""

RESERVE, TRICKLE = 250, 5.0
"""The last records are sent slowly, so many a second, until told to rush: a load that outlasts any fault."""

RUSH = 5_000.0


def disturbed(lines: Sequence[bytes], dice: random.Random, twice: float, moved: float) -> list[bytes]:
    """The lines with a share of them sent twice, and a share some places later or earlier."""
    placed = [(float(at), line) for at, line in enumerate(lines)]
    placed += [(at + dice.uniform(0, 60), line) for at, line in placed if dice.random() < twice]
    placed = [
        (at + dice.uniform(-WINDOW, WINDOW) if dice.random() < moved else at, line) for at, line in placed
    ]
    return [line for _, line in sorted(placed, key=lambda each: each[0])]


class Load:
    """Sends `lines` at `rate` a second until told to `rush`; `acknowledged` are the places that it was told.

    What a broker did not acknowledge is sent again by a new producer, so that it may lie there twice.
    """

    def __init__(self, settings: Settings, lines: Sequence[bytes], rate: float) -> None:
        self._settings = settings
        self._lines = lines
        self._rate = rate
        self.acknowledged: list[tuple[int, int]] = []
        self._burst = 0
        self.done = False

    def burst(self, count: int) -> None:
        """Send so many at once beside the others, so that services have a whole batch in their hands."""
        self._burst += count

    def rush(self) -> None:
        """Send the rest as fast as the broker takes it."""
        self._rate = RUSH

    async def run(self) -> None:
        """Send all."""
        at = 0
        sender: RecordSender | None = None
        while at < len(self._lines):
            slow = self._rate < RUSH and len(self._lines) - at <= RESERVE
            count = max(1, int((TRICKLE if slow else self._rate) * TICK_S)) + self._burst
            some, self._burst = self._lines[at : at + count], 0
            try:
                if sender is None:
                    sender = await self._connected()
                async with asyncio.timeout(10):
                    futures = [await sender.send(to_record(line)) for line in some]
                    told = await asyncio.gather(*futures)
            except (KafkaError, TimeoutError, OSError):
                await _close(sender)
                sender = None
                await asyncio.sleep(0.5)
                continue
            self.acknowledged += [(each.partition, each.offset) for each in told]
            at += len(some)
            await asyncio.sleep(0 if self._rate == RUSH else TICK_S)
        await _close(sender)
        self.done = True

    async def _connected(self) -> RecordSender:
        kafka = self._settings.kafka
        connection = connection_options(kafka, "rollstream-load")
        sender = RecordSender(Topic.EVENTS, kafka.partitions, **connection)
        try:
            async with asyncio.timeout(10):
                await sender.start()
        except BaseException:
            await _close(sender)
            raise
        return sender


async def _close(sender: RecordSender | None) -> None:
    """What cannot be closed in time is left alone."""
    if sender is not None:
        try:
            async with asyncio.timeout(3):
                await sender.stop()
        except (KafkaError, TimeoutError, OSError):
            pass
