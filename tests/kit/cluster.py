"""Apache Kafka as a cluster of one or three nodes, with a door of its own for each service, and the store.

A door is a listener of every node. What a node advertises there is the port of a proxy, so that a client
that comes in by a door stays behind the proxy whichever broker it is sent to.
"""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engines import EngineFailed, LocalEngine
from engines.embedded import kafka_answers, mongo_answers
from engines.engine import free_port
from tests.kit.engines import kafka_libs, secantusd
from tests.kit.proxy import Proxy

JAVA = (
    "java",
    "-Xms128m",
    "-Xmx400m",
    # Brokers that live for minutes on two cores: start quickly, take one core at most for garbage.
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)

NODE_PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners={listeners}
advertised.listeners={advertised}
controller.listener.names=CONTROLLER
inter.broker.listener.name=DIRECT
listener.security.protocol.map={protocols}
log.dirs={data}
num.network.threads=2
num.io.threads=4
offsets.topic.num.partitions=4
offsets.topic.replication.factor={copies}
min.insync.replicas={in_sync}
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
# A broker that died is given up after 3 s instead of 9: the runs of the fault matrix are short.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=8388608
"""


class Node(LocalEngine):
    """A server that can also be frozen, whatever it is."""

    def freeze(self) -> None:
        """Stop it where it is: the kernel goes on accepting connections, and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Brokers, by number from 1. `doors`: name → the proxies in front of each node, in their order."""

    nodes: Sequence[Node]
    doors: Mapping[str, Sequence[Proxy]]

    @property
    def bootstrap_servers(self) -> str:
        """All nodes, straight."""
        return ",".join(node.address for node in self.nodes)

    def through(self, door: str) -> str:
        """All nodes, by a door."""
        return ",".join(f"127.0.0.1:{proxy.port}" for proxy in self.doors[door])

    @property
    def copies(self) -> int:
        """Replicas of a partition: one on each node."""
        return len(self.nodes)

    @property
    def in_sync(self) -> int:
        """Of these, how many must have a record before it is acknowledged."""
        return max(1, len(self.nodes) - 1)

    async def start(self) -> None:
        """Start the nodes that do not run, all at once: one alone has no quorum."""
        await asyncio.gather(*(node.start() for node in self.nodes if not node.runs))

    async def kill(self) -> None:
        """End all nodes at once."""
        for node in self.nodes:
            if node.runs:
                await node.kill()


def kafka_cluster(directory: Path, size: int, doors: Sequence[str], preload: Path | None = None) -> Cluster:
    """A new cluster with its data in `directory`, not started; proxies are the caller's to start.

    `preload` is a library that every broker is started with.
    """
    directory = directory.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    controllers = [free_port() for _ in range(size)]
    voters = ",".join(f"{at}@127.0.0.1:{port}" for at, port in enumerate(controllers, start=1))
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    proxies: dict[str, list[Proxy]] = {door: [] for door in doors}
    nodes = []
    for number, controller in enumerate(controllers, start=1):
        own = {"DIRECT": free_port()}
        seen = dict(own)
        for door in doors:
            proxy = Proxy(free_port(), free_port())
            proxies[door].append(proxy)
            own[door.upper()], seen[door.upper()] = proxy.target, proxy.port
        data = directory / f"kafka-{number}"
        text = NODE_PROPERTIES.format(
            node=number,
            voters=voters,
            listeners=_addresses({**own, "CONTROLLER": controller}),
            advertised=_addresses(seen),
            protocols=",".join(f"{name}:PLAINTEXT" for name in (*own, "CONTROLLER")),
            data=data,
            copies=size,
            in_sync=max(1, size - 1),
        )
        nodes.append(_node(directory, number, own["DIRECT"], text, f"x{cluster_id[1:]}", preload))
    return Cluster(nodes, proxies)


def _addresses(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())


def _node(directory: Path, number: int, port: int, text: str, cluster_id: str, preload: Path | None) -> Node:
    data = directory / f"kafka-{number}"
    shutil.rmtree(data, ignore_errors=True)
    properties = directory / f"kafka-{number}.properties"
    properties.write_text(text)
    classpath = f"{kafka_libs()}/*"
    tool = [*JAVA, "-cp", classpath, "kafka.tools.StorageTool", "format", "-t", cluster_id]
    done = subprocess.run([*tool, "-c", str(properties)], capture_output=True, text=True)
    if done.returncode != 0:
        raise EngineFailed(f"Kafka's storage could not be formatted: {done.stdout}{done.stderr}")
    command = [*_preloading(preload), *JAVA, "-cp", classpath, "kafka.Kafka", str(properties)]
    return Node(f"kafka-{number}", f"127.0.0.1:{port}", directory, command, kafka_answers)


def durable_store(directory: Path, data: Path | None = None, preload: Path | None = None) -> Node:
    """The store as production would have it, not started: what it acknowledges has been fsynced.

    Without `--sync-on-commit` a write with `j: true` is acknowledged before it is on the disk, which a real
    MongoDB promises. `--standalone`, or clients would leave their proxy for the address that the server
    tells them. `data` may lie on another file system.
    """
    directory = directory.absolute()
    port, data = free_port(), (data or directory / "mongo").absolute()
    data.mkdir(parents=True, exist_ok=True)
    configuration = directory / "mongo.toml"
    configuration.touch()
    command = [*_preloading(preload), str(secantusd()), "--config", str(configuration), "--port", str(port)]
    command += ["--storage-path", str(data), "--cache-size", "256M", "--log-file-max", "32MB"]
    command += ["--log-level", "WARNING", "--sync-on-commit", "--standalone"]
    return Node("mongo", f"mongodb://127.0.0.1:{port}", directory, command, mongo_answers)


def _preloading(library: Path | None) -> list[str]:
    return [] if library is None else ["env", f"LD_PRELOAD={library}"]
