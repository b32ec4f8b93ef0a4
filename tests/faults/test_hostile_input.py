"""Nothing that a stranger sends stops a service, or holds up the honest events of other partitions."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from demo.processes import SERVICES
from demo.waiting import group_lags
from engines import Engines, LocalEngine
from shared.contracts.topics import Topic
from tests.kit import hostile
from tests.kit.pipeline import Pipeline, pipeline
from tests.kit.raw_records import Raw, raw_batch

PARTITION = 1
TEN_MILLION = 10_000_000
BOUND_S = 60.0
"""Seconds that registration may work on each input until it is settled: of its own processor time, since
this machine may be busy."""
HANGS_S = 400.0
"""No input is waited for longer."""

LARGE_MESSAGES = {"ROLLSTREAM_LIMITS__MESSAGE_BYTES": str(16 * hostile.MEBIBYTE)}
"""An operator may allow larger messages; ten million tiny records need them."""


async def hostile_closes(register: Pipeline) -> None:
    device = hostile.key_in(PARTITION, 3, "D")
    await hostile.send_events(register.demo.settings, hostile.closes(device, 500), PARTITION)


async def many_errors(register: Pipeline) -> None:
    key = hostile.key_in(PARTITION, 3, "R")
    await hostile.send_events(register.demo.settings, hostile.full_of_errors(key, 100, 8_000), PARTITION)


async def decompression_bomb(register: Pipeline) -> None:
    await hostile.send_batches(register.demo.settings, PARTITION, hostile.bomb(1024))


async def key_of_a_mebibyte(register: Pipeline) -> None:
    batch = raw_batch([Raw(b"{}", b"k" * hostile.MEBIBYTE)], codec=1)
    await hostile.send_batches(register.demo.settings, PARTITION, batch)


async def value_of_nine_mebibytes(register: Pipeline) -> None:
    batch = raw_batch([Raw(bytes(9 * hostile.MEBIBYTE))], codec=1)
    await hostile.send_batches(register.demo.settings, PARTITION, batch)


async def ten_million_tiny_records(register: Pipeline) -> None:
    await hostile.send_batches(register.demo.settings, PARTITION, hostile.crowd(TEN_MILLION))


async def contents_of_one_batch(register: Pipeline) -> None:
    key, device = (hostile.key_in(PARTITION, 3, prefix) for prefix in ("R", "D"))
    await hostile.send_events(register.demo.settings, hostile.contents(key, device, 200_000), PARTITION)


INPUTS: tuple[Callable[[Pipeline], Awaitable[None]], ...] = (
    hostile_closes,
    many_errors,
    decompression_bomb,
    key_of_a_mebibyte,
    value_of_nine_mebibytes,
    ten_million_tiny_records,
    contents_of_one_batch,
)


async def settled(register: Pipeline, partitions: set[int]) -> None:
    """Wait until registration has committed all that lies in these partitions of the events."""
    topic, group = Topic.EVENTS, "rollstream-registration"
    while True:
        lags = await group_lags(register.demo.settings, group, topic)
        if not any(lag for partition, lag in lags.items() if partition in partitions):
            return
        await asyncio.sleep(0.2)


def processor_seconds(register: Pipeline) -> float:
    """What registration has worked until now."""
    pid = register.demo.services["registration"].process.pid
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def alive(register: Pipeline) -> None:
    for name in SERVICES:
        service = register.demo.services[name]
        assert service.process.returncode is None, f"{name} ended"
        await service.get("/health/live")  # raises for another status than 200


@pytest.mark.engines
@pytest.mark.timeout(900)
async def test_hostile_input_is_settled_in_time_and_stops_nobody(
    real_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    async with pipeline(real_engines, tmp_path, events=900, settings_of_services=LARGE_MESSAGES) as register:
        await register.start_all()
        for send in INPUTS:
            await send(register)
            started, worked = time.monotonic(), processor_seconds(register)
            async with asyncio.timeout(HANGS_S):
                await register.send(60)
                await settled(register, {0, 2})
                honest = time.monotonic() - started
                await settled(register, {PARTITION})
            whole, worked = time.monotonic() - started, processor_seconds(register) - worked
            print(f"{send.__name__}: {whole:.1f} s, {worked:.1f} s of work, honest ones {honest:.1f} s")  # noqa: T201
            assert worked < BOUND_S
            await alive(register)
        async with hostile.open_transaction(register.demo.settings, PARTITION):
            async with asyncio.timeout(HANGS_S):
                await register.send(60)
                await settled(register, {0, 1, 2})
            await alive(register)
        await register.send()
        await register.finish()
        report = await register.audited()
        assert report.holds, report.broken
        assert report.counts["lists"]
