"""What a hostile producer sends: small on the wire, or legal for Kafka, and meant to stop us."""

from __future__ import annotations

import itertools
import json
import string
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import cramjam
import numpy as np
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient

from shared.contracts.cloudevents import encode
from shared.contracts.events import EventType
from shared.contracts.topics import Topic, partition_for
from shared.process.settings import Settings
from shared.runtime.clients import connection_options
from tests.kit.raw_records import Raw, raw_batch, send_raw

ZSTD = 4
MEBIBYTE = 1024 * 1024


def event(key: str, event_id: str, event_type: str, data: Any) -> Raw:
    """A decodable event in binary mode, as a raw record."""
    headers = tuple((name.encode(), value) for name, value in encode("/hostile", event_id, event_type))
    return Raw(json.dumps(data, separators=(",", ":")).encode(), key.encode(), headers)


def closes(device: str, count: int) -> Iterator[Raw]:
    """Closes of one batch, each of which claims as many places as the contract allows."""
    places = {"first_sequence": 0, "last_sequence": 9_999, "count": 10_000}
    for number in range(count):
        data = {"office": "010203", "device": device, "batch": "B", **places}
        data["closed_at"] = "2026-10-20T08:15:00+07:00"
        yield event(device, f"close-{number}", EventType.BATCH_CLOSED, data)


def full_of_errors(key: str, count: int, errors: int) -> Iterator[Raw]:
    """Events whose data break the contract in as many places as 64 KiB hold: unknown names of the shortest.

    By the contract all of them are one error, told by their parent. Every known field is wrong, too.
    """
    letters = string.ascii_letters + string.digits
    names = ["".join(each) for each in itertools.islice(itertools.product(letters, repeat=3), errors)]
    for number in range(count):
        voter = {
            "family_name": {"km": 0, "latin": 0}, "given_name": {"km": "", "latin": ""}, "sex": 0,
            "date_of_birth": 0, "date_of_birth_precision": 0, "phone": 0,
            "identity_document": {"kind": 0, "number": 0},
        }  # fmt: skip
        capture = {"office": 0, "device": 0, "operator": 0, "batch": 0, "sequence": -1, "captured_at": 0}
        data = {"registration_id": key, "revision": 0, "residence": {"village_code": 0}, "capture": capture}
        data["voter"] = voter | dict.fromkeys(names, 0)
        yield event(key, f"errors-{number}", EventType.REGISTERED, data)


def contents(key: str, device: str, count: int) -> Iterator[Raw]:
    """Events that all name one batch, each with another content: what a receipt would have to remember."""
    for number in range(count):
        capture = {"office": "010203", "device": device, "batch": "C", "sequence": number % 10_000}
        data = {"registration_id": key, "capture": capture, "n": number}
        yield event(key, f"content-{number}", "rollstream.unknown.v1", data)


def bomb(mebibytes: int) -> bytes:
    """A batch of one record whose value is that many MiB of zeros: some 34 kB of zstd for 1 GiB."""
    size = mebibytes * MEBIBYTE
    compressor = cramjam.zstd.Compressor(level=3)
    # Length, attributes, time, offset, no key, then the value's length: all varints, zigzag.
    head = b"\x00\x00\x00\x01" + _varints(np.array([size]))[0]
    compressor.compress(_varints(np.array([len(head) + size + 1]))[0] + head)
    for _ in range(mebibytes):
        compressor.compress(bytes(MEBIBYTE))
    compressor.compress(b"\x00")
    return raw_batch([Raw(None)], codec=ZSTD, payload=bytes(compressor.finish()))


def crowd(count: int) -> bytes:
    """A batch of `count` records with neither key nor value."""
    compressor = cramjam.zstd.Compressor(level=3)
    for start in range(0, count, 100_000):
        deltas = _varints(np.arange(start, min(start + 100_000, count)))
        compressor.compress(
            b"".join(bytes([2 * (len(d) + 5)]) + b"\x00\x00" + d + b"\x01\x01\x00" for d in deltas)
        )
    return raw_batch([Raw(None)], codec=ZSTD, payload=bytes(compressor.finish()), count=count)


def _varints(numbers: Any) -> list[bytes]:
    """Zigzag varints of numbers that are not negative."""
    found: list[bytes] = []
    for number in (int(each) << 1 for each in numbers):
        out = bytearray()
        while number > 0x7F:
            out.append(number & 0x7F | 0x80)
            number >>= 7
        out.append(number)
        found.append(bytes(out))
    return found


async def send_batches(settings: Settings, partition: int, *batches: bytes) -> list[int]:
    """Send batches to a partition of the events as they are; answers the first offset of each."""
    client = AIOKafkaClient(bootstrap_servers=settings.kafka.bootstrap_servers)
    await client.bootstrap()
    try:
        return [await send_raw(client, Topic.EVENTS.value, partition, batch) for batch in batches]
    finally:
        await client.close()


async def send_events(settings: Settings, events: Iterator[Raw], partition: int) -> None:
    """Send events in batches of 200, compressed."""
    some: list[Raw] = []
    batches: list[bytes] = []
    for each in events:
        assert each.key is not None and partition_for(each.key, settings.kafka.partitions) == partition
        some.append(each)
        if len(some) == 200:
            batches.append(raw_batch(some, codec=1))
            some = []
    if some:
        batches.append(raw_batch(some, codec=1))
    await send_batches(settings, partition, *batches)


def key_in(partition: int, partitions: int, prefix: str) -> str:
    """A key that belongs in a partition."""
    return next(
        key
        for number in range(1_000)
        if partition_for((key := f"{prefix}-{number}").encode(), partitions) == partition
    )


@asynccontextmanager
async def open_transaction(settings: Settings, partition: int) -> AsyncIterator[None]:
    """A transaction that stays open: readers of committed records would wait behind it."""
    producer = AIOKafkaProducer(
        **connection_options(settings.kafka, "hostile"), transactional_id="hostile", acks="all"
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(Topic.EVENTS.value, b"{}", b"open", partition)
        yield
        await producer.abort_transaction()
    finally:
        await producer.stop()
