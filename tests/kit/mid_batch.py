"""Stops a service in the middle of its work: effects stored and progress not, lists out and manifest not."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiokafka import TopicPartition

from demo import steps
from demo.measure import read_all
from demo.state import ROLL
from demo.waiting import GROUPS, group_lags
from shared.contracts.topics import Topic
from shared.runtime.clients import make_reader
from tests.kit.pipeline import Pipeline

TRIES = 6
CHUNK = 80
SLICE_SECONDS = 0.004
"""How long a service runs between two looks: a batch takes it many times that."""

TOPIC_OF = {group.removeprefix("rollstream-"): topic for group, topic in GROUPS}

Place = tuple[int, int]
"""Partition and offset on the service's topic."""


async def freeze_in_mid_batch(register: Pipeline, name: str) -> set[Place]:
    """Freeze a service once effects of a batch are stored and its progress is not.

    Answers where the records lie whose effects are stored already. It is let run a moment at a time over a
    part of the stream that lies ready; where it was never met within a batch, over the next part.
    """
    for _ in range(TRIES):
        register.hold(name)
        await register.send(CHUNK)
        await _others_settled(register, name)
        records = await read_all(register.demo.settings, TOPIC_OF[name])
        async with asyncio.timeout(60):
            while await unsettled(register, name, records):
                register.release(name)
                await asyncio.sleep(SLICE_SECONDS)
                register.hold(name)
                if found := await begun(register, name, records):
                    return found
    raise AssertionError(f"{name} was never met in the middle of a batch")


async def begun(register: Pipeline, name: str, records: Sequence[Any] | None = None) -> set[Place]:
    """The records of a service's topic that have effects in the store and are not below its progress."""
    if records is None:
        records = await read_all(register.demo.settings, TOPIC_OF[name])
    return {
        (record.partition, record.offset)
        for record in await unsettled(register, name, records)
        if await HAS_EFFECT[name](register, record)
    }


async def unsettled(register: Pipeline, name: str, records: Sequence[Any]) -> list[Any]:
    """Those of the records that are not below the service's stored progress."""
    prefix = f"{name}/{TOPIC_OF[name].value}/"
    progress: dict[int, int] = {}
    async for document in register.demo.mongo.collection("progress").find({}):
        if document["_id"].startswith(prefix):
            progress[int(document["_id"].removeprefix(prefix))] = document["next_offset"]
    return [record for record in records if record.offset >= progress.get(record.partition, 0)]


async def _others_settled(register: Pipeline, name: str) -> None:
    """Wait until all that comes before the service is done with what was sent."""
    for group, topic in GROUPS:
        if topic == TOPIC_OF[name]:
            return
        async with asyncio.timeout(60):
            while any((await group_lags(register.demo.settings, group, topic)).values()):  # noqa: ASYNC110
                await asyncio.sleep(0.1)


async def _registered(register: Pipeline, record: Any) -> bool:
    entry = {"partition": record.partition, "offset": record.offset}
    query = {"history": {"$elemMatch": entry}}
    return await register.demo.mongo.collection("registrations").find_one(query) is not None


def _source(record: Any) -> tuple[str, int] | None:
    value = json.loads(record.value)
    return (value["registration_id"], value["source"]["offset"]) if "source" in value else None


async def _conflict(register: Pipeline, record: Any) -> bool:
    if (source := _source(record)) is None:
        return False
    async for conflict in register.demo.mongo.collection("conflicts").find(
        {"pair.registration_id": source[0]}
    ):
        at = [version["registration_id"] for version in conflict["pair"]].index(source[0])
        if conflict["as_of"][("first_source", "second_source")[at]] == source[1]:
            return True
    return False


async def _on_roll(register: Pipeline, record: Any) -> bool:
    if (source := _source(record)) is None:
        return False
    document = await register.demo.mongo.collection("roll").find_one({"_id": source[0]})
    slots = document["slots"] if document else []
    return any(slot["last"]["offset"] == source[1] for slot in slots)


HAS_EFFECT: dict[str, Callable[[Pipeline, Any], Awaitable[bool]]] = {
    "registration": _registered,
    "dedup": _conflict,
    "publisher": _on_roll,
}
"""Whether the first effect that a service has of a record is in the store."""


async def kill_in_mid_batch(register: Pipeline, name: str) -> set[Place]:
    """Kill a service in the middle of a batch; answers the records whose effects are stored, progress not."""
    for _ in range(TRIES):
        await freeze_in_mid_batch(register, name)
        await register.kill(name)
        if found := await begun(register, name):
            return found
        await register.start(name)  # its last request to the store was the progress
    raise AssertionError(f"{name} always settled its batch")


async def freeze_while_publishing(register: Pipeline) -> "asyncio.Task[None]":
    """Finalise, and freeze the publisher once a list is on its topic and the roll manifest is not.

    Answers what waits for the publication.
    """
    settings = register.demo.settings
    lists = [TopicPartition(Topic.LISTS.value, number) for number in range(settings.kafka.partitions)]
    reader = make_reader(settings, "tests")
    await reader.start()
    try:
        register.hold("publisher")
        finalising = asyncio.create_task(steps.publish(register.demo))
        async with asyncio.timeout(60):
            while not any((await reader.end_offsets(lists)).values()):
                register.release("publisher")
                await asyncio.sleep(SLICE_SECONDS)
                register.hold("publisher")
    finally:
        await reader.stop()
    manifests = {record.key for record in await read_all(register.demo.settings, Topic.MANIFESTS)}
    assert f"{ROLL}/1".encode() not in manifests, "the version was published before"
    return finalising


async def copies_of_lists(register: Pipeline) -> dict[bytes, list[bytes]]:
    """Every value that lies on the lists' topic, by key."""
    copies: dict[bytes, list[bytes]] = {}
    for record in await read_all(register.demo.settings, Topic.LISTS):
        copies.setdefault(record.key or b"", []).append(record.value or b"")
    return copies


def starts_of(register: Pipeline, name: str, instance: int = 1) -> list[dict[int, int]]:
    """Where each life of a service, or each assignment in it, began to read, by its log."""
    lines = (register.directory / "logs" / f"{name}-{instance}.log").read_text().splitlines()
    starts = [json.loads(line)["offsets"] for line in lines if '"event": "reading"' in line]
    return [{int(partition): offset for partition, offset in each.items()} for each in starts]
