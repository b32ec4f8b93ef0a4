"""The three services as processes on embedded engines, held against the reference model."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from rich.console import Console

from audit.report import Report
from client.topics import admin_options, ensure_topics
from demo import sending, steps
from demo.processes import SERVICES, RunningService, start_service, stop_service, wait_live
from demo.run import create_register, demo_environment
from demo.state import Demo
from demo.waiting import GROUPS, settled
from engines import Engine, Engines
from shared.contracts.identity import sha256_hex
from shared.process.settings import Settings
from shared.store.mongo import Mongo

COLLECTIONS = (
    "registrations",
    "outcomes",
    "capture_batches",
    "conflicts",
    "commands",
    "rolls",
)
"""What operators read; everything else in the store is the services' own."""


@dataclass(slots=True)
class Pipeline:
    """A register whose services can be killed and started again."""

    demo: Demo
    environment: Mapping[str, str]
    directory: Path
    sent: int = 0

    async def start(self, name: str, instance: int = 1) -> RunningService:
        """Start a service and wait until it takes part; the same instance takes its partitions back.

        The first instance goes by the service's name, others by `<name>-<instance>`.
        """
        service = await start_service(name, self.environment, self.directory / "logs", instance)
        services = dict(self.demo.services)
        services[name if instance == 1 else f"{name}-{instance}"] = service
        self.demo.services = services
        await wait_live(service, "/health/ready")
        return service

    async def start_all(self) -> None:
        """Start all three."""
        await asyncio.gather(*(self.start(name) for name in SERVICES))

    async def kill(self, name: str) -> None:
        """End a service without a warning."""
        process = self.demo.services[name].process
        process.kill()
        await process.wait()
        self.demo.services = {each: it for each, it in self.demo.services.items() if each != name}

    def hold(self, name: str) -> None:
        """Freeze a service where it is; what it had asked of the servers still happens."""
        self.demo.services[name].hold()

    def release(self, name: str) -> None:
        """Let a frozen service go on."""
        self.demo.services[name].release()

    async def exit_code(self, name: str) -> int:
        """Wait until a service has ended by itself."""
        service = self.demo.services[name]
        async with asyncio.timeout(60):
            code = await service.process.wait()
        self.demo.services = {each: it for each, it in self.demo.services.items() if each != name}
        return code

    async def committed(self, name: str) -> dict[int, int]:
        """The service's group's offset in each partition of its topic, as the broker tells it."""
        topic = dict(GROUPS)[f"rollstream-{name}"]
        admin = AIOKafkaAdminClient(**admin_options(self.demo.settings))
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(f"rollstream-{name}")
        finally:
            await admin.close()
        return {
            number: max(0, found[at].offset) if (at := TopicPartition(topic.value, number)) in found else 0
            for number in range(self.demo.settings.kafka.partitions)
        }

    async def stop_all(self) -> None:
        """End all services as an operator would."""
        for service in self.demo.services.values():
            await stop_service(service)
        self.demo.services = {}

    async def send(self, count: int | None = None) -> None:
        """Send the next lines of the stream, all that are left by default."""
        lines = self.demo.stream.lines
        end = len(lines) if count is None else min(len(lines), self.sent + count)
        self.demo.places += await sending.burst(self.demo.settings, lines[self.sent : end])
        self.sent = end

    async def settle(self) -> None:
        """Wait until every group has committed all that there is."""
        await self.demo.bounded("all services to be done", settled(self.demo.settings))

    async def drop_store(self) -> None:
        """Take the whole database away."""
        for name in await self.demo.mongo.collection("x").database.list_collection_names():
            await self.demo.mongo.collection(name).drop()

    async def back_up(self) -> dict[str, list[dict[str, Any]]]:
        """Every document of the database, by collection."""
        database = self.demo.mongo.collection("x").database
        return {
            name: await self.demo.mongo.collection(name).find({}).to_list(None)
            for name in await database.list_collection_names()
        }

    async def restore(self, backup: Mapping[str, list[dict[str, Any]]]) -> None:
        """Put a backup in the place of the database."""
        await self.drop_store()
        for name, documents in backup.items():
            if documents:
                await self.demo.mongo.collection(name).insert_many(documents)

    async def caught_up(self, rolls: int) -> None:
        """Wait until the services have rebuilt what the log holds, `rolls` published versions included."""

        async def rebuilt() -> None:
            collection = self.demo.mongo.collection("rolls")
            while await collection.count_documents({"state": "published"}) < rolls:  # noqa: ASYNC110
                await asyncio.sleep(0.2)

        await self.demo.bounded("the store to be rebuilt", rebuilt())

    async def quiet(self) -> None:
        """Wait until the store has not changed for longer than the services look for news."""

        async def unchanged() -> None:
            before = None
            while (now := await self.dump()) != before:
                before = now
                await asyncio.sleep(3)

        await self.demo.bounded("the store to be quiet", unchanged())

    async def finish(self) -> None:
        """Cut off, decide and finalise."""
        await self.settle()
        await steps.cut_off(self.demo)
        await steps.decide(self.demo)
        await steps.publish(self.demo)

    async def dump(self) -> dict[str, list[dict[str, Any]]]:
        """Every document that operators read, by collection, in order of id.

        The token of who published a version is another in each rebuild.
        """
        found = {
            name: await self.demo.mongo.collection(name).find({}).sort("_id", 1).to_list(None)
            for name in COLLECTIONS
        }
        for version in found["rolls"]:
            del version["token"]
        return found

    async def audited(self) -> Report:
        """What an audit finds when the services have caught up, or something is broken."""
        return await steps.audited(self.demo)


def _settings(environment: Mapping[str, str]) -> Settings:
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        return Settings()
    finally:
        os.environ.clear()
        os.environ.update(before)


@asynccontextmanager
async def pipeline(
    engines: Engines[Engine],
    directory: Path,
    *,
    events: int = 700,
    seed: int = 11,
    partitions: int = 3,
    stations: str | None = None,
    devices: bool | str = False,
    settings_of_services: Mapping[str, str] | None = None,
) -> AsyncIterator[Pipeline]:
    """A new register on fresh engines, no service started.

    `stations` instead of the stream's, and `devices` too if it is the text of a file; without `devices` it
    takes an event from anybody.
    """
    environment: dict[str, str] = {
        **demo_environment(directory, engines.environment),
        "ROLLSTREAM_KAFKA__PARTITIONS": str(partitions),
        **(settings_of_services or {}),
    }
    settings = _settings(environment)
    await ensure_topics(settings)
    stream = await create_register(
        events,
        seed,
        directory,
        settings,
        Console(quiet=True),
        stations=stations,
        devices=devices if isinstance(devices, str) else None,
        signed=bool(devices),
    )
    officers = (directory / "register/officers.json").read_bytes()
    environment["ROLLSTREAM_FOUNDING_OFFICERS"] = sha256_hex(officers)
    settings = _settings(environment)
    async with AsyncExitStack() as stack:
        mongo = Mongo(settings.mongo, "rollstream-tests")
        stack.callback(mongo.close)
        made = Pipeline(Demo(settings, directory, stream, mongo, {}), environment, directory)
        stack.push_async_callback(made.stop_all)
        yield made
