"""Processes of ours that die, sleep, come and go."""

from __future__ import annotations

import asyncio
import sys

from demo.processes import SERVICES
from tests.matrix.cell import cell
from tests.matrix.run import Run

KILLED_S = 30.0
"""After kill -9 of a service work goes on within this (issue 9)."""

SLEEP_S = 9.0
"""Longer than a session (6 s) and what a broker needs to notice."""


@cell("steady", "nothing breaks: load, duplicates, a shuffle, a cut-off in the middle", cheap=True)
async def steady(run: Run) -> None:
    await run.pause(2, 6)
    async with run.fault():
        pass


async def _busy(run: Run) -> None:
    """Return when a burst is on its way through the services."""
    run.load.burst(40)
    await run.pause(0.1, 0.8)


async def _kill(run: Run, service: str) -> None:
    for _ in range(run.dice.choice((1, 2, 3))):
        async with run.fault():
            await _busy(run)
            number = run.some_process(service)
            run.note(f"kill -9 {service}-{number}")
            run.processes.kill(service, number)
        await run.pause(0.3, 2)


@cell(
    "kill-registration",
    "kill -9 of a registration process at random, up to 3 times",
    cheap=True,
    within_s=KILLED_S,
)
async def kill_registration(run: Run) -> None:
    await _kill(run, "registration")


@cell("kill-dedup", "kill -9 of a dedup process at random, up to 3 times", within_s=KILLED_S)
async def kill_dedup(run: Run) -> None:
    await _kill(run, "dedup")


@cell("kill-publisher", "kill -9 of a publisher process at random, up to 3 times", within_s=KILLED_S)
async def kill_publisher(run: Run) -> None:
    await _kill(run, "publisher")


async def _die(run: Run, window: str) -> None:
    """Put a process in the place of one of each service that dies in a window, at a random pass of it."""
    few = {"publisher": 3} if window != "before-commit" else {}
    chosen = [
        (service, run.some_process(service), run.dice.randint(1, few.get(service, 12)))
        for service in SERVICES
    ]

    async def charge(service: str, number: int, passes: int) -> None:
        await run.processes.stop(service, number)
        dying = [sys.executable, "-m", "tests.matrix.dying", service, window, str(passes)]
        await run.processes.start(service, number, dying, ready=False)  # it may die before it is

    async with run.fault():
        run.note(", ".join(f"{service}-{number} at pass {passes}" for service, number, passes in chosen))
        await asyncio.gather(*(charge(*each) for each in chosen))
        await run.pause(3, 5)


@cell("dies-before-publish", "effects are stored, outputs not sent: kill -9 in that window, each service")
async def dies_before_publish(run: Run) -> None:
    await _die(run, "before-publish")


@cell(
    "dies-after-publish", "outputs are acknowledged, progress not stored: kill -9 in that window", cheap=True
)
async def dies_after_publish(run: Run) -> None:
    await _die(run, "after-publish")


@cell("dies-before-commit", "progress is stored, offsets not committed: kill -9 in that window")
async def dies_before_commit(run: Run) -> None:
    await _die(run, "before-commit")


@cell("zombie", "SIGSTOP past the session, others take over, SIGCONT: a process that thinks it is yesterday")
async def zombie(run: Run) -> None:
    service = run.some_service()
    number = run.some_process(service)
    run.note(f"{service}-{number} sleeps")
    frozen = run.processes.running[service, number]
    async with run.fault():
        await _busy(run)
        frozen.hold()
        await asyncio.sleep(SLEEP_S + run.dice.uniform(0, 3))
        frozen.release()


@cell("storm", "rebalance storm: members of a random service join and leave, 1 to 3 and back", processes=1)
async def storm(run: Run) -> None:
    service = run.some_service()
    run.note(service)
    async with run.fault():
        for _ in range(2):
            await asyncio.gather(*(run.processes.start(service, number) for number in (2, 3)))
            await run.pause(0.2, 2)
            for number in run.dice.sample((2, 3), 2):
                await run.processes.stop(service, number)
                await run.pause(0, 1)
