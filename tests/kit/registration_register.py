"""A small register on the embedded engines: its topics made anew, its commands sent, registration running."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from client.topics import ensure_topics
from engines import Engines, LocalEngine
from services.registration.app import create_app
from shared.commands.fold import Message, State, fold
from shared.contracts.topics import TOPICS, Topic
from shared.crypto import signing
from shared.process.settings import KafkaSettings, MarkerSettings, Settings
from shared.runtime.record import Record
from shared.runtime.service import ServiceRun
from shared.store.mongo import Mongo
from tests.kit.command_log import CommandLog, key_of
from tests.kit.registration_kit import GAZETTEER, PARTITIONS, STATIONS
from tests.kit.runtime_kit import Running, quick_settings, until


@dataclass
class Register:
    """What a test needs of a register; `settings` are those of its registration service."""

    settings: Settings
    commands: CommandLog
    producer: AIOKafkaProducer
    mongo: Mongo
    group: str
    sent_commands: int = 0
    sent: list[tuple[int, int]] = field(default_factory=list)

    async def send(self, *records: Record) -> list[tuple[int, int]]:
        """Send records as they are, to their own partitions; answers where they lie."""
        places: list[tuple[int, int]] = []
        for record in records:
            metadata = await self.producer.send_and_wait(
                record.topic,
                value=record.value,
                key=record.key,
                partition=record.partition,
                headers=list(record.headers),
            )
            places.append((metadata.partition, metadata.offset))
        self.sent += places
        return places

    async def send_commands(self) -> None:
        """Put the reference files in place, and on the topic what the command log has and it has not."""
        self.settings.reference_dir.mkdir(parents=True, exist_ok=True)
        for sha256, raw in self.commands.files.items():
            (self.settings.reference_dir / sha256).write_bytes(raw)
        log = list(zip(self.commands.headers, self.commands.messages, strict=True))
        for headers, message in log[self.sent_commands :]:
            await self.producer.send_and_wait(
                Topic.COMMANDS.value, value=message.value, key=b"k", partition=0, headers=list(headers)
            )
            self.sent_commands += 1

    @contextlib.asynccontextmanager
    async def running(self, settings: Settings | None = None) -> AsyncIterator[Running]:
        """Run the service in this loop until the end of the block."""
        service = create_app(settings or self.settings, self.group)
        run = ServiceRun(service)
        task = asyncio.create_task(run.run())
        try:
            await run.listening.wait()
            yield Running(run, task, service.metrics)
        finally:
            run.stop()
            async with asyncio.timeout(20):
                await asyncio.wait([task])

    async def settled(self) -> None:
        """Wait until every record that was sent is settled, as the stored progress says."""
        ends: dict[int, int] = {}
        for partition, offset in self.sent:
            ends[partition] = max(ends.get(partition, 0), offset + 1)

        async def reached() -> bool:
            found = await self.documents("progress")
            stored = {int(name.rsplit("/", 1)[1]): each["next_offset"] for name, each in found.items()}
            return all(stored.get(partition, 0) >= end for partition, end in ends.items())

        await until(reached, timeout=30)

    async def documents(self, collection: str) -> dict[str, dict[str, Any]]:
        """Every document of a collection by its id."""
        return {each["_id"]: each for each in await self.mongo.collection(collection).find().to_list(None)}

    async def outcomes(self) -> dict[tuple[int, int], list[str]]:
        """Everything that is stored under each offset of the input: one outcome each, if all is well."""
        found: dict[tuple[int, int], list[str]] = {}
        for name, outcome in (await self.documents("outcomes")).items():
            partition, offset = map(int, name.split("/"))
            found.setdefault((partition, offset), []).append(outcome["outcome"])
        for registration in (await self.documents("registrations")).values():
            for version in registration["history"]:
                found.setdefault((version["partition"], version["offset"]), []).append("accepted")
        for batch in (await self.documents("capture_batches")).values():
            for close in batch["closes"]:
                found.setdefault((close["partition"], close["offset"]), []).append("accepted")
        return found

    async def epoch_ended(self) -> bool:
        """Whether a marker was passed on in every partition."""
        accepted = await self.read(Topic.ACCEPTED)
        ended = {each.partition for each in accepted if (each.key or b"").startswith(b"!marker/")}
        return ended == set(range(PARTITIONS))

    async def commands_on_the_topic(self) -> State:
        """What the commands come to with the broker's time stamps, which are part of the chain."""
        messages = [Message.of(each) for each in await self.read(Topic.COMMANDS)]
        return fold(self.settings.register, self.commands.officers_sha, messages, self.commands.resolve)

    async def receipts_sent(self) -> bool:
        """Whether every closed batch has its receipt."""
        batches = (await self.documents("capture_batches")).values()
        return bool(batches) and all(each["owed"] is None for each in batches)

    async def read(self, topic: Topic) -> list[Record]:
        """All of a topic, in order within each partition."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka.bootstrap_servers, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            count = 1 if topic in (Topic.COMMANDS, Topic.MANIFESTS, Topic.OPERATIONS) else PARTITIONS
            partitions = [TopicPartition(topic.value, number) for number in range(count)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            records: list[Record] = []
            while any([await consumer.position(each) < ends[each] for each in partitions]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    records += [
                        Record(
                            each.topic,
                            each.partition,
                            each.offset,
                            each.timestamp,
                            each.key,
                            each.value,
                            tuple(each.headers),
                        )
                        for each in batch
                    ]
            return sorted(records, key=lambda each: (each.partition, each.offset))
        finally:
            await consumer.stop()


def values(records: Sequence[Record]) -> list[dict[str, Any]]:
    """The JSON of records."""
    return [json.loads(record.value or b"") for record in records]


async def renew_topics(settings: Settings) -> None:
    """Delete the register's topics and make them anew."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka.bootstrap_servers)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        wanted = [spec.topic.value for spec in TOPICS if spec.topic.value in existing]
        if wanted:
            await admin.delete_topics(wanted)
        await until(lambda: _gone(admin, wanted))
    finally:
        await admin.close()
    await ensure_topics(settings)


async def _gone(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> bool:
    return not set(topics) & set(await admin.list_topics())


@contextlib.asynccontextmanager
async def new_register(
    engines: Engines[LocalEngine], folder: Path, *, founded: bool = True
) -> AsyncIterator[Register]:
    """A register with its reference data adopted, unless it is not `founded` yet."""
    key_file = folder / "marker.pem"
    signing.write_private_key(key_file, key_of("marker"))
    quick = quick_settings(engines.bootstrap_servers, engines.mongo_uri)
    commands = CommandLog().found()
    settings = quick.model_copy(
        update={
            "founding_officers": commands.officers_sha,
            "kafka": KafkaSettings(
                bootstrap_servers=engines.bootstrap_servers, partitions=PARTITIONS, request_timeout_ms=5_000
            ),
            "marker": MarkerSettings(key_file=key_file, officer="marker"),
            "reference_dir": folder / "reference",
        }
    )
    await renew_topics(settings)
    producer = AIOKafkaProducer(bootstrap_servers=engines.bootstrap_servers, acks="all")
    await producer.start()
    mongo = Mongo(settings.mongo, "test")
    group = f"registration-{uuid.uuid4().hex[:12]}"
    register = Register(settings, commands, producer, mongo, group)
    register.commands.adopt_all(GAZETTEER, STATIONS)
    try:
        if founded:
            await register.send_commands()
        yield register
    finally:
        await producer.stop()
        mongo.close()
