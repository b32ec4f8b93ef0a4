"""The lenient decoder alone, for what an honest broker would not store."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import LeaderNotAvailableError, NotLeaderForPartitionError

from shared.process.errors import StopService
from shared.runtime.record import Record
from shared.runtime.tolerant import read_leniently
from tests.kit.raw_records import Raw, raw_batch

PARTITION = TopicPartition("t", 2)


class Broker:
    """Answers one fetch with `data`."""

    def __init__(self, data: bytes, error_code: int = 0, leader: int = 1) -> None:
        self._data, self._error_code = data, error_code
        self.cluster = SimpleNamespace(leader_for_partition=lambda _partition: leader)
        self.refreshed = False

    def force_metadata_update(self) -> None:
        self.refreshed = True

    async def send(self, _node: int, _request: Any) -> Any:
        part: tuple[Any, ...] = (2, self._error_code, 99, 99, [], self._data)
        return SimpleNamespace(API_VERSION=4, topics=[("t", [part])])


async def _read(data: bytes, offset: int = 0, most: int = 100) -> tuple[list[Record], int]:
    return await read_leniently(Broker(data), PARTITION, offset, 1 << 20, most)


async def test_reading_starts_within_a_batch_and_ends_with_it() -> None:
    data = raw_batch([Raw(b"%d" % n) for n in range(5)]) + raw_batch([Raw(b"next")], base_offset=5)
    records, following = await _read(data, offset=2)
    assert [(record.offset, record.value) for record in records] == [(2, b"2"), (3, b"3"), (4, b"4")]
    assert following == 5
    assert all(record.partition == 2 and record.topic == "t" for record in records)


async def test_reading_stops_at_the_wanted_number_and_goes_on_from_there() -> None:
    data = raw_batch([Raw(b"%d" % n, headers=((b"\xff", b""),)) for n in range(5)])
    records, following = await _read(data, most=2)
    assert ([record.value for record in records], following) == ([b"0", b"1"], 2)
    records, following = await _read(data, offset=2)
    assert ([record.value for record in records], following) == ([b"2", b"3", b"4"], 5)


async def test_a_wrong_checksum_stops_the_service_since_it_is_nobodys_message() -> None:
    data = bytearray(raw_batch([Raw(b"value")]))
    data[-1] ^= 1
    with pytest.raises(StopService, match="damaged at offset 0") as stopped:
        await _read(bytes(data))
    assert stopped.value.cause == "corrupt"


async def test_a_batch_that_claims_more_records_than_anyone_sends_stops_the_service() -> None:
    data = bytearray(raw_batch([Raw(b"v")], codec=5))
    data[23:27] = (1_000_000).to_bytes(4, "big")  # last offset delta
    data[17:21] = _checksum(data[21:])
    with pytest.raises(StopService, match="damaged"):
        await _read(bytes(data))


async def test_a_batch_that_does_not_fit_a_fetch_stops_the_service_and_names_the_setting() -> None:
    with pytest.raises(StopService, match="LIMITS__MESSAGE_BYTES") as stopped:
        await _read(raw_batch([Raw(b"v" * 1_000)])[:500])
    assert stopped.value.cause == "too_large"


async def test_an_empty_answer_is_no_record() -> None:
    assert await _read(b"", offset=7) == ([], 7)


async def test_a_moved_leader_is_an_error_to_retry() -> None:
    with pytest.raises(NotLeaderForPartitionError):
        await read_leniently(Broker(b"", error_code=6), PARTITION, 0, 1 << 20, 1)
    broker = Broker(b"", leader=-1)
    with pytest.raises(LeaderNotAvailableError):
        await read_leniently(broker, PARTITION, 0, 1 << 20, 1)
    assert broker.refreshed


def _checksum(data: bytes | bytearray) -> bytes:
    from aiokafka.record.util import calc_crc32c

    return int(calc_crc32c(bytes(data))).to_bytes(4, "big")
