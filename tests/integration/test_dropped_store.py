"""The log is the truth: a dropped database comes back the same, and nothing is sent anew."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition

from client.topics import partitions_of
from demo.measure import read_all
from engines import Engines, LocalEngine
from shared.contracts.topics import Topic
from shared.runtime.clients import make_reader
from shared.runtime.outputs import Outputs
from tests.kit.accepted import correction
from tests.kit.pipeline import Pipeline, pipeline

OUTPUTS = tuple(topic for topic in Topic if topic not in (Topic.EVENTS, Topic.COMMANDS, Topic.OPERATIONS))


async def ends(register: Pipeline) -> dict[TopicPartition, int]:
    """The end offset of every partition that services write."""
    settings = register.demo.settings
    reader = make_reader(settings, "tests")
    await reader.start()
    try:
        partitions = [
            TopicPartition(topic.value, number)
            for topic in OUTPUTS
            for number in range(partitions_of(settings, topic))
        ]
        found: dict[TopicPartition, int] = await reader.end_offsets(partitions)
        return found
    finally:
        await reader.stop()


async def sent_twice(register: Pipeline, topic: Topic) -> set[bytes]:
    """The ids of the outputs that lie on the topic more than once."""
    records = await read_all(register.demo.settings, topic)
    times = Counter(dict(record.headers)["ce_id"] or b"" for record in records)
    return {each for each, count in times.items() if count > 1}


async def mid_stream_backup(register: Pipeline, count: int) -> dict[str, list[dict[str, Any]]]:
    """Send some of the stream and take a backup of the database while the services are at it."""
    await register.send(count)
    async with asyncio.timeout(30):
        while not await register.demo.mongo.collection("roll").find_one({}):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    for name in register.demo.services:
        register.hold(name)
    await asyncio.sleep(0.5)  # what was asked of the store is done
    backup = await register.back_up()
    for name in register.demo.services:
        register.release(name)
    return backup


async def correct_a_decided_one(register: Pipeline) -> None:
    """Correct someone after two officers decided on them: the question is open again, if not as a claim."""
    mongo = register.demo.mongo
    decided = await mongo.collection("conflicts").find_one(
        {"status": "decided", "decision.decision": "same_person"}, sort=[("_id", 1)]
    )
    assert decided is not None
    [kept] = await mongo.find_by_ids("registrations", [decided["decision"]["keep"]])
    outputs = Outputs(register.demo.settings, "tests")
    await outputs.send([correction(kept)])
    await outputs.stop()
    await register.settle()
    again = await mongo.collection("conflicts").find_one(
        {"status": "open", "class": "reported", "pair.registration_id": kept["_id"]}
    )
    assert again is not None


async def test_a_dropped_database_and_an_old_backup_come_back_the_same_and_nothing_is_sent_anew(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    async with pipeline(fresh_engines, tmp_path) as register:
        await register.start_all()
        backup = await mid_stream_backup(register, 350)
        await register.send()
        await register.finish()
        await correct_a_decided_one(register)
        await register.quiet()
        before, sent = await register.dump(), await ends(register)
        assert 0 < len(backup["registrations"]) < len(before["registrations"])

        for store in ({}, backup):
            await register.stop_all()
            await register.restore(store)
            await register.start_all()
            await register.caught_up(len(before["rolls"]))
            await register.quiet()
            after = await register.dump()

            for collection in before:
                assert after[collection] == before[collection], f"{collection} came back another"
            assert await ends(register) == sent
        report = await register.audited()
        assert report.holds, report.broken


SMALL_BATCHES = {"ROLLSTREAM_RUNTIME__BATCH_SIZE": "25"}
"""So that what is new in one partition is judged long before what is old in another is read again."""

FIRST_EFFECTS = {
    "registration": ("registrations", "outcomes", "capture_batches", "epochs"),
    "dedup": ("conflicts",),
    "publisher": ("roll", "claims", "roll_epochs", "rolls", "commands"),
}


async def test_a_database_dropped_under_running_services_ends_each_before_any_effect_and_is_rebuilt(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    async with pipeline(fresh_engines, tmp_path, settings_of_services=SMALL_BATCHES) as register:
        await register.start_all()
        await register.send(500)
        await register.settle()
        await register.drop_store()
        await register.send()
        for name, collections in FIRST_EFFECTS.items():
            assert await register.exit_code(name) == 1
            for each in collections:
                assert await register.demo.mongo.collection(each).count_documents({}) == 0, each
            log = (tmp_path / "logs" / f"{name}-1.log").read_text().splitlines()
            causes = [each["cause"] for each in map(json.loads, log) if each["event"] == "service stops"]
            assert causes == ["store_rolled_back"]
            await register.start(name)

        await register.finish()
        for topic in (Topic.ACCEPTED, Topic.REJECTED, Topic.CHECKED):
            assert await sent_twice(register, topic) == set()
        letters = await read_all(register.demo.settings, Topic.DEAD_LETTERS)
        places = [dict(each.headers)["rollstream-dlq-offset"] for each in letters]
        assert len({(each.partition, at) for each, at in zip(letters, places, strict=True)}) == len(letters)
        report = await register.audited()
        assert report.holds, report.broken
