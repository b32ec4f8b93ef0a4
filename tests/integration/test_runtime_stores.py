"""Progress in the store, outputs on the broker: what they promise when either is taken away or changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OutOfOrderSequenceNumber

from shared.process.errors import NotYet, StopService, StoreRolledBack, TransientError
from shared.process.settings import Settings
from shared.runtime.clients import make_reader, producer_options
from shared.runtime.first_records import FirstRecords
from shared.runtime.group_offsets import GroupOffsets
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output
from shared.store.mongo import IndexModel, InsertOne, Mongo, StoreWriteError, UpdateOne
from shared.store.progress import COLLECTION, ProgressStore
from tests.kit.raw_records import Raw, raw_batch, send_raw
from tests.kit.runtime_kit import fresh_topic, quick_settings


@pytest.fixture
async def mongo(engines: Any) -> AsyncIterator[Mongo]:
    store = Mongo(quick_settings(engines.bootstrap_servers, engines.mongo_uri).mongo, "test")
    yield store
    store.close()


def _topic_that_begins_with(sha256: str | None) -> Any:
    async def first_records(partitions: Collection[int]) -> Mapping[int, str | None]:
        return dict.fromkeys(partitions, sha256)

    return first_records


async def test_progress_is_zero_until_stored_and_then_read_again(mongo: Mongo) -> None:
    progress = ProgressStore(mongo, "s", "t", _topic_that_begins_with("aa"))
    assert await progress.load([0, 1]) == {0: 0, 1: 0}
    await progress.store({0: 5})
    await progress.check([0, 1])
    assert await ProgressStore(mongo, "s", "t", _topic_that_begins_with("aa")).load([0, 1]) == {0: 5, 1: 0}
    assert await ProgressStore(mongo, "other", "t", _topic_that_begins_with("bb")).load([0]) == {0: 0}
    (document,) = await mongo.find_by_ids(COLLECTION, ["s/t/0"])
    assert document.pop("owner")
    assert document == {"_id": "s/t/0", "next_offset": 5, "first_record_sha256": "aa"}


async def test_a_store_written_from_another_topic_is_refused(mongo: Mongo) -> None:
    progress = ProgressStore(mongo, "s", "t", _topic_that_begins_with("aa"))
    await progress.load([0])
    await progress.store({0: 5})
    for other in ("bb", None):
        with pytest.raises(StopService, match="another topic") as stopped:
            await ProgressStore(mongo, "s", "t", _topic_that_begins_with(other)).load([0])
        assert stopped.value.cause == "foreign_store"


async def test_a_store_dropped_or_restored_under_the_process_is_noticed_before_the_next_effect(
    mongo: Mongo,
) -> None:
    progress = ProgressStore(mongo, "s", "t", _topic_that_begins_with("aa"))
    await progress.load([0])
    await progress.store({0: 5})
    await mongo.write(COLLECTION, [UpdateOne({"_id": "s/t/0"}, {"$set": {"next_offset": 3}})])
    with pytest.raises(StoreRolledBack, match="is 3, but this process wrote 5"):
        await progress.check([0])
    await mongo.collection(COLLECTION).drop()
    with pytest.raises(StoreRolledBack, match="is gone, but this process wrote 5"):
        await progress.check([0])


@pytest.mark.parametrize("left", [None, 3])
async def test_a_store_dropped_or_restored_in_the_middle_of_a_batch_never_looks_complete(
    mongo: Mongo, left: int | None
) -> None:
    progress = ProgressStore(mongo, "s", "t", _topic_that_begins_with("aa"))
    await progress.load([0])
    await progress.store({0: 5})
    await progress.check([0])  # and now the store is taken away
    await mongo.collection(COLLECTION).drop()
    if left is not None:
        await mongo.write(COLLECTION, [InsertOne({"_id": "s/t/0", "next_offset": left})])
    with pytest.raises(StoreRolledBack):
        await progress.store({0: 9})
    restarted = ProgressStore(mongo, "s", "t", _topic_that_begins_with("aa"))
    assert await restarted.load([0]) == {0: left or 0}


async def test_a_store_dropped_during_the_very_first_batch_never_looks_complete(mongo: Mongo) -> None:
    progress = ProgressStore(mongo, "s", "t", _topic_that_begins_with("aa"))
    await progress.load([0])
    await mongo.collection(COLLECTION).drop()
    with pytest.raises(StoreRolledBack):
        await progress.store({0: 9})


async def test_a_process_that_lost_its_partition_tells_no_progress_of_it(mongo: Mongo) -> None:
    late = ProgressStore(mongo, "s", "t", _topic_that_begins_with("aa"))
    await late.load([0])
    late.forget([0])
    for asked in (late.check([0]), late.store({0: 9})):
        with pytest.raises(NotYet, match="another process's"):
            await asked
    assert await ProgressStore(mongo, "s", "t", _topic_that_begins_with("aa")).load([0]) == {0: 0}


async def test_the_progress_of_a_process_that_wakes_up_late_is_refused(mongo: Mongo) -> None:
    late = ProgressStore(mongo, "s", "t", _topic_that_begins_with("aa"))
    await late.load([0])
    owner = ProgressStore(mongo, "s", "t", _topic_that_begins_with("aa"))
    await owner.load([0])
    await owner.store({0: 9})
    for asked in (late.check([0]), late.store({0: 4}), late.store({0: 40})):
        with pytest.raises(NotYet, match="another process's"):
            await asked
    await late.check_all()  # the group will tell soon
    await owner.check([0])
    assert await owner.load([0]) == {0: 9}


async def test_a_store_that_was_dropped_and_written_anew_takes_no_progress_of_who_was_there_before(
    mongo: Mongo,
) -> None:
    paused = ProgressStore(mongo, "s", "t", _topic_that_begins_with("aa"))
    await paused.load([0])
    await paused.store({0: 5})
    await mongo.collection(COLLECTION).drop()
    owner = ProgressStore(mongo, "s", "t", _topic_that_begins_with("aa"))
    await owner.load([0])
    await owner.store({0: 7})
    with pytest.raises(NotYet, match="another process's"):
        await paused.store({0: 20})
    assert await owner.positions([0]) == {0: 7}


async def test_the_first_record_is_known_by_its_bytes_even_if_its_headers_cannot_be_read(
    engines: Any,
) -> None:
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    async with fresh_topic(engines.bootstrap_servers, partitions=2) as topic:
        first_records = FirstRecords(settings, topic.name, "test")
        assert await first_records([0, 1]) == {0: None, 1: None}
        await send_raw(topic.client, topic.name, 0, raw_batch([Raw(b"1", headers=((b"\xff", b""),))]))
        before = await first_records([0, 1])
        assert before[0] is not None
        assert before[1] is None
        await send_raw(topic.client, topic.name, 0, raw_batch([Raw(b"2")]))
        assert await first_records([0, 1]) == before
        await send_raw(topic.client, topic.name, 1, raw_batch([Raw(b"2")]))
        assert (await first_records([1]))[1] not in (None, before[0])


async def test_a_groups_offsets_are_told_to_who_holds_none_of_its_partitions(engines: Any) -> None:
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    settings = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"partitions": 2})})
    async with fresh_topic(engines.bootstrap_servers, partitions=2) as topic:
        group = f"{topic.name}-group"
        told = GroupOffsets(settings, topic.name, group, "test")
        consumer = AIOKafkaConsumer(
            bootstrap_servers=engines.bootstrap_servers, group_id=group, enable_auto_commit=False
        )
        await consumer.start()
        try:
            one = TopicPartition(topic.name, 1)
            consumer.assign([one])
            # Waits until the group has a coordinator: a new broker has yet to make its topic of offsets.
            assert await consumer.committed(one) is None
            assert await told() == {0: 0, 1: 0}
            await consumer.commit({one: 7})
        finally:
            await consumer.stop()
        assert await told() == {0: 0, 1: 7}


async def test_a_lost_guard_is_told_by_its_position_and_the_other_writes_are_done(mongo: Mongo) -> None:
    newer = UpdateOne({"_id": "a", "n": {"$lt": 5}}, {"$set": {"n": 5}}, upsert=True)
    older = UpdateOne({"_id": "a", "n": {"$lt": 3}}, {"$set": {"n": 3}}, upsert=True)
    other = UpdateOne({"_id": "b"}, {"$set": {"n": 1}}, upsert=True)
    assert await mongo.write("c", [newer]) == frozenset()
    assert await mongo.write("c", [older, other]) == {0}
    found = {one["_id"]: one["n"] for one in await mongo.find_by_ids("c", ["a", "b", "none"])}
    assert found == {"a": 5, "b": 1}


async def test_any_other_refused_write_is_an_error_that_does_not_repeat_the_value(mongo: Mongo) -> None:
    await mongo.collection("c").create_indexes([IndexModel([("phone", 1)], unique=True)])
    await mongo.write("c", [InsertOne({"_id": "a", "phone": "canary-012"})])
    with pytest.raises(StoreWriteError) as refused:
        await mongo.write("c", [InsertOne({"_id": "b", "phone": "canary-012"})])
    assert refused.value.codes == (11000,)
    assert "canary" not in str(refused.value)


async def _read_back(settings: Settings, topic: str, partitions: int) -> dict[int, list[bytes | None]]:
    reader = make_reader(settings, "test")
    await reader.start()
    held = [TopicPartition(topic, partition) for partition in range(partitions)]
    reader.assign(held)
    await reader.seek_to_beginning()
    ends = await reader.end_offsets(held)
    found: dict[int, list[bytes | None]] = {partition: [] for partition in range(partitions)}
    while any(len(found[tp.partition]) < ends[tp] for tp in held):
        for tp, records in (await reader.getmany(timeout_ms=200)).items():
            found[tp.partition] += [record.value for record in records]
    await reader.stop()
    return found


async def test_outputs_go_to_the_named_partition_in_order_and_are_there_when_send_returns(
    engines: Any,
) -> None:
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    async with fresh_topic(engines.bootstrap_servers, partitions=3) as topic:
        outputs = Outputs(settings, "test")
        await outputs.start()
        await outputs.send([Output(topic.name, n % 3, b"same", b"%d" % n) for n in range(300)])
        found = await _read_back(settings, topic.name, 3)
        await outputs.stop()
    assert found == {p: [b"%d" % n for n in range(300) if n % 3 == p] for p in range(3)}


async def test_a_producer_that_failed_is_made_anew(engines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    async with fresh_topic(engines.bootstrap_servers) as topic:
        outputs = Outputs(settings, "test")
        await outputs.send([Output(topic.name, 0, b"k", b"1")])
        first = outputs._producer
        assert first is not None
        first._message_accumulator.fail_all(OutOfOrderSequenceNumber())
        with pytest.raises(TransientError):
            await outputs.send([Output(topic.name, 0, b"k", b"2")])
        await outputs.send([Output(topic.name, 0, b"k", b"2")])
        assert outputs._producer is not first
        assert (await _read_back(settings, topic.name, 1))[0] == [b"1", b"2"]
        await outputs.stop()


async def test_an_output_for_a_topic_that_does_not_exist_waits_and_does_not_create_it(engines: Any) -> None:
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    async with fresh_topic(engines.bootstrap_servers) as topic:
        outputs = Outputs(settings, "test")
        with pytest.raises(TransientError, match="do not exist"):
            await outputs.send([Output(f"{topic.name}-none", 0, b"k", b"v")])
        assert f"{topic.name}-none" not in await topic.admin.list_topics()
        await outputs.stop()


async def test_an_output_that_the_broker_will_never_take_stops_the_service(engines: Any) -> None:
    settings = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    async with fresh_topic(engines.bootstrap_servers) as topic:
        outputs = Outputs(settings, "test")
        with pytest.raises(StopService, match="MessageSizeTooLargeError"):
            await outputs.send(
                [Output(topic.name, 0, b"k", b"v" * (producer_options(settings)["max_request_size"] + 1))]
            )
        await outputs.stop()
