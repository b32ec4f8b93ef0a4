"""What capture systems and strangers send: broken, oversize, in the wrong place, twice, out of order."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Callable, Iterator

from aiokafka.client import AIOKafkaClient

from client.sender import RecordSender
from client.wire import ProducerRecord, to_record
from shared.contracts.topics import Topic, partition_for
from shared.runtime.clients import connection_options
from tests.kit import hostile
from tests.kit.accepted import voter
from tests.kit.raw_records import Raw, raw_batch, send_raw
from tests.matrix.cell import cell
from tests.matrix.run import Run

Broken = Callable[[ProducerRecord, random.Random], Raw]


def _raw(record: ProducerRecord, **changes: object) -> Raw:
    return Raw(**{"value": record.value, "key": record.key, "headers": record.headers, **changes})  # type: ignore[arg-type]


def _with_header(record: ProducerRecord, name: bytes, value: bytes | None) -> Raw:
    return _raw(record, headers=(*record.headers, (name, value)))


BROKEN: tuple[tuple[str, Broken], ...] = (
    ("no value", lambda record, dice: _raw(record, value=None)),
    ("no key", lambda record, dice: _raw(record, key=None)),
    ("another's key", lambda record, dice: _raw(record, key=b"somebody-else")),
    ("a key of 200 bytes", lambda record, dice: _raw(record, key=b"k" * 200)),
    ("bytes for JSON", lambda record, dice: _raw(record, value=dice.randbytes(dice.randint(1, 300)))),
    ("70 KiB", lambda record, dice: _raw(record, value=b" " * 70 * 1024 + (record.value or b""))),
    ("900 kB of zeros", lambda record, dice: _raw(record, value=bytes(900_000))),
    ("deep nesting", lambda record, dice: _raw(record, value=b"[" * 5_000 + b"]" * 5_000)),
    ("a null header", lambda record, dice: _with_header(record, b"x", None)),
    ("a null ce_id", lambda record, dice: _with_header(record, b"ce_id", None)),
    ("a binary header", lambda record, dice: _with_header(record, b"x", b"\xff\x00\xfe")),
    ("a binary header name", lambda record, dice: _with_header(record, b"\xff\xfe", b"x")),
    ("a binary ce_type", lambda record, dice: _with_header(record, b"ce_type", b"\xff")),
    ("no headers", lambda record, dice: _raw(record, headers=())),
)  # fmt: skip


@cell(
    "poison",
    "poison, oversize, null and binary headers, wrong keys and partitions, a decompression bomb",
    cheap=True,
)
async def poison(run: Run) -> None:
    settings, dice = run.settings, run.dice
    partitions = settings.kafka.partitions
    sound = [to_record(line) for line in dice.sample(run.stream.lines[: run.stream.first_epoch], 60)]
    client = AIOKafkaClient(bootstrap_servers=settings.kafka.bootstrap_servers)
    await client.bootstrap()
    try:
        async with run.fault():
            for at, record in enumerate(sound):
                _, make = BROKEN[at % len(BROKEN)]
                partition = partition_for(record.key or b"", partitions)
                if dice.random() < 0.3:
                    partition = (partition + 1) % partitions
                codec = dice.choice((0, 1))
                batch = raw_batch([make(record, dice)], codec=codec)
                await send_raw(client, Topic.EVENTS.value, partition, batch)
                await run.pause(0, 0.1)
            await send_raw(client, Topic.EVENTS.value, dice.randrange(partitions), hostile.bomb(128))
            service = run.some_service()
            number = run.some_process(service)
            run.note(f"kill -9 {service}-{number} among it")
            run.processes.kill(service, number)
    finally:
        await client.close()


@cell(
    "duplicates",
    "a third of all records is sent twice, half of them out of order; a process dies",
    twice=0.33,
    moved=0.5,
)
async def duplicates(run: Run) -> None:
    await run.pause(2, 6)
    async with run.fault():
        service = run.some_service()
        run.note(f"kill -9 {service}")
        run.processes.kill(service, run.some_process(service))


PAIRS, AT_ONCE = 100, 4


def _twins(run: Run) -> Iterator[bytes]:
    """Lines of a capture file: of each pair, one person under two registrations, both halves in turn."""
    accepted = [
        json.loads(run.stream.lines[event.line - 1])
        for event in run.stream.events[: run.stream.first_epoch]
        if event.scenario == "registered" and event.expected == "accepted"
    ]
    sound = [each for each in accepted if "data" in each]
    for number in range(PAIRS):
        like = run.dice.choice(sound)
        for side in "AB":
            name = f"T-{side}-{number}"
            data = {**like["data"], "registration_id": name, "voter": voter(number), "polling_station": None}
            capture = {**data["capture"], "device": f"T-{side}", "batch": f"T-{side}-1", "sequence": number}
            event = {**like, "id": name, "source": f"/capture/T-{side}", "data": {**data, "capture": capture}}
            yield json.dumps(event).encode()


@cell(
    "twins",
    "both halves of 100 pairs arrive at one moment; dedup has an index that lags, and is killed meanwhile",
    devices=False,
)
async def twins(run: Run) -> None:
    settings, lines = run.settings, list(_twins(run))
    connection = connection_options(settings.kafka, "rollstream-twins")
    sender = RecordSender(Topic.EVENTS, settings.kafka.partitions, **connection)
    await sender.start()
    try:
        async with run.fault():
            lagging = [sys.executable, "-m", "tests.kit.slow_dedup", "wait"]
            for number in run.processes.numbers("dedup"):
                await run.processes.stop("dedup", number)
                await run.processes.start("dedup", number, lagging)
            for begin in range(0, len(lines), 2 * AT_ONCE):
                futures = [await sender.send(to_record(line)) for line in lines[begin : begin + 2 * AT_ONCE]]
                sent = await asyncio.gather(*futures)
                run.load.acknowledged += [(each.partition, each.offset) for each in sent]
                await run.pause(0.1, 0.7)
                if run.dice.random() < 0.05:
                    run.note("kill -9 dedup")
                    run.processes.kill("dedup", run.some_process("dedup"))
    finally:
        await sender.stop()
