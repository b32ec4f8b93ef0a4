"""Brokers that die, stand still, or are not reached."""

from __future__ import annotations

import asyncio

from demo.processes import SERVICES
from shared.contracts.topics import Topic
from tests.kit.cluster import Node
from tests.kit.proxy import Proxy
from tests.matrix.cell import cell
from tests.matrix.run import Run

AWAY_S = 12.0
"""Longer than any time-out of the services: max_poll_interval_ms is 10 s, a session 6 s, a request 3 s."""

LONE = 3
"""The broker that alone holds what `leaderless` takes away."""


def _doors(run: Run) -> list[Proxy]:
    return [proxy for service in SERVICES for proxy in run.world.doors(service, "kafka")]


@cell(
    "broker-refuses", "the broker refuses connections for longer than any time-out", proxied=True, cheap=True
)
async def broker_refuses(run: Run) -> None:
    async with run.fault():
        for proxy in _doors(run):
            await proxy.refuse()
        await asyncio.sleep(AWAY_S + run.dice.uniform(0, 3))
        for proxy in _doors(run):
            await proxy.heal()


@cell("broker-silent", "the broker accepts connections and never answers (SIGSTOP)", kills_servers=True)
async def broker_silent(run: Run) -> None:
    [node] = run.world.servers.cluster.nodes
    async with run.fault():
        node.freeze()
        await asyncio.sleep(AWAY_S + run.dice.uniform(0, 3))
        node.thaw()


@cell("broker-kill", "kill -9 of the only broker, and its restart", kills_servers=True)
async def broker_kill(run: Run) -> None:
    [node] = run.world.servers.cluster.nodes
    async with run.fault():
        await node.kill()
        await run.pause(0, 4)
        await node.start()


async def _kill(run: Run, node: Node) -> None:
    """Work goes on without the broker, and again when it is back."""
    run.note(f"kill -9 {node.name}")
    async with run.fault():
        await node.kill()
    await run.pause(0, 6)
    async with run.fault():
        await node.start()


@cell("cluster-kill", "kill -9 of one broker of three, and its restart", brokers=3, kills_servers=True)
async def cluster_kill(run: Run) -> None:
    await _kill(run, run.dice.choice(run.world.servers.cluster.nodes))


@cell(
    "cluster-leaders", "kill -9 of two brokers of three, one after the other", brokers=3, kills_servers=True
)
async def cluster_leaders(run: Run) -> None:
    for node in run.dice.sample(list(run.world.servers.cluster.nodes), 2):
        await _kill(run, node)


@cell("cluster-rolling", "rolling restart of three brokers", brokers=3, kills_servers=True)
async def cluster_rolling(run: Run) -> None:
    async with run.fault():
        for node in run.dice.sample(list(run.world.servers.cluster.nodes), 3):
            run.note(f"restart {node.name}")
            await node.stop()
            await node.start()
            await run.pause(1, 2)


@cell(
    "leaderless",
    "one partition of events, accepted and checked has no leader while the others move",
    brokers=3,
    kills_servers=True,
    topics={
        topic.value: {0: [1, 2], 1: [LONE], 2: [2, 1]}
        for topic in (Topic.EVENTS, Topic.ACCEPTED, Topic.CHECKED)
    },
)
async def leaderless(run: Run) -> None:
    node = run.world.servers.cluster.nodes[LONE - 1]
    async with run.fault():
        await node.kill()
        await asyncio.sleep(AWAY_S + run.dice.uniform(0, 3))
        await node.start()
