"""The servers of one run: brokers and a store of its own, made anew, and a proxy for each service to each."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from demo.processes import SERVICES
from engines import EngineFailed
from engines.embedded import KAFKA_VARIABLE, MONGO_VARIABLE
from engines.engine import free_port
from shared.contracts.topics import Topic
from tests.kit.cluster import Cluster, Node, durable_store, kafka_cluster
from tests.kit.proxy import Proxy, running

SMALL_DISK_MIB = 256


@dataclass(frozen=True, slots=True)
class Servers:
    """Brokers and store of our own, and the proxy of each service to the store.

    `disk` is where the store's data lie if it is a small file system.
    """

    cluster: Cluster
    store: Node
    store_doors: Mapping[str, Proxy]
    disk: Path | None

    @property
    def straight(self) -> dict[str, str]:
        """The settings that lead to them without a proxy."""
        return {
            KAFKA_VARIABLE: self.cluster.bootstrap_servers,
            MONGO_VARIABLE: self.store.address,
            "ROLLSTREAM_KAFKA__REPLICATION_FACTOR": str(self.cluster.copies),
            "ROLLSTREAM_KAFKA__MIN_INSYNC": str(self.cluster.in_sync),
        }


@dataclass(frozen=True, slots=True)
class World:
    """The servers of a run: the settings that lead `straight` to them; `own` is None for someone else's."""

    straight: Mapping[str, str]
    own: Servers | None = None

    @property
    def servers(self) -> Servers:
        """Those that a cell may kill and cut off."""
        assert self.own is not None, "a cell that touches servers is not for servers that someone else runs"
        return self.own

    def environment(self, service: str | None = None) -> dict[str, str]:
        """Where the servers are: straight, or for a service by its own doors."""
        if service is None:
            return dict(self.straight)
        return {
            **self.straight,
            KAFKA_VARIABLE: self.servers.cluster.through(service),
            MONGO_VARIABLE: f"mongodb://127.0.0.1:{self.servers.store_doors[service].port}",
        }

    @property
    def carried(self) -> int:
        """Bytes that went by the proxies to the store: 0 where none was used."""
        return 0 if self.own is None else sum(proxy.carried for proxy in self.own.store_doors.values())

    def doors(self, service: str, server: str) -> list[Proxy]:
        """A service's proxies to `kafka` or `mongo`."""
        own = self.servers
        return list(own.cluster.doors[service]) if server == "kafka" else [own.store_doors[service]]


@asynccontextmanager
async def new_world(
    directory: Path, brokers: int, *, small_disk: bool = False, preload: Path | None = None
) -> AsyncIterator[World]:
    """Start fresh servers; they are killed at the end, since nobody needs their data any more."""
    async with AsyncExitStack() as stack:
        disk = stack.enter_context(_small_disk(directory / "disk")) if small_disk else None
        cluster = kafka_cluster(directory, brokers, SERVICES)
        store = durable_store(directory, disk and disk / "mongo", preload)
        port = int(store.address.rsplit(":", 1)[1])
        doors = {service: Proxy(free_port(), port) for service in SERVICES}
        own = Servers(cluster, store, doors, disk)
        stack.push_async_callback(_end, own)
        await asyncio.gather(cluster.start(), store.start())
        every = [*doors.values(), *(proxy for proxies in cluster.doors.values() for proxy in proxies)]
        await stack.enter_async_context(running(*every))
        yield World(own.straight, own)


async def _end(own: Servers) -> None:
    await own.cluster.kill()
    if own.store.runs:
        await own.store.kill()


def given() -> dict[str, str] | None:
    """The settings of servers that someone else runs, None where none are named."""
    named = {name: os.environ[name] for name in (KAFKA_VARIABLE, MONGO_VARIABLE) if name in os.environ}
    if len(named) == 1:
        raise EngineFailed(f"name both servers, or none: {KAFKA_VARIABLE} and {MONGO_VARIABLE}")
    return named or None


@asynccontextmanager
async def given_world(named: Mapping[str, str]) -> AsyncIterator[World]:
    """A run on someone else's servers: in a database of its own, and in topics that were not there before.

    Raises EngineFailed if a topic is there already: it may be a register's.
    """
    database = f"rollstream-matrix-{uuid.uuid4().hex[:8]}"
    world = World({**named, "ROLLSTREAM_MONGO__DATABASE": database})
    admin = AIOKafkaAdminClient(bootstrap_servers=named[KAFKA_VARIABLE])
    await admin.start()
    try:
        if there := {topic.value for topic in Topic} & set(await admin.list_topics()):
            raise EngineFailed(f"{named[KAFKA_VARIABLE]} has the topic {min(there)}: name an empty broker")
        try:
            yield world
        finally:
            await admin.delete_topics([topic.value for topic in Topic])
            while {topic.value for topic in Topic} & set(await admin.list_topics()):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    finally:
        await admin.close()


@contextlib.contextmanager
def _small_disk(directory: Path) -> Iterator[Path]:
    """A file system of its own in memory (tmpfs; needs root)."""
    directory.mkdir(parents=True, exist_ok=True)
    size = f"size={SMALL_DISK_MIB}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=False)
