"""Raw records through the real subscriber on a real broker: what anyone sends harms no neighbour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cramjam
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.codec import zstd_encode
from aiokafka.errors import UnknownError

from shared.runtime.dead_letters import dead_letter
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output
from tests.kit.raw_records import Raw, raw_batch, raw_body, send_raw
from tests.kit.runtime_kit import Remembers, fresh_topic, quick_settings, running, settled_to, until


async def _read(
    engines: Any, batches: Sequence[bytes], count: int, offsets: int | None = None
) -> tuple[Remembers, int | None]:
    """Send `batches` to one partition, run a service until `count` records came; the committed offset.

    `offsets`: how many offsets they take, if not as many as records.
    """
    handler = Remembers()
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    async with fresh_topic(engines.bootstrap_servers) as topic:
        for batch in batches:
            try:
                await send_raw(topic.client, topic.name, 0, batch)
            except UnknownError:
                pytest.skip("this broker refuses such a batch itself")
        async with running(settings, topic.name, topic.group, handler):
            await until(lambda: len(handler.got) >= count)
            await until(lambda: settled_to(topic, count if offsets is None else offsets))
        return handler, await topic.committed()


@pytest.mark.parametrize(
    ("name", "value"),
    [(b"a", None), (b"a", b"\xff\xfe\x00"), (b"", b""), ("ឈ្មោះ".encode(), b"x")],
    ids=["null", "binary", "empty", "khmer"],
)
async def test_odd_header_values_arrive_as_sent_and_harm_nobody(
    engines: Any, name: bytes, value: bytes
) -> None:
    odd = Raw(b"odd", headers=((name, value), (b"ce_id", b"1")))
    handler, committed = await _read(engines, [raw_batch([Raw(b"before"), odd, Raw(b"after")])], 3)
    assert handler.values() == [b"before", b"odd", b"after"]
    assert handler.got[1].headers == ((name.decode(), value), ("ce_id", b"1"))
    assert [record.fault for record in handler.got] == [None, None, None]
    assert committed == 3


async def test_a_header_name_that_is_not_utf8_is_delivered_as_faulty_between_its_neighbours(
    engines: Any,
) -> None:
    poison = Raw(b"poison", headers=((b"\xffname", b"v"), (b"ce_id", b"7")))
    batches = [raw_batch([Raw(b"a"), poison, Raw(b"b")]), raw_batch([Raw(b"c")]), raw_batch([poison])]
    handler, committed = await _read(engines, batches, 5)
    assert handler.values() == [b"a", b"poison", b"b", b"c", b"poison"]
    assert [record.fault for record in handler.got] == [None, "headers", None, None, "headers"]
    assert handler.got[1].headers == (("\udcffname", b"v"), ("ce_id", b"7"))
    assert [record.offset for record in handler.got] == [0, 1, 2, 3, 4]
    assert committed == 5


async def test_poison_in_one_partition_loses_nothing_that_was_ready_in_another(engines: Any) -> None:
    handler = Remembers()
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri, batch_size=50)
    async with fresh_topic(engines.bootstrap_servers, partitions=4) as topic:
        for partition in range(4):
            good = [Raw(b"%d-%d" % (partition, n)) for n in range(100)]
            good[40 + partition] = Raw(b"poison", headers=((b"\xc3\x28", None),))
            await send_raw(topic.client, topic.name, partition, raw_batch(good))
        async with running(settings, topic.name, topic.group, handler):
            await until(lambda: len(handler.got) >= 400)
            for partition in range(4):
                offsets = [record.offset for record in handler.got if record.partition == partition]
                assert offsets == list(range(100))
    assert sum(record.fault == "headers" for record in handler.got) == 4


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
async def test_every_compression_is_read(engines: Any, codec: str | None) -> None:
    handler = Remembers()
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    async with fresh_topic(engines.bootstrap_servers) as topic:
        producer = AIOKafkaProducer(
            bootstrap_servers=engines.bootstrap_servers, compression_type=codec, linger_ms=20
        )
        await producer.start()
        sent = [await producer.send(topic.name, b"x" * 500, partition=0) for _ in range(50)]
        for future in sent:
            await future
        await producer.stop()
        async with running(settings, topic.name, topic.group, handler):
            await until(lambda: len(handler.got) == 50)
            await until(lambda: settled_to(topic, 50))
    assert {record.value for record in handler.got} == {b"x" * 500}
    assert all(record.fault is None for record in handler.got)


async def test_compressed_poison_is_read_leniently_too(engines: Any) -> None:
    poison = Raw(b"poison", headers=((b"\xff", b"v"),))
    handler, committed = await _read(engines, [raw_batch([Raw(b"a"), poison, Raw(b"b")], codec=1)], 3)
    assert handler.values() == [b"a", b"poison", b"b"]
    assert [record.fault for record in handler.got] == [None, "headers", None]
    assert committed == 3


async def test_null_keys_and_null_values_arrive_as_null(engines: Any) -> None:
    handler, _ = await _read(engines, [raw_batch([Raw(None), Raw(b"", key=None), Raw(None, key=None)])], 3)
    assert [(record.key, record.value) for record in handler.got] == [
        (b"key", None),
        (None, b""),
        (None, None),
    ]


async def test_a_dead_letter_keeps_key_value_and_headers_and_says_where_it_came_from(engines: Any) -> None:
    odd = Raw(b"\xff\x00", key=None, headers=((b"n\xff", b"\x01"), (b"null", None)))
    handler, _ = await _read(engines, [raw_batch([odd, Raw(None, key=None)])], 2)
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    copies = Remembers()
    async with fresh_topic(engines.bootstrap_servers) as topic:
        outputs = Outputs(settings, "try")
        await outputs.start()
        letters = [dead_letter(record, reason="r", detail="d", service="s") for record in handler.got]
        await outputs.send([Output(topic.name, 0, one.key, one.value, one.headers) for one in letters])
        await outputs.stop()
        async with running(settings, topic.name, topic.group, copies):
            await until(lambda: len(copies.got) == 2)
    first, second = copies.got
    assert (first.key, first.value, second.key, second.value) == (None, b"\xff\x00", None, None)
    assert first.headers[0] == ("null", None), "a name that is not UTF-8 cannot be sent on"
    facts = dict(first.headers[1:])
    assert facts["rollstream-dlq-reason"] == b"r"
    assert facts["rollstream-dlq-detail"] == b"d; 1 left out"
    assert facts["rollstream-dlq-topic"] == handler.got[0].topic.encode()
    assert (facts["rollstream-dlq-partition"], facts["rollstream-dlq-offset"]) == (b"0", b"0")
    assert facts["rollstream-dlq-service"] == b"s"
    assert b"T" in (facts["rollstream-dlq-time"] or b"")


@pytest.mark.parametrize("codec", [4, 5], ids=["corrupt zstd", "unknown codec"])
async def test_a_batch_that_does_not_decompress_comes_out_as_one_record_for_its_run(
    engines: Any, codec: int
) -> None:
    unreadable = raw_batch([Raw(b"lost")] * 3, codec=codec, payload=b"not compressed at all")
    handler, committed = await _read(
        engines, [raw_batch([Raw(b"a")]), unreadable, raw_batch([Raw(b"b")])], 3, offsets=5
    )
    assert handler.values() == [b"a", None, b"b"]
    assert [record.fault for record in handler.got] == [None, "undecodable_batch", None]
    assert [(record.offset, record.last_offset) for record in handler.got] == [(0, None), (1, 3), (4, None)]
    assert handler.got[1].wire_bytes == len(unreadable)
    assert committed == 5


async def test_a_record_whose_headers_cannot_be_read_harms_no_neighbour(engines: Any) -> None:
    broken = raw_batch([Raw(b"a"), Raw(b"odd", broken=True), Raw(b"b")])
    handler, committed = await _read(engines, [broken, raw_batch([Raw(b"c")])], 4)
    assert handler.values() == [b"a", b"odd", b"b", b"c"]
    assert [record.fault for record in handler.got] == [None, "headers", None, None]
    assert committed == 4


async def test_a_bomb_is_one_record_and_reading_goes_on(engines: Any) -> None:
    compressor = cramjam.zstd.Compressor(level=3)
    for _ in range(16):
        compressor.compress(bytes(1 << 26))
    bomb = raw_batch([Raw(b"x")], codec=4, payload=bytes(compressor.finish()))
    assert len(bomb) < 40_000
    handler, committed = await _read(engines, [bomb, raw_batch([Raw(b"after")])], 2)
    assert [(record.fault, record.value) for record in handler.got] == [
        ("undecodable_batch", None),
        (None, b"after"),
    ]
    assert committed == 2


async def test_a_key_of_a_mebibyte_and_a_value_of_nine_are_read(engines: Any) -> None:
    value = b"v" * (9 << 20)
    body = raw_body([Raw(value, key=b"k" * (1 << 20)), Raw(b"next")])
    batch = raw_batch([Raw(b"")] * 2, codec=4, payload=zstd_encode(body))
    handler, _ = await _read(engines, [batch], 2)
    assert [record.size for record in handler.got] == [10 << 20, 7]
