"""Reads a register's topics from a broker, with nothing but aiokafka, into a log and what came of it."""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from audit.log import Log, LogRecord, PassedOn, SeenClaim, Topics, header
from audit.markers import MARKER
from audit.model import passed_on
from shared.contracts.outputs import Claim, OutputType
from shared.contracts.topics import Topic

CLAIMS = "rollstream.registration.claims.v1"
"""Type of what carries the claims that a checked record has no room for."""

LOG_APPEND_TIME = 1
MANY = 1000
"""Records that are read at once, as long as all can be decoded."""


Runs = Mapping[tuple[int, int], int]
"""Batches that no reader may open, as whoever sent them knows: partition and first offset → last offset."""


async def read_register(
    register: str, founding: str, bootstrap_servers: str, runs: Runs | None = None, **client: Any
) -> tuple[Log, list[SeenClaim], Topics]:
    """Everything that lies on the topics now: the log, the claims, and what the services sent.

    `founding` is the SHA-256 of the officers' file that creates the register, `runs` are of the events;
    `client` goes to AIOKafkaConsumer (SASL, TLS).
    """
    found: dict[Topic, list[LogRecord]] = {}
    for topic in Topic:
        if topic not in (Topic.DEAD_LETTERS, Topic.OPERATIONS):
            closed = (runs or {}) if topic == Topic.EVENTS else {}
            found[topic] = await read_topic(topic.value, bootstrap_servers, closed, **client)
    partitions = await count_partitions(Topic.EVENTS.value, bootstrap_servers, **client)
    log = Log(register, founding, partitions, found[Topic.EVENTS], found[Topic.COMMANDS])
    return log, seen_claims(found[Topic.CHECKED]), topics_of(found)


async def read_topic(
    topic: str, bootstrap_servers: str, runs: Runs | None = None, **client: Any
) -> list[LogRecord]:
    """Every record of a topic, one partition after the other, up to its end as it is now."""
    records: list[LogRecord] = []
    for number in range(await count_partitions(topic, bootstrap_servers, **client)):
        consumer = _consumer(bootstrap_servers, **client)
        partition = TopicPartition(topic, number)
        consumer.assign([partition])
        await consumer.start()
        try:
            end = (await consumer.end_offsets([partition]))[partition]
            consumer.seek(partition, (await consumer.beginning_offsets([partition]))[partition])
            at_once = MANY
            ahead = {first: last for (where, first), last in (runs or {}).items() if where == number}
            while (position := await consumer.position(partition)) < end:
                if (last := ahead.pop(position, None)) is not None:
                    run = LogRecord(number, position, 0, None, None, (), "undecodable_batch", last)
                    records.append(run)
                    consumer.seek(partition, last + 1)
                    continue
                most = min([at_once, *(first - position for first in ahead)])
                try:
                    batch = await consumer.getmany(partition, timeout_ms=1000, max_records=most)
                    records += [_record(raw) for raw in batch.get(partition, []) if raw.offset < end]
                except UnicodeDecodeError:  # a header name that is not UTF-8; what was read with it is lost
                    if most == 1:  # so it is this very record, and it travels in a batch of its own
                        records.append(LogRecord(number, position, 0, None, None, (), fault="headers"))
                        position += 1
                    at_once = MANY if most == 1 else 1
                    consumer.seek(partition, position)
        finally:
            await consumer.stop()
    return records


async def count_partitions(topic: str, bootstrap_servers: str, **client: Any) -> int:
    """How many partitions a topic has, 0 where there is no such topic."""
    consumer = _consumer(bootstrap_servers, **client)
    await consumer.start()
    try:
        if topic not in await consumer.topics():
            return 0
        await consumer._client.set_topics([topic])
        return len(consumer.partitions_for_topic(topic) or ())
    finally:
        await consumer.stop()


def seen_claims(checked: list[LogRecord]) -> list[SeenClaim]:
    """The claims of every checked record and of those that carry the rest, each as often as written."""
    values = [json.loads(record.value or b"") for record in _of_type(checked, OutputType.CHECKED, CLAIMS)]
    return [
        SeenClaim(value["registration_id"], value["digest"], Claim.model_validate(claim))
        for value in values
        for claim in value["claims"]
    ]


def topics_of(found: dict[Topic, list[LogRecord]]) -> Topics:
    """What the services sent, by what it is compared by."""
    accepted, rejected = defaultdict(list), defaultdict(list)
    markers: dict[int, list[PassedOn]] = defaultdict(list)
    for record in _of_type(found[Topic.ACCEPTED], OutputType.ACCEPTED):
        accepted[_source(record)].append(record.value or b"")
    for record in _of_type(found[Topic.ACCEPTED], MARKER):
        markers[record.partition].append(passed_on(record))
    for record in _of_type(found[Topic.REJECTED], OutputType.REJECTED):
        rejected[_source(record)].append(record.value or b"")
    return Topics(
        accepted,
        rejected,
        _by_key(found[Topic.RECEIPTS]),
        _by_key(found[Topic.LISTS]),
        _by_key(found[Topic.MANIFESTS]),
        markers,
    )


def _of_type(records: list[LogRecord], *ce_types: str) -> list[LogRecord]:
    types = {ce_type.encode() for ce_type in ce_types}
    return [record for record in records if header(record.headers, "ce_type") in types]


def _source(record: LogRecord) -> tuple[int, int]:
    source = json.loads(record.value or b"")["source"]
    return source["partition"], source["offset"]


def _by_key(records: list[LogRecord]) -> dict[str, list[bytes]]:
    found = defaultdict(list)
    for record in records:
        found[(record.key or b"").decode("utf-8", "replace")].append(record.value or b"")
    return found


def _record(raw: Any) -> LogRecord:
    return LogRecord(
        raw.partition,
        raw.offset,
        raw.timestamp,
        raw.key,
        raw.value,
        tuple(raw.headers),
        append_time=raw.timestamp_type == LOG_APPEND_TIME,
    )


def _consumer(bootstrap_servers: str, **client: Any) -> Any:
    options = {"group_id": None, "enable_auto_commit": False, "auto_offset_reset": "earliest"}
    return AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, **options, **client)
