"""The sender's own batches: any header name, any compression."""

import pytest
from aiokafka.record.default_records import DefaultRecordBatch

from client.sender import CODECS, RecordSender, _OwnBatch
from client.wire import ProducerRecord, to_record
from simulator import DEMO_RATES, generate_stream


def test_a_header_name_that_is_not_utf8_is_sent_as_its_bytes() -> None:
    record = ProducerRecord(b"k", b"v", ((b"x-\xff\xfe", b"1"), (b"x-null", None)))
    built = bytes(_OwnBatch(record)._build())
    # Lengths 4 and 2 as zigzag varints before name and content, -1 for null.
    assert b"\x08x-\xff\xfe\x021" in built
    assert b"\x0cx-null\x01" in built


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_record_travels_in_the_compression_asked_for(codec: str) -> None:
    stream = generate_stream(events=2000, seed=2, rates=DEMO_RATES)
    records = [to_record(line) for line in stream.lines]
    record = next(record for record in records if record.compression == codec)
    batch = DefaultRecordBatch(bytes(_OwnBatch(record)._build()))
    assert batch.compression_type == CODECS[codec]
    (read,) = list(batch)
    assert (read.key, read.value) == (record.key, record.value)
    assert [(name.encode(), content) for name, content in read.headers] == list(record.headers)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (ProducerRecord(b"k", b"v", compression="brotli"), "compression"),
        (ProducerRecord(b"k", b"v", partition=1), "no partition 1"),
        (ProducerRecord(b"k", b"v", partition=-1), "no partition -1"),
    ],
)
async def test_what_cannot_be_sent_is_refused_before_anything_is(record: ProducerRecord, why: str) -> None:
    sender = RecordSender("topic", 1, bootstrap_servers="127.0.0.1:1")
    with pytest.raises(ValueError, match=why):
        await sender.send(record)


@pytest.mark.parametrize(
    "member",
    [
        '"partition":"1"',
        '"partition":true',
        '"compression":[]',
        '"key":7',
        '"value":"YQ"',
        '"headers":[["YQ=="]]',
    ],
)
def test_a_wrapped_record_of_another_shape_is_refused(member: str) -> None:
    whole = {
        "key": '"key":null',
        "value": '"value":null',
        "headers": '"headers":[]',
        "partition": '"partition":null',
        "compression": '"compression":null',
    }
    to_record(('{"raw":{' + ",".join(whole.values()) + "}}").encode())
    whole[member.split('"')[1]] = member
    with pytest.raises(ValueError):
        to_record(('{"raw":{' + ",".join(whole.values()) + "}}").encode())
