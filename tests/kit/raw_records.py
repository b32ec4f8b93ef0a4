"""Record batches byte by byte, for what no client library would send."""

from __future__ import annotations

import asyncio
import gzip
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import NoError, for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c, encode_varint


@dataclass(frozen=True)
class Raw:
    """One record whose header names are bytes; `raw_headers` are `header_count` more as they lie."""

    value: bytes | None
    key: bytes | None = b"key"
    headers: tuple[tuple[bytes, bytes | None], ...] = ()
    broken: bool = False
    raw_headers: bytes = b""
    header_count: int = 0


def raw_body(records: Sequence[Raw], deltas: Sequence[int] | None = None) -> bytes:
    """The records of a batch as they lie in it, with their offset deltas."""
    body = bytearray()
    for delta, record in zip(deltas or range(len(records)), records, strict=True):
        encoded = _record(delta, record)
        _varint(body, len(encoded))
        body += encoded
    return bytes(body)


def raw_batch(
    records: Sequence[Raw],
    *,
    codec: int = 0,
    payload: bytes | None = None,
    base_offset: int = 0,
    count: int | None = None,
    last_delta: int | None = None,
) -> bytes:
    """A batch of format 2 with a right checksum; `payload` replaces what `codec` would hold.

    `codec` may have the other bits of the attributes: 8 LogAppendTime, 16 transactional, 32 control. `count`
    is what the header says of the number of records.
    """
    if payload is None:
        body = raw_body(records)
        payload = gzip.compress(body) if codec & 7 == 1 else body
    now = time.time_ns() // 1_000_000  # an old time stamp would be past its retention
    count = len(records) if count is None else count
    last = (max(1, count) - 1) if last_delta is None else last_delta
    checked = struct.pack(">hiqqqhii", codec, last, now, now, -1, -1, -1, count) + payload
    tail = struct.pack(">ibI", -1, 2, calc_crc32c(checked)) + checked
    return struct.pack(">qi", base_offset, len(tail)) + tail


def checksummed(batch: bytes) -> bytes:
    """`batch` with the checksum that it should have."""
    return batch[:17] + struct.pack(">I", calc_crc32c(batch[21:])) + batch[21:]


async def send_raw(client: AIOKafkaClient, topic: str, partition: int, batch: bytes) -> int:
    """Send a batch as it is; answers its first offset."""
    request = ProduceRequest(None, -1, 5_000, [(topic, [(partition, batch)])])
    await client.add_topic(topic)
    for _ in range(50):
        node = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        response = await client.send(node, request)
        _, error_code, offset, *_ = response.topics[0][1][0]
        if (error := for_code(error_code)) is NoError:
            return int(offset)
        if not error.retriable:
            raise error
        await asyncio.sleep(0.1)  # a new topic has no leader yet
        await client.force_metadata_update()
    raise error


def _record(delta: int, record: Raw) -> bytes:
    out = bytearray(b"\x00")
    _varint(out, 0)
    _varint(out, delta)
    _bytes(out, record.key)
    _bytes(out, record.value)
    _varint(out, len(record.headers) + record.header_count + (7 if record.broken else 0))
    for name, value in record.headers:
        _bytes(out, name)
        _bytes(out, value)
    return bytes(out + record.raw_headers)


def _varint(out: bytearray, number: int) -> None:
    encode_varint(number, out.append)


def _bytes(out: bytearray, value: bytes | None) -> None:
    if value is None:
        _varint(out, -1)
    else:
        _varint(out, len(value))
        out += value
