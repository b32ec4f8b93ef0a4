"""What a network does between one service and one server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.kit.proxy import Direction, Proxy
from tests.matrix.cell import cell
from tests.matrix.run import Run

CUT_S = (2.0, 14.0)
"""From shorter than a session to longer than any time-out."""


async def _break(run: Run, server: str, how: Callable[[Proxy], None], what: str) -> None:
    """Break the connections of one or two services to a server, each in its turn."""
    for service in run.dice.sample(("registration", "dedup", "publisher"), run.dice.choice((1, 2))):
        proxies = run.world.doors(service, server)
        run.note(f"{what} between {service} and {server}")
        async with run.fault():
            for proxy in proxies:
                how(proxy)
            await run.pause(*CUT_S)
            for proxy in proxies:
                await proxy.heal()


def _stall(proxy: Proxy) -> None:
    proxy.stall()


@cell("cut-kafka", "packets between a service and the broker are lost for 2 to 14 s", proxied=True)
async def cut_kafka(run: Run) -> None:
    await _break(run, "kafka", _stall, "cut")


@cell("cut-store", "packets between a service and the store are lost for 2 to 14 s", proxied=True)
async def cut_store(run: Run) -> None:
    await _break(run, "mongo", _stall, "cut")


async def _slow(run: Run, server: str) -> None:
    seconds = run.dice.choice((0.05, 0.3, 1.0))
    await _break(run, server, lambda proxy: proxy.delay(seconds), f"{seconds} s of delay")


@cell("delay-kafka", "0.05 to 1 s of delay each way between a service and the broker", proxied=True)
async def delay_kafka(run: Run) -> None:
    await _slow(run, "kafka")


@cell("delay-store", "0.05 to 1 s of delay each way between a service and the store", proxied=True)
async def delay_store(run: Run) -> None:
    await _slow(run, "mongo")


async def _half(run: Run, server: str) -> None:
    direction: Direction = run.dice.choice(("to_server", "to_client"))
    await _break(run, server, lambda proxy: proxy.drop(direction), f"what goes {direction} is lost")


@cell("half-kafka", "half-open connections between a service and the broker", proxied=True)
async def half_kafka(run: Run) -> None:
    await _half(run, "kafka")


@cell("half-store", "half-open connections between a service and the store", proxied=True, cheap=True)
async def half_store(run: Run) -> None:
    await _half(run, "mongo")


@cell("resets", "all connections of a random service are reset, again and again", proxied=True)
async def resets(run: Run) -> None:
    service = run.some_service()
    run.note(service)
    proxies = [each for server in ("kafka", "mongo") for each in run.world.doors(service, server)]
    async with run.fault():
        for _ in range(run.dice.randint(5, 12)):
            for proxy in proxies:
                proxy.cut()
            await asyncio.sleep(run.dice.uniform(0.05, 1))
