"""A service that dies in the middle of a batch leaves no trace in outcomes and lists."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cli.demo.measure import read_all
from cli.demo.waiting import GROUPS, group_lags
from cli.engines import Engines, LocalEngine
from shared.contracts.topics import Topic
from tests.pipeline import Pipeline, pipeline

TRIES = 12
CHUNK = 60
TOPIC_OF = {group.removeprefix("rollstream-"): topic for group, topic in GROUPS}
EFFECTS = {"registration": "registrations", "dedup": "conflicts", "publisher": "roll"}
"""The collection in which a service's first effects of a batch show."""

Place = tuple[int, int]


async def unsettled(register: Pipeline, name: str) -> list[Any]:
    """The records of the service's topic at and above its stored progress."""
    topic = TOPIC_OF[name]
    prefix = f"{name}/{topic}/"
    progress: dict[int, int] = {}
    async for document in register.demo.mongo.collection("progress").find({}):
        if document["_id"].startswith(prefix):
            progress[int(document["_id"].removeprefix(prefix))] = document["next_offset"]
    records = await read_all(register.demo.settings, Topic(topic))
    return [record for record in records if record.offset >= progress.get(record.partition, 0)]


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


async def kill_in_mid_batch(register: Pipeline, name: str) -> set[Place]:
    """Kill a service once effects of a batch are stored and its progress is not.

    Answers where the records lie whose effects are stored already. A moment that was missed is tried again
    with more of the stream.
    """
    effects = register.demo.mongo.collection(EFFECTS[name])
    for _ in range(TRIES):
        before = await effects.count_documents({})
        await register.send(CHUNK)
        async with asyncio.timeout(30):
            while await effects.count_documents({}) == before:
                await register.send(1)
        await register.kill(name)
        found = {
            (record.partition, record.offset)
            for record in await unsettled(register, name)
            if await HAS_EFFECT[name](register, record)
        }
        if found:
            return found
        await register.start(name)
    raise AssertionError(f"{name} was never met in the middle of a batch")


def last_start(register: Pipeline, name: str) -> dict[int, int]:
    """Where the service's newest life began to read, by its log."""
    lines = (register.directory / "logs" / f"{name}-1.log").read_text().splitlines()
    [*_, start] = [json.loads(line) for line in lines if '"event": "reading"' in line]
    return {int(partition): offset for partition, offset in start["offsets"].items()}


@pytest.mark.parametrize("name", ["registration", "dedup", "publisher"])
async def test_a_killed_service_repeats_what_it_had_begun_and_the_lists_are_the_same(
    fresh_engines: Engines[LocalEngine], tmp_path: Path, name: str
) -> None:
    async with pipeline(fresh_engines, tmp_path, events=1500) as register:
        await register.start_all()
        begun = await kill_in_mid_batch(register, name)
        lags = await group_lags(register.demo.settings, f"rollstream-{name}", TOPIC_OF[name])
        assert sum(lags.values()) > 0, "nothing was uncommitted at the kill"

        await register.start(name)
        start = last_start(register, name)
        assert any(offset >= start[partition] for partition, offset in begun), "nothing was read again"

        await register.send()
        await register.finish()
        result, differences = await register.judged()
        assert differences == []
        assert result.lists
