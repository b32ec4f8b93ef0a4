"""What the runtime's tests share: topics, a handler that remembers, a service that runs in this loop."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from shared.process.metrics import Metrics
from shared.process.settings import HttpSettings, KafkaSettings, MongoSettings, RuntimeSettings, Settings
from shared.runtime.handler import ConsumerSpec
from shared.runtime.record import Record
from shared.runtime.service import Service, ServiceRun
from shared.store.mongo import Mongo

QUICK = {
    "failed_linger_s": 0,
    "probe_interval_s": 0.3,
    "backoff_initial_s": 0.1,
    "backoff_max_s": 0.5,
    "session_timeout_ms": 6_000,
    "heartbeat_interval_ms": 200,
    "batch_timeout_ms": 50,
}


def quick_settings(bootstrap: str, mongo_uri: str, **runtime: Any) -> Settings:
    """Settings whose time-outs suit a test."""
    return Settings(
        register="kh-test",
        kafka=KafkaSettings(bootstrap_servers=bootstrap, request_timeout_ms=5_000),
        mongo=MongoSettings.model_validate(
            {"uri": mongo_uri, "database": f"t-{uuid.uuid4().hex[:12]}", "timeout_ms": 500}
        ),
        http=HttpSettings(port=0),
        runtime=RuntimeSettings.model_validate(QUICK | runtime),
    )


@dataclass
class Remembers:
    """A handler that keeps what it got; `act`, if given, runs before it does."""

    act: Callable[[Sequence[Record]], Any] | None = None
    starts: Mapping[int, int] | None = None
    got: list[Record] = field(default_factory=list)
    given: list[Mapping[int, int | None]] = field(default_factory=list)
    gave_up: list[int] = field(default_factory=list)

    async def assigned(self, committed: Mapping[int, int | None]) -> Mapping[int, int]:
        self.given.append(committed)
        stored = self.starts or {}
        return {partition: stored.get(partition, offset or 0) for partition, offset in committed.items()}

    async def handle(self, batch: Sequence[Record]) -> Sequence[Record] | None:
        if self.act is not None:
            await self.act(batch)
        self.got.extend(batch)
        return None

    async def revoked(self, partitions: Collection[int]) -> None:
        self.gave_up.extend(partitions)

    def values(self) -> list[bytes | None]:
        return [record.value for record in self.got]


@dataclass
class Topic:
    """A fresh topic with a client of its own, and the group that reads it."""

    name: str
    group: str
    client: AIOKafkaClient
    admin: AIOKafkaAdminClient

    async def committed(self, partition: int = 0) -> int | None:
        try:
            offsets = await self.admin.list_consumer_group_offsets(self.group)
        except GroupCoordinatorNotAvailableError:  # a new broker has yet to make its topic of offsets
            return None
        found = offsets.get(TopicPartition(self.name, partition))
        return None if found is None else int(found.offset)


@contextlib.asynccontextmanager
async def fresh_topic(bootstrap: str, partitions: int = 1) -> AsyncIterator[Topic]:
    name = f"topic-{uuid.uuid4().hex[:12]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await admin.start()
    await client.bootstrap()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1)])
        yield Topic(name, f"group-{name}", client, admin)
    finally:
        await client.close()
        await admin.close()


@dataclass
class Running:
    """A service in this loop."""

    run: ServiceRun
    task: asyncio.Task[int]
    metrics: Metrics

    async def get(self, path: str) -> tuple[int, str]:
        """A plain HTTP GET: status and body."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.run.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        head, _, body = answer.partition("\r\n\r\n")
        return int(head.split()[1]), body

    async def exit_code(self) -> int:
        async with asyncio.timeout(10):
            return await self.task


@contextlib.asynccontextmanager
async def running(
    settings: Settings, topic: str, group: str, handler: Any, *, background: Sequence[Any] = (), **more: Any
) -> AsyncIterator[Running]:
    """Run a service around `handler`; it is stopped at the end if it still runs."""
    metrics = Metrics("try")
    mongo = Mongo(settings.mongo, "try")
    service = Service(
        "try",
        settings,
        consumer=ConsumerSpec(topic, group, handler),
        metrics=metrics,
        mongo=mongo,
        background=background,
        **more,
    )
    run = ServiceRun(service)
    task = asyncio.create_task(run.run())
    try:
        await run.listening.wait()
        yield Running(run, task, metrics)
    finally:
        run.stop()
        async with asyncio.timeout(20):
            await asyncio.wait([task])
        mongo.close()


async def until(condition: Callable[[], Any], timeout: float = 15) -> None:
    """Wait until `condition`, which may be asynchronous, holds."""
    async with asyncio.timeout(timeout):
        while True:
            holds = condition()
            if asyncio.iscoroutine(holds):
                holds = await holds
            if holds:
                return
            await asyncio.sleep(0.02)


async def settled_to(topic: Topic, offset: int, partition: int = 0) -> bool:
    """Whether the group's committed offset is `offset`."""
    return await topic.committed(partition) == offset


class Proxy:
    """A TCP proxy that can be cut, so that a server seems away."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def up(self) -> None:
        self._server = await asyncio.start_server(self._pipe, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        self._open |= {writer, there_writer}
        try:
            await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))
        finally:
            self._open -= {writer, there_writer}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
