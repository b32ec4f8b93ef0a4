"""A consumer that also delivers what aiokafka cannot read.

A header name that is not UTF-8, a batch that does not decompress or a broken record makes aiokafka's decoder
raise at every poll for ever, and what other partitions had ready in that poll is lost. Here a decode error
ends that partition's fetch at the last good record; the next poll fetches the partition singly and reads it
with a lenient decoder, and such a record comes out with its `fault` set:

- `headers`: a header name is not UTF-8; the name has backslash escapes, all else is as sent;
- `compression`: the batch is of an unknown codec or does not decompress; one empty record an offset;
- `structure`: this record and the rest of its batch cannot be told apart; one empty record an offset.

A batch whose checksum is wrong, fetched twice, is damage in the broker's log and nobody's message: it stops
the service, as does one that is larger than a fetch.

This module alone touches aiokafka's privates (0.14); its tests tell when an upgrade moves them.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain, islice
from types import SimpleNamespace
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException, LeaderNotAvailableError, NoError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.record.util import decode_varint

from shared.process.errors import StopService
from shared.runtime.record import Record

# More empty records for one unreadable batch than any producer sends: the batch header itself is wrong.
_MOST_FAULTY = 100_000

_LOG_APPEND_TIME = 1  # the protocol's word for it

# The embedded broker answers at once that there is nothing, instead of waiting for `fetch_max_wait_ms`: asked
# again and again it had each consumer fetch 770 times a second. Apache Kafka waits by itself.
_LEAST_EMPTY_FETCH_S = 0.02


class TolerantConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """`AIOKafkaConsumer` whose `poll` gives `Record`s, readable or not; `getmany` keeps its shape."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._faulty: set[TopicPartition] = set()
        self._guarded_fetcher: Any = None
        super().__init__(*args, **options)

    @property
    def _fetcher(self) -> Any:
        return self._guarded_fetcher

    @_fetcher.setter
    def _fetcher(self, fetcher: Any) -> None:
        if fetcher is not None:
            fetcher._proc_fetch_request = _guarded(fetcher, self._faulty)
        self._guarded_fetcher = fetcher

    async def poll(self, *, timeout_ms: int, max_records: int) -> list[Record]:
        """Up to `max_records` of any partitions; waits at most `timeout_ms` for the first.

        Raises a `KafkaError` if the group or the brokers fail, `StopService` if the log itself is damaged.
        """
        for partition in sorted(self._faulty):
            if self._subscription.is_assigned(partition):
                if partition not in self._subscription.paused_partitions():
                    return await self._read_singly(partition, max_records)
            else:
                self._faulty.discard(partition)
        drained = await super().getmany(timeout_ms=timeout_ms, max_records=max_records)
        return list(chain.from_iterable(drained.values()))

    async def _read_singly(self, partition: TopicPartition, max_records: int) -> list[Record]:
        assignment = self._subscription.subscription.assignment
        state = assignment.state_value(partition)
        position = state.position
        records, next_offset = await read_leniently(
            self._client, partition, position, self._max_partition_fetch_bytes, max_records
        )
        if not assignment.active or state.position != position:
            return []  # moved while we read: it is read again from wherever it belongs
        self.seek(partition, next_offset)
        self._faulty.discard(partition)
        return records


def _guarded(fetcher: Any, faulty: set[TopicPartition]) -> Callable[..., Awaitable[bool]]:
    fetch = fetcher._proc_fetch_request

    async def fetch_and_guard(assignment: Any, node_id: int, request: FetchRequest) -> bool:
        started = time.monotonic()
        new_data: bool = await fetch(assignment, node_id, request)
        if not new_data and (early := _LEAST_EMPTY_FETCH_S - (time.monotonic() - started)) > 0:
            with contextlib.suppress(asyncio.CancelledError):  # as the fetcher itself ends a fetch
                await asyncio.sleep(early)
        for partition, result in fetcher._records.items():
            if type(result) is FetchResult and type(result._partition_records) is PartitionRecords:
                result._partition_records = _UntilFault(result._partition_records, partition, faulty)
        return new_data

    return fetch_and_guard


class _UntilFault:
    """The records of a fetch up to the first that cannot be decoded, whose partition it notes as faulty."""

    def __init__(self, records: Any, partition: TopicPartition, faulty: set[TopicPartition]) -> None:
        records._consumer_record = _to_record
        self._records = records
        self._partition = partition
        self._faulty = faulty

    @property
    def next_fetch_offset(self) -> int:
        offset: int = self._records.next_fetch_offset
        return offset

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        try:
            record: Record = next(self._records)
        except StopIteration:
            raise
        except Exception:  # whatever a decoder raises: the lenient one finds out what it is
            self._faulty.add(self._partition)
            raise StopIteration from None
        return record


def _to_record(partition: TopicPartition, raw: Any) -> Record:
    return Record(
        partition.topic,
        partition.partition,
        raw.offset,
        raw.timestamp,
        raw.key,
        raw.value,
        tuple(raw.headers),
        getattr(raw, "fault", None),
        append_time=raw.timestamp_type == _LOG_APPEND_TIME,
    )


async def read_leniently(
    client: AIOKafkaClient, partition: TopicPartition, offset: int, max_bytes: int, max_records: int
) -> tuple[list[Record], int]:
    """Committed records from `offset` on, at most one batch of them, and the offset after them.

    Raises a `KafkaError` if the leader does not answer, `StopService` if the log is damaged.
    """
    node = client.cluster.leader_for_partition(partition)
    if node is None or node == -1:
        client.force_metadata_update()
        raise LeaderNotAvailableError(partition)
    wanted = [(partition.topic, [(partition.partition, offset, max_bytes)])]
    response = await client.send(node, FetchRequest(500, 1, max_bytes, READ_COMMITTED, wanted))
    ((_, error_code, _, *rest),) = response.topics[0][1]
    if (error := for_code(error_code)) is not NoError:
        raise error(partition)
    aborted = rest[2] if response.API_VERSION >= 11 else rest[-2]
    batch = _FirstBatch(rest[-1], offset, partition)
    records = PartitionRecords(partition, batch, aborted, offset, None, None, True, READ_COMMITTED)
    records._consumer_record = _to_record
    try:
        return list(islice(records, max_records)), records.next_fetch_offset
    except CorruptRecordException as error:
        raise StopService(
            f"the log of {partition.topic}-{partition.partition} is damaged at offset {offset}",
            cause="corrupt",
        ) from error


class _FirstBatch:
    """The first batch of fetched bytes that reaches beyond `offset`, in the shape of `MemoryRecords`."""

    _HEAD = struct.Struct(">qiib")
    _LAST_OFFSET_DELTA = struct.Struct(">i")

    def __init__(self, data: bytes, offset: int, partition: TopicPartition) -> None:
        self._batch: Any = None
        at = 0
        while len(data) - at >= 27 and self._batch is None:
            base, length, _, magic = self._HEAD.unpack_from(data, at)
            (delta,) = self._LAST_OFFSET_DELTA.unpack_from(data, at + 23) if magic >= 2 else (0,)
            end = at + 12 + length
            if end > len(data):
                break
            if magic < 2:
                self._batch = LegacyRecordBatch(data[at:end], magic)
            elif base + delta >= offset:
                self._batch = _LenientBatch(data[at:end])
            at = end
        if self._batch is None and len(data) > at:
            raise StopService(
                f"a record of {partition.topic}-{partition.partition} at or after offset {offset} is larger "
                "than a fetch; raise ROLLSTREAM_LIMITS__MESSAGE_BYTES",
                cause="too_large",
            )

    def has_next(self) -> bool:
        return self._batch is not None

    def next_batch(self) -> Any:
        batch, self._batch = self._batch, None
        return batch


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # aiokafka has no types
    """A batch of message format 2, each of whose offsets comes out, as a record or as a fault."""

    def __iter__(self) -> Iterator[Any]:
        expected: int = self.base_offset
        try:
            self._maybe_uncompress()
        except Exception:  # each codec raises its own
            fault = "compression"
        else:
            fault = "structure"
            buffer, at = self._buffer, self._pos
            try:
                for _ in range(self._num_records):
                    record, at = self._read_record(buffer, at)
                    yield record
                    expected = record.offset + 1
            except (ValueError, IndexError):
                pass
            else:
                return
        if self.next_offset - expected > _MOST_FAULTY:
            raise CorruptRecordException(f"a batch claims {self.next_offset - expected} records")
        for offset in range(expected, self.next_offset):
            yield SimpleNamespace(
                offset=offset,
                timestamp=self.max_timestamp,
                timestamp_type=self.timestamp_type,
                key=None,
                value=None,
                headers=(),
                fault=fault,
            )

    def _read_record(self, buffer: bytearray, at: int) -> tuple[Any, int]:
        length, at = decode_varint(buffer, at)
        end = at + length
        if length < 0 or end > len(buffer):
            raise ValueError("a record is longer than its batch")
        at += 1  # attributes
        timestamp_delta, at = decode_varint(buffer, at)
        offset_delta, at = decode_varint(buffer, at)
        key, at = _bytes(buffer, at, end)
        value, at = _bytes(buffer, at, end)
        count, at = decode_varint(buffer, at)
        headers: list[tuple[str, bytes | None]] = []
        fault = None
        for _ in range(count):
            raw_name, at = _bytes(buffer, at, end)
            header_value, at = _bytes(buffer, at, end)
            name = (raw_name or b"").decode("utf-8", "backslashreplace")
            if name.encode() != raw_name:
                fault = "headers"
            headers.append((name, header_value))
        if at != end or count < 0:
            raise ValueError("a record is not as long as it says")
        appended = self.timestamp_type == self.LOG_APPEND_TIME
        return SimpleNamespace(
            offset=self.base_offset + offset_delta,
            timestamp=self.max_timestamp if appended else self.first_timestamp + timestamp_delta,
            timestamp_type=self.timestamp_type,
            key=key,
            value=value,
            headers=headers,
            fault=fault,
        ), end


def _bytes(buffer: bytearray, at: int, end: int) -> tuple[bytes | None, int]:
    length, at = decode_varint(buffer, at)
    if length < 0:
        return None, at
    if at + length > end:
        raise ValueError("a field is longer than its record")
    return bytes(buffer[at : at + length]), at + length
