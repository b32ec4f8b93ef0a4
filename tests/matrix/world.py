"""The servers of one run: brokers and a store of its own, made anew, and a proxy for each service to each."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.processes import SERVICES
from engines.embedded import KAFKA_VARIABLE, MONGO_VARIABLE
from engines.engine import free_port
from tests.kit.cluster import Cluster, Node, durable_store, kafka_cluster
from tests.kit.proxy import Proxy, running

SMALL_DISK_MIB = 256


@dataclass(slots=True)
class World:
    """Brokers and store; `store_doors` has the proxy of each service to the store.

    `disk` is where the store's data lie if it is a small file system of their own.
    """

    cluster: Cluster
    store: Node
    store_doors: dict[str, Proxy]
    disk: Path | None = None

    def environment(self, service: str | None = None) -> dict[str, str]:
        """Where the servers are: straight, or for a service by its own doors."""
        if service is None:
            kafka, store = self.cluster.bootstrap_servers, self.store.address
        else:
            kafka = self.cluster.through(service)
            store = f"mongodb://127.0.0.1:{self.store_doors[service].port}"
        return {
            KAFKA_VARIABLE: kafka,
            MONGO_VARIABLE: store,
            "ROLLSTREAM_KAFKA__REPLICATION_FACTOR": str(self.cluster.copies),
            "ROLLSTREAM_KAFKA__MIN_INSYNC": str(self.cluster.in_sync),
        }

    def doors(self, service: str, server: str) -> list[Proxy]:
        """A service's proxies to `kafka` or `mongo`."""
        return list(self.cluster.doors[service]) if server == "kafka" else [self.store_doors[service]]


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
        world = World(cluster, store, doors, disk)
        stack.push_async_callback(_end, world)
        await asyncio.gather(cluster.start(), store.start())
        every = [*doors.values(), *(proxy for proxies in cluster.doors.values() for proxy in proxies)]
        await stack.enter_async_context(running(*every))
        yield world


async def _end(world: World) -> None:
    await world.cluster.kill()
    if world.store.runs:
        await world.store.kill()


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
