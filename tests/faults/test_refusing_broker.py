"""A broker that refuses connections for a minute: when it is back, every service hears the officers again."""

import asyncio
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from demo.processes import SERVICES
from engines import Engines, LocalEngine
from shared.contracts.commands import CommandType
from tests.kit.pipeline import Pipeline, pipeline

AWAY_S = 60.0
BOUND_S = 30.0
"""From the command, sent when the broker is back, to its effect in all three services (the issue's bound)."""


async def offsets(register: Pipeline) -> dict[str, int]:
    """The next command that each service will fold, as its metrics tell."""
    found = {}
    for name in SERVICES:
        text = await register.demo.services[name].get("/metrics")
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == "rollstream_commands_offset":
                    found[name] = int(sample.value)
    return found


async def answers(register: Pipeline, path: str) -> dict[str, bool]:
    """Whether each service answers `path` with 200."""
    found = {}
    for name in SERVICES:
        register.demo.services[name].check()
        try:
            await register.demo.services[name].get(path)
            found[name] = True
        except OSError:
            found[name] = False
    return found


@pytest.mark.engines
@pytest.mark.timeout(400)
async def test_after_a_minute_of_refused_connections_a_command_is_effective_in_all_services_within_30_s(
    real_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    async with pipeline(real_engines, tmp_path, events=900) as register:
        await register.start_all()
        await register.send(100)
        await register.settle()
        before = await offsets(register)
        assert len(set(before.values())) == 1

        await real_engines.kafka.stop()
        ends = time.monotonic() + AWAY_S
        while time.monotonic() < ends:
            assert all((await answers(register, "/health/live")).values()), (
                "an outage is no reason to restart"
            )
            await asyncio.sleep(2)
        assert not any((await answers(register, "/health/ready")).values())
        await real_engines.kafka.start()

        started = time.monotonic()
        async with asyncio.timeout(BOUND_S):
            await register.demo.two_officers(
                "publisher", CommandType.CUT_OFF, [{"epoch": 1}], "end of registration"
            )
            while set((await offsets(register)).values()) != {before["dedup"] + 2}:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        print(f"effective after {time.monotonic() - started:.1f} s")  # noqa: T201

        await register.send()
        await register.settle()
        assert all((await answers(register, "/health/ready")).values())
