"""What lies at an offset of `registration.events.v1`, and what became of it where that was accepted.

An accepted event has no outcome of its own: it lies in its registration's history, or in its batch's closes.
The record itself says in which.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.contracts.topics import Topic
from shared.runtime.record import Record

if TYPE_CHECKING:
    from shared.process.settings import Settings
    from shared.store.mongo import Mongo

_PROGRESS = f"registration/{Topic.EVENTS.value}"


@dataclass(frozen=True, slots=True)
class Lying:
    """The first record at or after an offset, None at the end, and where its partition begins and ends."""

    record: Record | None
    begin: int
    end: int


RecordAt = Callable[[int, int], Awaitable[Lying | None]]
"""Partition and offset → what lies there; None where there is no such partition."""


async def record_at(settings: Settings, partition: int, offset: int) -> Lying | None:
    """Read one record of the input. Raises aiokafka's KafkaError if no broker answers."""
    # Most ids that are looked up need the store alone.
    from aiokafka import TopicPartition

    from client.topics import partitions_of
    from shared.runtime.clients import connection_options, reader_options
    from shared.runtime.tolerant import TolerantConsumer

    # The consumer is not asked: on Apache Kafka it knows of no partitions before one is assigned to it.
    if partition >= partitions_of(settings, Topic.EVENTS):
        return None
    at = TopicPartition(Topic.EVENTS.value, partition)
    consumer = TolerantConsumer(
        **connection_options(settings.kafka, "rollstream-find"),
        **reader_options(settings),
        group_id=None,
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        if Topic.EVENTS.value not in await consumer.topics():
            return None
        consumer.assign([at])
        begin = (await consumer.beginning_offsets([at]))[at]
        end = (await consumer.end_offsets([at]))[at]
        if begin <= offset < end:
            consumer.seek(at, offset)
            while await consumer.position(at) < end:
                for record in await consumer.poll(timeout_ms=1000, max_records=1):
                    return Lying(record, begin, end)
        return Lying(None, begin, end)
    finally:
        await consumer.stop()


async def at_offset(mongo: Mongo, wanted: str, read: RecordAt) -> dict[str, Any] | None:
    """What is known of `<partition>/<offset>` that has no outcome of its own; None if that is no offset."""
    place = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,18})", wanted)
    if place is None:
        return None
    partition, offset = int(place[1]), int(place[2])
    lying = await read(partition, offset)
    if lying is None:
        return None
    if offset >= lying.end:
        return {"outcome": None, "note": f"nothing lies there yet: the partition ends at {lying.end}"}
    if offset < lying.begin:
        return {"outcome": None, "note": f"no longer on the topic: the partition begins at {lying.begin}"}
    if lying.record is None or lying.record.offset != offset:
        return {"outcome": None, "note": "a control record of a producer's transaction: it has no outcome"}
    found = await _in_registration(mongo, lying.record) or await _in_batch(mongo, lying.record)
    if found is not None:
        return {"outcome": "accepted", **found}
    settled = await mongo.find_by_ids("progress", [f"{_PROGRESS}/{partition}"])
    next_offset = settled[0]["next_offset"] if settled else 0
    if next_offset <= offset:
        note = f"not settled yet: registration has settled this partition up to {next_offset - 1}"
        return {
            "outcome": None,
            "note": note if next_offset else "not settled yet: registration has not begun",
        }
    return {
        "outcome": None,
        "note": "settled, but the store has no outcome of it: look for others' writes to the store",
    }


async def _in_registration(mongo: Mongo, record: Record) -> dict[str, Any] | None:
    key = (record.key or b"").decode("utf-8", "replace")
    for document in await mongo.find_by_ids("registrations", [key], {"history": 1}):
        for version in document["history"]:
            if (version["partition"], version["offset"]) == (record.partition, record.offset):
                names = ("type", "event_source", "event_id", "revision", "status", "digest", "epoch")
                return {"registration_id": key, **{name: version[name] for name in names}}
    return None


async def _in_batch(mongo: Mongo, record: Record) -> dict[str, Any] | None:
    data = _data(record)
    batch = f"{data.get('device')}/{data.get('batch')}"
    for document in await mongo.find_by_ids("capture_batches", [batch], {"closes": 1}):
        for close in document["closes"]:
            if (close["partition"], close["offset"]) == (record.partition, record.offset):
                names = ("event_source", "event_id", "office", "count")
                return {"batch": batch, **{name: close[name] for name in names}}
    return None


def _data(record: Record) -> Mapping[str, Any]:
    """The event's data in either mode, as far as they are an object."""
    try:
        value = json.loads(record.value or b"")
    except (ValueError, RecursionError):
        return {}
    data = value.get("data", value) if isinstance(value, dict) else None
    return data if isinstance(data, dict) else {}
