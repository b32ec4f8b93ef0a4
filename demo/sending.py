"""Sends the stream: a burst as fast as the broker takes it, then an open loop at a fixed rate."""

import asyncio
import time
from collections.abc import Sequence

from client.output import progress
from client.sender import RecordSender
from client.wire import to_record
from demo.measure import Place
from shared.contracts.topics import Topic
from shared.process.settings import Settings
from shared.runtime.clients import connection_options

CHUNK = 500


async def burst(settings: Settings, lines: Sequence[bytes]) -> list[Place]:
    """Send lines as fast as they are acknowledged; answers where each lies."""
    sender = _sender(settings)
    await sender.start()
    places: list[Place] = []
    try:
        with progress() as bars:
            bar = bars.add("Producing", len(lines))
            for begin in range(0, len(lines), CHUNK):
                futures = [await sender.send(to_record(line)) for line in lines[begin : begin + CHUNK]]
                sent = await asyncio.gather(*futures)
                places += [(metadata.partition, metadata.offset) for metadata in sent]
                bar.advance(len(sent))
    finally:
        await sender.stop()
    return places


async def open_loop(settings: Settings, lines: Sequence[bytes], rate: float) -> list[Place]:
    """Send `rate` lines a second, whatever becomes of them: a slow system cannot slow its own load down."""
    sender = _sender(settings)
    await sender.start()
    try:
        began = time.monotonic()
        futures = []
        for number, line in enumerate(lines):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            futures.append(await sender.send(to_record(line)))
        return [(metadata.partition, metadata.offset) for metadata in await asyncio.gather(*futures)]
    finally:
        await sender.stop()


def _sender(settings: Settings) -> RecordSender:
    connection = connection_options(settings.kafka, "rollstream-demo")
    return RecordSender(Topic.EVENTS, settings.kafka.partitions, **connection)
