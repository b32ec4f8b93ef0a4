"""What capture systems and strangers send: broken, oversize, in the wrong place, twice, out of order."""

from __future__ import annotations

import random
from collections.abc import Callable

from aiokafka.client import AIOKafkaClient

from client.wire import ProducerRecord, to_record
from shared.contracts.topics import Topic, partition_for
from tests.kit import hostile
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
