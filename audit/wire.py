"""Record batches as brokers keep them, opened within the contract's limits. Pure.

The services have a decoder of their own (`shared/runtime/batches.py`). This one was written apart from it, so
that what one of them misreads shows as a difference. Of aiokafka it takes the checksum alone.
"""

import mmap
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cramjam
from aiokafka.record.util import calc_crc32c

from audit.log import Headers, LogRecord

MOST_BYTES = 64 * 1024 * 1024
"""Of the records of a batch, decompressed."""

MOST_RECORDS = 100_000
MOST_HEADERS = 10_000
"""Of one record, that are all kept."""

KEPT = frozenset(
    {
        *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"),
        *("rollstream-officer", "rollstream-signature"),
    }
)
"""What is kept of more headers, the last of each name: all that is read of a record."""

LEAST = 17
"""Bytes of a batch that tell its length and format."""

_START = struct.Struct(">qiib")  # base offset, length of the rest, leader's epoch, format
_HEAD = struct.Struct(">IhiqqqhiI")  # checksum, attributes, last offset, times, producer (3), count
_XERIAL = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"


class Damaged(Exception):
    """A checksum or a length is wrong: not what a producer wrote."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of a batch, one after the other, and the offset after it."""

    records: Iterable[LogRecord]
    following: int


def length_of(data: bytes, at: int = 0) -> int | None:
    """Bytes of the batch at `at`; None where too little of it is there to tell. Raises Damaged."""
    if len(data) - at < LEAST:
        return None
    _, length, _, _ = _START.unpack_from(data, at)
    if not 14 <= length <= 2 * MOST_BYTES:
        raise Damaged
    return int(length) + 12


def open_batch(batch: bytes, partition: int) -> Batch:
    """Open a whole batch. Raises Damaged."""
    base, _, _, magic = _START.unpack_from(batch)
    if magic < 2:
        return _old(batch, partition, base, magic)
    if len(batch) < 61:
        raise Damaged
    crc, attributes, last_delta, first_time, last_time, _, _, _, count = _HEAD.unpack_from(batch, LEAST)
    if calc_crc32c(batch[21:]) != crc:
        raise Damaged
    last = base + max(0, last_delta)
    if attributes & 0x20:  # control records: no messages
        return Batch((), last + 1)
    appended = bool(attributes & 0x08)
    run = _run(partition, base, last, last_time, appended, len(batch))
    plain = _decompressed(attributes & 7, batch[61:]) if count <= MOST_RECORDS else None
    spans = None if plain is None else _spans(plain, count, last - base)
    if plain is None or spans is None:
        return Batch((run,), last + 1)
    time = last_time if appended else None
    return Batch(_records(plain, spans, partition, base, first_time, time), last + 1)


def _run(partition: int, first: int, last: int, time: int, appended: bool, size: int) -> LogRecord:
    """What stands for a batch that cannot be decoded."""
    return LogRecord(partition, first, time, None, None, (), "undecodable_batch", last, appended, size)


@dataclass(frozen=True, slots=True)
class _Span:
    """Where a record's parts lie; -1 for a null key or value."""

    delta: int
    time_delta: int
    key: tuple[int, int]
    value: tuple[int, int]
    headers: int
    end: int


def _records(
    plain: bytes, spans: list[_Span], partition: int, base: int, first_time: int, append_time: int | None
) -> Iterator[LogRecord]:
    for span in spans:
        fault, unread = None, 0
        headers: Headers = ()
        try:
            headers, unread, readable = _headers(plain, span.headers, span.end)
            fault = None if readable else "headers"
        except (ValueError, IndexError):
            fault, unread = "headers", span.end - span.headers
        yield LogRecord(
            partition,
            base + span.delta,
            first_time + span.time_delta if append_time is None else append_time,
            _slice(plain, span.key),
            _slice(plain, span.value),
            headers,
            fault,
            append_time=append_time is not None,
            unread_bytes=unread,
        )


def _spans(plain: bytes, count: int, last_delta: int) -> list[_Span] | None:
    """Every record of a batch; None unless they fill it, each with an offset, a key and a value."""
    spans: list[_Span] = []
    at, before = 0, -1
    try:
        for _ in range(count):
            length, start = _varint(plain, at)
            end = start + length
            if length < 1 or end > len(plain):
                return None
            time_delta, inside = _varint(plain, start + 1)
            delta, inside = _varint(plain, inside)
            if not before < delta <= last_delta:
                return None
            key, inside = _field(plain, inside)
            value, inside = _field(plain, inside)
            _, first_header = _varint(plain, inside)
            if first_header > end:
                return None
            spans.append(_Span(delta, time_delta, key, value, inside, end))
            at, before = end, delta
    except (ValueError, IndexError):
        return None
    return spans if at == len(plain) else None


def _headers(plain: bytes, at: int, end: int) -> tuple[Headers, int, bool]:
    """Those that are kept, the bytes of the others, and whether each name is UTF-8. Raises ValueError."""
    count, at = _varint(plain, at)
    if not 0 <= 2 * count <= end - at:
        raise ValueError("more headers than bytes for them")
    few = count <= MOST_HEADERS
    kept: list[tuple[str, bytes | None]] = []
    last: dict[str, bytes | None] = {}
    total, readable = 0, True
    for _ in range(count):
        span, at = _field(plain, at)
        content, at = _field(plain, at)
        if at > end:
            break
        raw, value = _slice(plain, span), _slice(plain, content)
        name = (raw or b"").decode("utf-8", "surrogateescape")
        readable = readable and raw is not None and not any("\ud800" <= each <= "\udfff" for each in name)
        total += len(raw or b"") + len(value or b"")
        if few:
            kept.append((name, value))
        elif name in KEPT:
            last[name] = value
    if at != end:
        raise ValueError("the headers do not end where their record does")
    if not few:
        kept = sorted(last.items())
    return tuple(kept), total - sum(_size(*each) for each in kept), readable


def _size(name: str, content: bytes | None) -> int:
    return len(name.encode("utf-8", "surrogateescape")) + len(content or b"")


def _field(plain: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Where a field with its length lies, and where it ends."""
    length, at = _varint(plain, at)
    if length < 0:
        return (-1, -1), at
    return (at, at + length), at + length


def _slice(plain: bytes, span: tuple[int, int]) -> bytes | None:
    return None if span[0] < 0 else plain[span[0] : span[1]]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A signed number of variable length. Raises ValueError, IndexError."""
    shift = number = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
        shift += 7
        if shift > 63:
            raise ValueError("a number that does not end")


def _decompressed(codec: int, payload: bytes) -> bytes | None:
    """None where the bytes are not the codec's, or hold more than is allowed."""
    if codec == 0:
        return payload if len(payload) <= MOST_BYTES else None
    if codec == 2:
        return _snappy(payload)
    library = {1: cramjam.gzip, 3: cramjam.lz4, 4: cramjam.zstd}.get(codec)
    if library is None:
        return None
    # What does not fit is not written, and pages that nothing is written to cost nothing.
    with mmap.mmap(-1, MOST_BYTES + 1) as room:
        try:
            written = library.decompress_into(payload, room)
        except cramjam.DecompressionError:
            return None
        return room[:written] if written <= MOST_BYTES else None


def _snappy(payload: bytes) -> bytes | None:
    """One block, or blocks after their lengths as Java's library writes them."""
    if not payload.startswith(_XERIAL):
        blocks = [payload]
    else:
        blocks, at = [], len(_XERIAL)
        while at < len(payload):
            size = int.from_bytes(payload[at : at + 4], "big", signed=True)
            if at + 4 > len(payload) or not 0 < size <= len(payload) - at - 4:
                return None
            blocks.append(payload[at + 4 : at + 4 + size])
            at += 4 + size
    try:
        if not 0 <= sum(map(cramjam.snappy.decompress_raw_len, blocks)) <= MOST_BYTES:
            return None
        return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks)
    except cramjam.DecompressionError:
        return None


def _old(batch: bytes, partition: int, base: int, magic: int) -> Batch:
    """A message of format 0 or 1, which brokers of today do not keep; compressed ones cannot be decoded."""
    attributes = batch[LEAST]
    appended = bool(magic == 1 and attributes & 0x08)
    if zlib.crc32(batch[16:]) != struct.unpack_from(">I", batch, 12)[0]:
        raise Damaged
    run = _run(partition, base, base, 0, appended, len(batch))
    at, time = LEAST + 1, 0
    try:
        if magic == 1:
            (time,) = struct.unpack_from(">q", batch, at)
            at += 8
        parts: list[bytes | None] = []
        for _ in ("key", "value"):
            (length,) = struct.unpack_from(">i", batch, at)
            at += 4
            parts.append(None if length < 0 else batch[at : at + length])
            at += max(0, length)
    except struct.error:
        return Batch((run,), base + 1)
    if attributes & 7 or at != len(batch):
        return Batch((run,), base + 1)
    return Batch((LogRecord(partition, base, time, parts[0], parts[1], (), append_time=appended),), base + 1)
