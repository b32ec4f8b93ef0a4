"""The auditor's reading of record batches, held against the services' own, written apart from it."""

import struct
from collections.abc import Sequence

import pytest
from aiokafka import TopicPartition
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from hypothesis import example, given
from hypothesis import strategies as st

from audit import wire
from audit.letters import is_letter, letter_of
from audit.log import LogRecord
from shared.contracts.cloudevents import record_size
from shared.contracts.topics import BATCH_BYTES_LIMIT, BATCH_RECORDS_LIMIT
from shared.runtime import batches
from shared.runtime.dead_letters import dead_letter
from shared.runtime.record import Record
from tests.kit.raw_records import Raw, checksummed, raw_batch, raw_body

PARTITION = TopicPartition("registration.events.v1", 2)
ENCODERS = {0: bytes, 1: gzip_encode, 2: snappy_encode, 3: lz4_encode, 4: zstd_encode}


def of_services(batch: bytes) -> tuple[list[Record], int]:
    opened = batches.open_batch(batch, PARTITION)
    return list(opened.records), opened.next_offset


def of_audit(batch: bytes) -> tuple[list[LogRecord], int]:
    opened = wire.open_batch(batch, PARTITION.partition)
    return list(opened.records), opened.following


def assert_same(batch: bytes) -> None:
    """Both find the same records, or both say that the batch is damaged."""
    try:
        theirs, their_end = of_services(batch)
    except batches.Damaged:
        with pytest.raises(wire.Damaged):
            of_audit(batch)
        return
    ours, our_end = of_audit(batch)
    assert our_end == their_end and len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        assert (our.offset, our.last_offset, our.fault) == (their.offset, their.last_offset, their.fault)
        assert (our.key, our.value, our.timestamp) == (their.key, their.value, their.timestamp)
        assert (our.headers, our.append_time) == (their.headers, their.append_time)
        assert our.unread_bytes == their.wire_bytes
        size = record_size(their.key, their.value, their.headers) + their.wire_bytes
        assert record_size(our.key, our.value, our.headers) + our.unread_bytes == size
        sent = dead_letter(their, reason="json", detail="", service="registration")
        letter = LogRecord(2, 0, 0, sent.key, sent.value, tuple(sent.headers))
        assert is_letter(letter, letter_of(our, "json"))


names = st.one_of(st.sampled_from([b"ce_id", b"ce_type", b"x"]), st.binary(max_size=4))
headers = st.lists(st.tuples(names, st.none() | st.binary(max_size=5)), max_size=3)
raws = st.builds(
    Raw,
    st.none() | st.binary(max_size=9),
    key=st.none() | st.binary(max_size=9),
    headers=headers.map(tuple),
    broken=st.sampled_from([False] * 9 + [True]),
)


@given(
    st.lists(raws, max_size=4),
    st.sampled_from(sorted(ENCODERS)),
    st.sampled_from([0, 8, 16, 24, 32]),
    st.integers(0, 2**40),
)
def test_both_read_what_a_producer_may_send(records: Sequence[Raw], codec: int, bits: int, base: int) -> None:
    payload = ENCODERS[codec](raw_body(records))
    assert_same(raw_batch(records, codec=codec | bits, payload=payload, base_offset=base))


@given(
    st.lists(raws, min_size=1, max_size=3),
    st.sampled_from(sorted(ENCODERS)),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    st.integers(-1, 5),
    st.integers(-1, 5),
)
def test_both_judge_alike_what_was_spoilt(
    records: Sequence[Raw], codec: int, changes: Sequence[tuple[int, int]], count: int, last: int
) -> None:
    body = bytearray(raw_body(records))
    for place, byte in changes:
        body[place % len(body)] = byte
    payload = ENCODERS[codec](bytes(body))
    assert_same(raw_batch(records, codec=codec, payload=payload, count=max(0, count), last_delta=last))


@given(st.binary(max_size=40), st.integers(0, 7))
@example(b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01" + struct.pack(">i", -4), 2)
def test_both_judge_alike_what_is_not_compressed_at_all(payload: bytes, codec: int) -> None:
    assert_same(raw_batch([Raw(b"x")] * 3, codec=codec, payload=payload))


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [BATCH_BYTES_LIMIT - 5, BATCH_BYTES_LIMIT + 1])
def test_both_stop_at_the_same_size(codec: int, size: int) -> None:
    record = raw_body([Raw(bytes(size - 14))])
    payload = ENCODERS[codec](record)
    ours, _ = of_audit(raw_batch([Raw(b"")], codec=codec, payload=payload))
    theirs, _ = of_services(raw_batch([Raw(b"")], codec=codec, payload=payload))
    fault = None if len(record) <= BATCH_BYTES_LIMIT else "undecodable_batch"
    assert [each.fault for each in ours] == [each.fault for each in theirs] == [fault]


def test_both_refuse_more_records_than_a_batch_may_hold() -> None:
    assert_same(raw_batch([Raw(b"")], count=BATCH_RECORDS_LIMIT + 1))
    assert [each.fault for each in of_audit(raw_batch([Raw(b"")], count=BATCH_RECORDS_LIMIT + 1))[0]] == [
        "undecodable_batch"
    ]


@pytest.mark.parametrize("name", [b"ce_id", b"y", b"\xff"])
def test_both_keep_the_same_of_very_many_headers(name: bytes) -> None:
    many = (*(((b"x%d" % number, b"y")) for number in range(10_001)), (name, b"1"), (b"ce_time", b"2"))
    batch = raw_batch([Raw(b"v", headers=many)])
    assert_same(batch)
    ((record,), _) = of_audit(batch)
    assert len(record.headers) <= 2 and record.unread_bytes > 10_000


def test_a_wrong_checksum_is_damage() -> None:
    batch = bytearray(raw_batch([Raw(b"x")]))
    batch[-1] ^= 1
    with pytest.raises(wire.Damaged):
        of_audit(bytes(batch))
    assert_same(checksummed(bytes(batch)))


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [0, 1])
def test_both_read_messages_of_old_formats(magic: int, codec: int) -> None:
    builder = LegacyRecordBatchBuilder(magic, codec, 4096)
    builder.append(0, timestamp=7, key=b"k", value=b"v")
    assert_same(bytes(builder.build()))
