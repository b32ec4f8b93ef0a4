"""Record batches as they lie on the wire, opened within the contract's limits. Pure.

aiokafka's own decoder decompresses whatever comes, hands over the first records of a batch before it finds
the last ones broken, and ends at a header name that is not UTF-8. Here a batch is judged whole before its
first record comes out, and a record that cannot be read comes out with its `fault` set:

- `undecodable_batch`: one record for the run of offsets of a batch that holds more than
  `BATCH_RECORDS_LIMIT` records or `BATCH_BYTES_LIMIT` bytes, does not decompress, or whose records cannot be
  told apart;
- `headers`: a header name is not UTF-8 (the name has surrogate escapes, all else is as sent), or the headers
  do not end where their record does (then there are none, and `wire_bytes` is what they took).

Of a record with more than `MOST_HEADERS` headers only those are kept that somebody reads, whatever else its
batch holds. Control batches and offsets that are missing in a batch have no record.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.util import calc_crc32c

from shared.contracts.topics import BATCH_BYTES_LIMIT, BATCH_RECORDS_LIMIT
from shared.runtime.decompress import Undecompressable, decompress
from shared.runtime.record import Record
from shared.runtime.record_headers import MOST_HEADERS, read_bytes, read_headers
from shared.runtime.varint import decode_varint

ORDINARY_BYTES = 1024 * 1024
"""Decompressed bytes up to which a batch is decoded at once, in C. An empty header takes 2 bytes and becomes
a tuple of some 120: 1 MiB of them is 60 MB, 64 MiB would be 4 GB."""

QUICK_BYTES = 64 * 1024
"""Bytes, on the wire and decompressed, up to which a batch is opened without leaving the event loop: 32,000
empty headers at most, some 30 ms. A thread for each batch of a few records would take longer than they do."""

OBJECT_BYTES = 64
"""What a record, and each of its headers, takes beside its bytes: 256 KiB can be 100,000 empty headers."""

MOST_WIRE_BYTES = 2 * BATCH_BYTES_LIMIT
"""No topic takes a larger batch: a length above it is damage."""

_OVERHEAD = struct.Struct(">qiib")  # base offset, length, leader's epoch, magic
_REST = struct.Struct(">IhiqqqhiI")  # checksum, attributes, last offset delta, times, producer, count
_CHECKSUM, _TIME, _LENGTH = struct.Struct(">I"), struct.Struct(">q"), struct.Struct(">i")  # of old formats
_HEADER_BYTES = _OVERHEAD.size + _REST.size
_CHECKED_FROM = 21
_CODEC, _APPEND_TIME, _CONTROL = 0x07, 0x08, 0x20


class Damaged(Exception):
    """A checksum or a length is wrong: damage on the way or in the broker's log, and nobody's message."""


class TooLargeNow(Exception):
    """The batch holds more than may be opened at the moment."""


@dataclass(slots=True)
class OpenBatch:
    """A batch that is open; reading goes on at `next_offset` after it.

    Its records are there at once, each of which counts as `each` bytes in memory, or, if it is `large` (it
    holds more than `ORDINARY_BYTES` while it is open), come out of an iterator. `cost`: bytes that were
    decompressed for nothing, in addition to what the records hold.
    """

    next_offset: int
    records: Sequence[Record] | Iterator[Record]
    each: int = 0
    cost: int = 0

    @property
    def large(self) -> bool:
        """Whether its records come one by one."""
        return not isinstance(self.records, Sequence)


def first_batch(data: bytes, at: int = 0) -> bytes | None:
    """The batch at `at`, None where it is not whole. Raises Damaged if its length cannot be."""
    if len(data) - at < _OVERHEAD.size:
        return None
    size = batch_bytes(data, at)
    return data[at : at + size] if at + size <= len(data) else None


def batch_bytes(data: bytes, at: int = 0) -> int:
    """How long the batch at `at` is, of which `_OVERHEAD` at least is there. Raises Damaged."""
    _, length, _, magic = _OVERHEAD.unpack_from(data, at)
    if not (_HEADER_BYTES - 12 if magic >= 2 else 14) <= length <= MOST_WIRE_BYTES:
        raise Damaged
    return int(length) + 12


def open_batch(batch: bytes, partition: TopicPartition, most: int = BATCH_BYTES_LIMIT) -> OpenBatch:
    """Open a whole batch. `most` below the contract's limit: raises TooLargeNow above it. Raises Damaged."""
    if most < BATCH_BYTES_LIMIT and len(batch) > most + _HEADER_BYTES:
        raise TooLargeNow  # to check its sum would take long already
    base, _, _, magic = _OVERHEAD.unpack_from(batch)
    if magic < 2:
        return _legacy(batch, partition, base, magic)
    crc, attributes, delta, first_time, max_time, _, _, _, count = _REST.unpack_from(batch, _OVERHEAD.size)
    if calc_crc32c(batch[_CHECKED_FROM:]) != crc:
        raise Damaged
    last = base + max(0, delta)
    if attributes & _CONTROL:
        return OpenBatch(last + 1, ())
    head = _Head(partition, base, last, first_time, max_time, bool(attributes & _APPEND_TIME))
    undecodable = (head.undecodable(len(batch)),)
    if count > BATCH_RECORDS_LIMIT:
        return OpenBatch(last + 1, undecodable)
    payload = batch[_HEADER_BYTES:]
    try:
        plain = decompress(attributes & _CODEC, payload, most)
    except Undecompressable:
        if most < BATCH_BYTES_LIMIT:
            raise TooLargeNow from None
        return OpenBatch(last + 1, undecodable, cost=BATCH_BYTES_LIMIT)
    large = len(plain) > ORDINARY_BYTES
    records = None if large else _decode_in_c(batch, attributes, plain, head)
    if records is None:
        starts = _tell_apart(plain, count, last - base)
        if starts is None:
            return OpenBatch(last + 1, undecodable, cost=len(plain))
        later = (_record(plain, at, head) for at in starts)
        if large:
            return OpenBatch(last + 1, later)
        records = list(later)
    objects = len(records) + sum(len(record.headers) for record in records)
    return OpenBatch(last + 1, records, (len(plain) + OBJECT_BYTES * objects) // max(1, len(records)))


@dataclass(frozen=True, slots=True)
class _Head:
    """What a batch's header says of all its records."""

    partition: TopicPartition
    base: int
    last: int
    first_time: int
    max_time: int
    append_time: bool

    def record(
        self,
        offset: int,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: tuple[tuple[str, bytes | None], ...],
        fault: str | None = None,
        wire_bytes: int = 0,
        left_out: int = 0,
    ) -> Record:
        topic, number = self.partition
        at = self.max_time if self.append_time else timestamp
        return Record(
            topic,
            number,
            offset,
            at,
            key,
            value,
            headers,
            fault,
            None,
            wire_bytes,
            self.append_time,
            left_out,
        )

    def undecodable(self, wire_bytes: int) -> Record:
        return Record(
            self.partition.topic,
            self.partition.partition,
            self.base,
            self.max_time,
            None,
            None,
            (),
            "undecodable_batch",
            self.last,
            wire_bytes,
            self.append_time,
        )


def _decode_in_c(batch: bytes, attributes: int, plain: bytes, head: _Head) -> list[Record] | None:
    """All records by aiokafka's extension; None if it cannot read one, one has too many headers to keep, or
    their offsets do not ascend."""
    if attributes & _CODEC:
        cleared = struct.pack(">h", attributes & ~_CODEC)
        batch = b"".join((batch[:_CHECKED_FROM], cleared, batch[_CHECKED_FROM + 2 : _HEADER_BYTES], plain))
    records: list[Record] = []
    topic, number = head.partition
    append_time = head.append_time
    before, last = head.base - 1, head.last
    try:
        for raw in DefaultRecordBatch(batch):
            offset = raw.offset
            if not before < offset <= last:
                return None
            before = offset
            headers = tuple(raw.headers)
            if len(headers) > MOST_HEADERS:
                return None  # what is kept of them is chosen in one place
            records.append(
                Record(
                    topic, number, offset, raw.timestamp, raw.key, raw.value, headers, append_time=append_time
                )
            )
    except Exception:  # whatever it raises, the reading below finds out what it is
        return None
    return records


def _tell_apart(plain: bytes, count: int, last_delta: int) -> list[int] | None:
    """Where each record begins; None unless they fill the batch, and each has offset, key and value."""
    starts: list[int] = []
    at, before = 0, -1
    try:
        for _ in range(count):
            starts.append(at)
            length, at = decode_varint(plain, at)
            end = at + length
            if length < 1 or end > len(plain):
                return None
            _, inside = decode_varint(plain, at + 1)  # the attributes are one byte
            delta, inside = decode_varint(plain, inside)
            for _ in ("key", "value"):
                size, inside = decode_varint(plain, inside)
                inside += max(size, 0)
            _, inside = decode_varint(plain, inside)  # number of headers
            if inside > end or not before < delta <= last_delta:
                return None
            before, at = delta, end
    except (ValueError, IndexError):
        return None
    return starts if at == len(plain) else None


def _record(plain: bytes, at: int, head: _Head) -> Record:
    """The record at `at`, which `_tell_apart` has found."""
    length, at = decode_varint(plain, at)
    end = at + length
    time_delta, at = decode_varint(plain, at + 1)
    delta, at = decode_varint(plain, at)
    key, at = read_bytes(plain, at, end)
    value, at = read_bytes(plain, at, end)
    offset, timestamp = head.base + delta, head.first_time + time_delta
    try:
        headers = read_headers(plain, at, end)
    except (ValueError, IndexError):
        return head.record(offset, timestamp, key, value, (), "headers", end - at)
    named = tuple((name or "", content) for name, content in headers.kept)
    fault = None if headers.is_text else "headers"
    return head.record(offset, timestamp, key, value, named, fault, headers.left_out_bytes, headers.left_out)


def _legacy(batch: bytes, partition: TopicPartition, base: int, magic: int) -> OpenBatch:
    """A message of format 0 or 1, which no broker of today takes: undecodable if it is compressed.

    aiokafka's reader believes its lengths: a negative one raised SystemError (found by `make fuzz`).
    """
    (checksum,), attributes = _CHECKSUM.unpack_from(batch, 12), batch[_OVERHEAD.size]
    if zlib.crc32(batch[16:]) != checksum:
        raise Damaged
    at, time = _OVERHEAD.size + 1, 0
    try:
        if magic == 1:
            (time,) = _TIME.unpack_from(batch, at)
            at += _TIME.size
        key, at = _old_field(batch, at)
        value, at = _old_field(batch, at)
    except struct.error:
        key, value, at = None, None, -1
    head = _Head(partition, base, base, time, time, magic == 1 and bool(attributes & _APPEND_TIME))
    if attributes & _CODEC or at != len(batch):
        return OpenBatch(base + 1, (head.undecodable(len(batch)),))
    return OpenBatch(base + 1, [head.record(base, time, key, value, ())], len(batch))


def _old_field(batch: bytes, at: int) -> tuple[bytes | None, int]:
    """Bytes after their length, None if that is negative, and where they end. Raises struct.error."""
    (length,) = _LENGTH.unpack_from(batch, at)
    at += _LENGTH.size
    return (None, at) if length < 0 else (batch[at : at + length], at + length)
