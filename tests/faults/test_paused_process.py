"""A process that slept past its session wakes up in the middle of its work and changes nothing."""

import asyncio
from pathlib import Path

import pytest

from demo import steps
from demo.processes import SERVICES, stop_service
from engines import Engines, LocalEngine
from tests.kit.mid_batch import copies_of_lists, freeze_in_mid_batch, freeze_while_publishing, starts_of
from tests.kit.pipeline import Pipeline, pipeline

SHORT_SESSION = {
    "ROLLSTREAM_RUNTIME__SESSION_TIMEOUT_MS": "6000",
    "ROLLSTREAM_RUNTIME__HEARTBEAT_INTERVAL_MS": "1000",
}
"""The shortest session that Apache Kafka takes."""


async def wake(register: Pipeline, name: str) -> None:
    """Let the first instance go on, and wait until it has a share of the partitions again."""
    lives = len(starts_of(register, name))
    register.release(name)
    async with asyncio.timeout(60):
        while len(starts_of(register, name)) == lives:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def retire_second(register: Pipeline, name: str) -> None:
    """End the second instance, and wait until the first has every partition."""
    services = dict(register.demo.services)
    await stop_service(services.pop(f"{name}-2"))
    register.demo.services = services
    async with asyncio.timeout(60):
        while len(starts_of(register, name)[-1]) < register.demo.settings.kafka.partitions:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@pytest.mark.engines
async def test_a_process_that_wakes_up_in_mid_batch_after_it_was_replaced_changes_nothing(
    real_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    async with pipeline(real_engines, tmp_path, events=900, settings_of_services=SHORT_SESSION) as register:
        await register.start_all()
        for name in SERVICES:
            begun = await freeze_in_mid_batch(register, name)
            await register.start(name, instance=2)
            await register.send(60)
            await register.settle()
            took_over = starts_of(register, name, instance=2)[0]
            assert any(offset >= took_over[partition] for partition, offset in begun), "nothing was repeated"

            await wake(register, name)
            await register.send(60)
            await register.settle()
            await retire_second(register, name)

        await register.send()
        await register.settle()
        await steps.cut_off(register.demo)
        await steps.decide(register.demo)
        published = await freeze_while_publishing(register)
        await register.start("publisher", instance=2)
        await published
        await wake(register, "publisher")
        await asyncio.sleep(3)  # what it was about to send is out
        assert all(len(set(values)) == 1 for values in (await copies_of_lists(register)).values())
        report = await register.audited()
        assert report.holds, report.broken
        assert report.counts["lists"]
