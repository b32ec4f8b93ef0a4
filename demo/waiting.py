"""Waits for the services by what the broker's admin client and the store say, never by time alone."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from client.topics import admin_options
from demo.measure import read_all
from shared.contracts.cloudevents import header
from shared.contracts.events import EventType, Marker
from shared.contracts.topics import Topic
from shared.process.settings import Settings
from shared.runtime.clients import make_reader
from shared.store.mongo import Mongo

GROUPS = (
    ("rollstream-registration", Topic.EVENTS),
    ("rollstream-dedup", Topic.ACCEPTED),
    ("rollstream-publisher", Topic.CHECKED),
)
"""Each service's consumer group and topic, in the order in which records pass them."""

POLL_SECONDS = 0.25


async def group_lags(settings: Settings, group: str, topic: str) -> dict[int, int]:
    """End offset less committed offset of each partition, as the broker tells them."""
    admin = AIOKafkaAdminClient(**admin_options(settings))
    reader = make_reader(settings, "rollstream-demo")
    await admin.start()
    await reader.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(settings.kafka.partitions)]
        ends = await reader.end_offsets(partitions)
        committed = await admin.list_consumer_group_offsets(group, partitions=partitions)
        # Not committed yet: one broker says -1, another leaves the partition out.
        offsets = {each: max(0, committed[each].offset) if each in committed else 0 for each in partitions}
        return {each.partition: ends[each] - offsets[each] for each in partitions}
    finally:
        await reader.stop()
        await admin.close()


async def settled(settings: Settings) -> None:
    """Return when every group has committed all that lies on its topic.

    In the order of the flow: when a group is done, its outputs are acknowledged, so that the ends of the next
    topic do not move any more.
    """
    for group, topic in GROUPS:
        while any((await group_lags(settings, group, topic)).values()):  # noqa: ASYNC110 the broker has no event for it
            await asyncio.sleep(POLL_SECONDS)


async def epoch_complete(settings: Settings, epoch: int) -> None:
    """Return when the epoch's marker lies in every partition of the checked records."""
    while True:
        seen = {
            message.partition
            for message in await read_all(settings, Topic.CHECKED)
            if header(message.headers, "ce_type") == EventType.MARKER.encode()
            and Marker.model_validate_json(message.value or b"").epoch >= epoch
        }
        if len(seen) == settings.kafka.partitions:
            return
        await asyncio.sleep(POLL_SECONDS)


async def verdicts_of(mongo: Mongo, command_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The stored verdicts of these commands, once none of them is open."""
    while True:
        found = {document["_id"]: document for document in await mongo.find_by_ids("commands", command_ids)}
        if len(found) == len(set(command_ids)) and all(each["verdict"] != "open" for each in found.values()):
            return found
        await asyncio.sleep(POLL_SECONDS)


async def published(mongo: Mongo, command_id: str) -> None:
    """Return when the version that a `finalised` made is on its topics, its roll manifest last."""
    query = {"command_id": command_id, "state": "published"}
    while await mongo.collection("rolls").find_one(query) is None:  # noqa: ASYNC110 the store has no event
        await asyncio.sleep(POLL_SECONDS)
