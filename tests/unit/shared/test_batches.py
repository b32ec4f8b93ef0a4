"""Record batches alone: what anyone may send, opened within the contract's limits."""

from __future__ import annotations

import gzip
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable

import cramjam
import pytest
from aiokafka import TopicPartition
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import decode_varint as theirs
from aiokafka.record.util import encode_varint

from shared.commands.message import Message
from shared.contracts.topics import BATCH_BYTES_LIMIT, BATCH_RECORDS_LIMIT
from shared.runtime import batches
from shared.runtime.batches import Damaged, TooLargeNow, first_batch, open_batch
from shared.runtime.dead_letters import dead_letter
from shared.runtime.decompress import Undecompressable, decompress
from shared.runtime.record import Record
from shared.runtime.varint import decode_varint
from tests.kit.raw_records import Raw, checksummed, raw_batch, raw_body

PARTITION = TopicPartition("t", 2)
ENCODERS: dict[int, Callable[[bytes], bytes]] = {
    1: gzip_encode,
    2: snappy_encode,
    3: lz4_encode,
    4: zstd_encode,
}
CODECS = pytest.mark.parametrize("codec", ENCODERS, ids=["gzip", "snappy", "lz4", "zstd"])


def _records(batch: bytes) -> list[Record]:
    return list(open_batch(batch, PARTITION).records)


def _undecodable(batch: bytes) -> Record:
    opened = open_batch(batch, PARTITION)
    [record] = opened.records
    assert record.fault == "undecodable_batch"
    assert (record.key, record.value, record.headers) == (None, None, ())
    assert record.wire_bytes == len(batch)
    assert opened.next_offset == record.following
    return record


@CODECS
def test_every_codec_is_read(codec: int) -> None:
    sent = [Raw(b"%d" % number * 40, headers=((b"ce_id", b"1"),)) for number in range(50)]
    batch = raw_batch(sent, codec=codec, payload=ENCODERS[codec](raw_body(sent)), base_offset=7)
    records = _records(batch)
    assert [record.value for record in records] == [each.value for each in sent]
    assert [record.offset for record in records] == list(range(7, 57))
    assert all(record.fault is None and record.headers == (("ce_id", b"1"),) for record in records)


def test_raw_snappy_is_read_too() -> None:
    payload = bytes(cramjam.snappy.compress_raw(raw_body([Raw(b"x")])))
    assert [record.value for record in _records(raw_batch([Raw(b"x")], codec=2, payload=payload))] == [b"x"]


@CODECS
def test_a_bomb_is_one_undecodable_run_and_costs_the_limit_at_most(codec: int) -> None:
    payload = ENCODERS[codec](bytes(BATCH_BYTES_LIMIT + 1))
    batch = raw_batch([Raw(b"x")] * 5, codec=codec, payload=payload, base_offset=30)
    tracemalloc.start()
    record = _undecodable(batch)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (record.offset, record.last_offset) == (30, 34)
    assert peak < 80 * 1024 * 1024


def test_34_kb_of_zstd_do_not_become_a_gibibyte() -> None:
    zeros = bytes(1 << 26)
    compressor = cramjam.zstd.Compressor(level=3)
    for _ in range(16):
        compressor.compress(zeros)
    payload = bytes(compressor.finish())
    assert len(payload) < 40_000
    with pytest.raises(Undecompressable):
        decompress(4, payload, BATCH_BYTES_LIMIT)


@CODECS
def test_exactly_the_limit_is_read(codec: int) -> None:
    payload = ENCODERS[codec](bytes(200_000))
    assert len(decompress(codec, payload, 200_000)) == 200_000
    with pytest.raises(Undecompressable):
        decompress(codec, payload, 199_999)


@CODECS
@pytest.mark.parametrize("damage", [lambda p: b"", lambda p: b"not compressed", lambda p: p[:-5]])
def test_what_does_not_decompress_is_one_undecodable_run(
    codec: int, damage: Callable[[bytes], bytes]
) -> None:
    payload = damage(ENCODERS[codec](raw_body([Raw(b"lost" * 30)] * 3)))
    record = _undecodable(raw_batch([Raw(b"lost")] * 3, codec=codec, payload=payload))
    assert (record.offset, record.last_offset) == (0, 2)


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_an_unknown_codec_is_one_undecodable_run(codec: int) -> None:
    _undecodable(raw_batch([Raw(b"x")], codec=codec))


def test_a_block_of_negative_length_does_not_hold_the_reader_up_for_ever() -> None:
    payload = snappy_encode(b"x" * 100)[:16] + struct.pack(">i", -4)
    _undecodable(raw_batch([Raw(b"x")], codec=2, payload=payload))


def test_ten_million_tiny_records_are_one_undecodable_run_whatever_the_header_says() -> None:
    tiny = raw_body([Raw(None, key=None)])
    told = raw_batch([Raw(b"")], codec=4, payload=zstd_encode(tiny), count=10_000_000)
    assert _undecodable(told).last_offset == 9_999_999
    hidden = raw_batch([Raw(b"")], codec=4, payload=zstd_encode(tiny * 3_000_000), count=BATCH_RECORDS_LIMIT)
    _undecodable(hidden)


def test_as_many_records_as_the_contract_allows_are_read() -> None:
    sent = [Raw(b"v" * 20, key=None)] * BATCH_RECORDS_LIMIT
    opened = open_batch(raw_batch(sent, codec=3, payload=lz4_encode(raw_body(sent))), PARTITION)
    assert opened.large
    assert sum(1 for record in opened.records if record.value == b"v" * 20) == BATCH_RECORDS_LIMIT


def test_one_record_more_than_the_contract_allows_makes_the_run_undecodable() -> None:
    sent = [Raw(b"v", key=None)] * (BATCH_RECORDS_LIMIT + 1)
    record = _undecodable(raw_batch(sent, codec=3, payload=lz4_encode(raw_body(sent))))
    assert record.last_offset == BATCH_RECORDS_LIMIT


@pytest.mark.parametrize("count", [0, 2, 4], ids=["none", "fewer", "more"])
def test_a_header_that_counts_other_records_than_there_are_makes_the_run_undecodable(count: int) -> None:
    body = raw_body([Raw(b"a"), Raw(b"b"), Raw(b"c")])
    _undecodable(raw_batch([Raw(b"")] * 3, payload=body, count=count, last_delta=2))


def test_records_with_one_offset_twice_make_the_run_undecodable() -> None:
    body = raw_body([Raw(b"a")]) + raw_body([Raw(b"b")])  # both with a delta of 0
    assert _undecodable(raw_batch([Raw(b"")] * 2, payload=body)).last_offset == 1


def test_a_record_beyond_the_runs_last_offset_makes_it_undecodable() -> None:
    body = raw_body([Raw(b"a"), Raw(b"b"), Raw(b"c")])
    assert _undecodable(raw_batch([Raw(b"")] * 3, payload=body, last_delta=1)).last_offset == 1


@pytest.mark.parametrize("length", [2**63 - 1, 2**62, 2**40, 1000, -(2**63)])
@pytest.mark.parametrize("field", ["key", "value", "headers", "name", "content"])
def test_a_forged_length_leads_nowhere(field: str, length: int) -> None:
    # aiokafka's reader of such numbers has no bounds: 2^40 ended the process, 2^63 - 1 was an OverflowError.
    forged = bytearray()
    encode_varint(length, forged.append)
    before = {"key": b"", "value": b"\x02k", "headers": b"\x02k\x02v", "name": b"\x02k\x02v\x02"}
    body = b"\0\0\0" + before.get(field, b"\x02k\x02v\x02\x02n") + forged + b"x" * 20
    prefix = bytearray()
    encode_varint(len(body), prefix.append)
    opened = open_batch(raw_batch([Raw(b"")], payload=bytes(prefix) + body), PARTITION)
    assert [record.fault in ("undecodable_batch", "headers") for record in opened.records] == [True]


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (b"\x00", 0),
        (b"\x01", -1),
        (b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 2**63 - 1),
        (b"\xff" * 9 + b"\x01", -(2**63)),
        (b"\xff" * 9 + b"\x7f", -(2**63)),
    ],
)
def test_a_number_is_read_as_aiokafka_reads_it_and_never_beyond_its_bytes(raw: bytes, number: int) -> None:
    assert decode_varint(b"\xff" + raw, 1) == (theirs(raw + bytes(10), 0)[0], len(raw) + 1)
    assert decode_varint(raw, 0)[0] == number
    with pytest.raises(IndexError):
        decode_varint(raw, len(raw))
    with pytest.raises(IndexError):
        decode_varint(b"\xff", 0)
    with pytest.raises(ValueError):
        decode_varint(b"\xff" * 11, 0)


def test_offsets_that_are_missing_in_a_batch_have_no_record() -> None:
    body = raw_body([Raw(b"a"), Raw(b"b"), Raw(b"c")], deltas=[1, 4, 5])
    opened = open_batch(raw_batch([Raw(b"")] * 3, payload=body, last_delta=7, base_offset=10), PARTITION)
    assert [record.offset for record in opened.records] == [11, 14, 15]
    assert opened.next_offset == 18


def test_control_batches_have_no_record() -> None:
    opened = open_batch(
        raw_batch([Raw(b"\0\0\0\0\0\0", key=b"\0\0\0\1")], codec=0x30, base_offset=5), PARTITION
    )
    assert (list(opened.records), opened.next_offset) == ([], 6)


def test_records_of_a_transaction_count_as_any_others() -> None:
    assert [record.value for record in _records(raw_batch([Raw(b"a")], codec=0x10))] == [b"a"]


def test_a_record_whose_headers_do_not_end_with_it_harms_no_neighbour() -> None:
    batch = raw_batch([Raw(b"a"), Raw(b"odd", headers=((b"n", b"v"),), broken=True), Raw(b"b")])
    before, odd, after = _records(batch)
    assert (before.value, odd.value, after.value) == (b"a", b"odd", b"b")
    assert (before.fault, odd.fault, after.fault) == (None, "headers", None)
    assert odd.headers == () and odd.wire_bytes == 5


def test_a_header_name_that_is_not_utf8_has_escapes_and_harms_no_neighbour() -> None:
    odd = Raw(b"odd", headers=((b"\xffname", b"v"), (b"ce_id", None)))
    before, record, after = _records(raw_batch([Raw(b"a"), odd, Raw(b"b")]))
    assert (record.fault, record.headers) == ("headers", (("\udcffname", b"v"), ("ce_id", None)))
    assert before.fault is after.fault is None


def test_millions_of_empty_headers_are_counted_and_not_kept() -> None:
    many = 2_000_000
    record = raw_body([Raw(b"v", raw_headers=b"\x00\x01" * many, header_count=many)])
    batch = raw_batch([Raw(b"")], codec=4, payload=zstd_encode(record))
    tracemalloc.start()
    [read] = _records(batch)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (read.fault, read.headers, read.value) == (None, (), b"v")
    assert (read.left_out, read.wire_bytes) == (many, 0)
    assert peak < 20 * 1024 * 1024


_COMMAND = ((b"ce_id", b"earlier"), (b"ce_type", b"t"), (b"rollstream-officer", b"sok"), (b"ce_id", b"\xff1"))
_MANY = {
    "140,000 empty ones": (b"\x00\x00" * 140_000, 140_000, None, 0),
    "300 kB in 12,000": ((b"\x02a\x30" + b"v" * 24) * 12_000, 12_000, None, 300_000),
    "long ones among short ones": (
        (b"\x06abc\x02x" + b"\x02b\x90\x03" + b"v" * 200) * 6_000,
        12_000,
        None,
        6_000 * 205,
    ),
    "300 kB in few": (b"".join((b"\x02a\xe0\xd4\x03", b"v" * 30_000)) * 10, 10, None, 300_010),
    "one of 20,000 has no UTF-8": (b"\x02\xff\x00" + b"\x00\x01" * 19_999, 20_000, "headers", 1),
    "the name of one of 20,000 is null": (b"\x01\x00" + b"\x00\x01" * 19_999, 20_000, "headers", 0),
    "fewer than it says": (b"\x00\x00" * 20_000, 20_001, "headers", None),
    "more than it says": (b"\x00\x00" * 20_001, 20_000, "headers", None),
}


@pytest.mark.parametrize(("raw", "count", "fault", "size"), _MANY.values(), ids=_MANY)
def test_a_record_is_read_in_one_way_whatever_its_producer_batched_with_it(
    monkeypatch: pytest.MonkeyPatch, raw: bytes, count: int, fault: str | None, size: int | None
) -> None:
    one = Raw(b"{}", headers=_COMMAND, raw_headers=raw, header_count=count)
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000)
    alone = _records(raw_batch([one]))[0]
    among = _records(raw_batch([one, Raw(bytes(2 * batches.ORDINARY_BYTES))]))[0]
    assert among == alone
    assert Message.of(among).chained(bytes(32)) == Message.of(alone).chained(bytes(32))
    assert alone.fault == fault
    letter = dict(dead_letter(alone, reason="r", detail="", service="registration").headers)
    if size is None:
        assert alone.headers == ()
        return
    ours = sum(len(name) + len(content) for name, content in _COMMAND)
    assert alone.size + alone.wire_bytes == len(b"key") + len(b"{}") + ours + size
    told = letter.get("rollstream-dlq-bytes")
    assert told == (str(alone.size + alone.wire_bytes).encode() if size > 256 * 1024 else None)
    message = Message.of(alone)
    assert (message.ce_id, message.ce_type, message.officer) == ("\udcff1", "t", "sok")
    assert message.too_large == (size > 60_000)


def test_a_dead_letter_says_how_many_of_very_many_headers_it_leaves_out() -> None:
    [read] = _records(
        raw_batch([Raw(b"no", headers=_COMMAND, raw_headers=bytes(40_000), header_count=20_000)])
    )
    letter = dead_letter(read, reason="json", detail="syntax", service="registration")
    assert letter.value == b"no" and letter.headers[:3] == read.headers
    assert dict(letter.headers)["rollstream-dlq-detail"] == b"syntax; 20001 left out"


def test_a_key_of_a_mebibyte_and_a_value_of_nine_are_read() -> None:
    [read] = _records(raw_batch([Raw(b"v" * (9 << 20), key=b"k" * (1 << 20))]))
    assert (len(read.key or b""), len(read.value or b"")) == (1 << 20, 9 << 20)
    assert read.size == 10 << 20


@pytest.mark.parametrize("at", [16, 21, 40, 61, -1])
def test_a_flipped_bit_is_damage_and_nobodys_message(at: int) -> None:
    batch = bytearray(raw_batch([Raw(b"value")]))
    batch[at] ^= 0x40
    if at == 16:
        return  # the format's number is not covered by the checksum
    with pytest.raises(Damaged):
        open_batch(bytes(batch), PARTITION)


def test_a_length_that_no_topic_takes_is_damage() -> None:
    batch = bytearray(raw_batch([Raw(b"value")]))
    for length in (-1, 0, 48, batches.MOST_WIRE_BYTES + 1):
        batch[8:12] = struct.pack(">i", length)
        with pytest.raises(Damaged):
            first_batch(bytes(batch))


def test_half_a_batch_is_none() -> None:
    batch = raw_batch([Raw(b"value")])
    assert first_batch(batch[:-1]) is None and first_batch(b"") is None
    assert first_batch(batch + batch[:9]) == batch


def test_the_broker_s_time_stamp_is_told_from_a_producer_s() -> None:
    appended, created = _records(raw_batch([Raw(b"a")], codec=8)), _records(raw_batch([Raw(b"a")]))
    assert appended[0].append_time and not created[0].append_time


def test_a_batch_that_may_not_be_opened_now_is_left_for_later() -> None:
    sent = [Raw(b"v" * 100)] * 20_000
    batch = raw_batch(sent, codec=3, payload=lz4_encode(raw_body(sent)))
    with pytest.raises(TooLargeNow):
        open_batch(batch, PARTITION, batches.ORDINARY_BYTES)
    assert len(_records(batch)) == 20_000


def test_a_batch_of_aiokafkas_own_reads_the_same_in_c_and_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    builder = DefaultRecordBatchBuilder(2, 1, False, -1, -1, -1, 1 << 20)
    for at in range(300):
        key = None if at % 3 else b"k%d" % at
        headers = [("ce_id", b"%d" % at), ("null", None), ("ឈ្មោះ", b"x")][: at % 4]
        builder.append(at, 1_700_000_000_000 + at, key, b"v" * at, headers)
    batch = checksummed(bytes(builder.build()))
    in_c = _records(batch)
    monkeypatch.setattr(batches, "_decode_in_c", lambda *_: None)
    assert _records(batch) == in_c
    assert len(in_c) == 300


@pytest.mark.parametrize("codec", [0, 1])
def test_a_message_of_an_old_format_is_read_or_undecodable(codec: int) -> None:
    from aiokafka.record.legacy_records import LegacyRecordBatchBuilder

    builder = LegacyRecordBatchBuilder(1, codec, 10_000)
    builder.append(0, 1_700_000_000_000, b"k", b"v")
    [record] = _records(bytes(builder.build()))
    if codec:
        assert (record.fault, record.last_offset) == ("undecodable_batch", 0)
    else:
        assert (record.key, record.value, record.append_time) == (b"k", b"v", False)


@pytest.mark.parametrize("length", [-2, -(2**31), 2, 2**31 - 1])
@pytest.mark.parametrize("at", [26, 31], ids=["key", "value"])
def test_a_message_of_an_old_format_with_a_forged_length_is_undecodable(length: int, at: int) -> None:
    from aiokafka.record.legacy_records import LegacyRecordBatchBuilder

    builder = LegacyRecordBatchBuilder(1, 0, 10_000)
    builder.append(0, 1_700_000_000_000, b"k", b"v")
    forged = bytearray(builder.build())
    forged[at : at + 4] = length.to_bytes(4, "big", signed=True)
    forged[12:16] = zlib.crc32(forged[16:]).to_bytes(4, "big")
    [record] = _records(bytes(forged))
    assert (record.fault, record.last_offset) == ("undecodable_batch", 0)


def test_gzip_in_members_is_read_as_one() -> None:
    body = raw_body([Raw(b"abc" * 50)])
    payload = gzip.compress(body[:40]) + gzip.compress(body[40:])
    assert [record.value for record in _records(raw_batch([Raw(b"")], codec=1, payload=payload))] == [
        b"abc" * 50
    ]


def test_a_message_of_an_old_format_whose_key_is_longer_than_it_is_undecodable() -> None:
    fields = struct.pack(">bbqi", 1, 0, 0, 65_535) + b"k"
    message = struct.pack(">I", zlib.crc32(fields)) + fields
    assert _undecodable(struct.pack(">qi", 4, len(message)) + message).offset == 4
    with pytest.raises(Damaged):
        open_batch(struct.pack(">qi", 4, len(message)) + bytes(4) + fields, PARTITION)
