"""No pair falls between two workers, however close together its halves arrive."""

import asyncio
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from demo.measure import ordered, read_all
from demo.processes import RunningService, start_service, wait_live
from demo.waiting import group_lags
from engines import Engines, LocalEngine
from shared.contracts.topics import Topic
from shared.runtime.outputs import Outputs
from tests.kit.accepted import accepted, voter
from tests.kit.pipeline import Pipeline, pipeline

PAIRS = 300
OWNED = re.compile(r'rollstream_consumer_lag_records\{partition="(\d+)"')


async def partitions_of(service: RunningService) -> set[int]:
    """The partitions that a process holds, by its metrics."""
    return {int(number) for number in OWNED.findall(await service.get("/metrics"))}


async def shared_out(workers: Sequence[RunningService]) -> list[set[int]]:
    """The partitions of each, once each has one: who is ready first has both until the other has joined."""
    async with asyncio.timeout(60):
        while True:
            owned = [await partitions_of(worker) for worker in workers]
            if sorted(map(list, owned)) == [[0], [1]]:
                return owned
            await asyncio.sleep(0.2)


async def send_pairs(register: Pipeline) -> set[tuple[str, str]]:
    """Both halves of every pair at once, each half in a partition of its own."""
    outputs = Outputs(register.demo.settings, "tests")
    halves = [
        accepted(f"{side}-{number:04}", voter(number), partition=partition, offset=number, device=side)
        for number in range(PAIRS)
        for partition, side in ((0, "A"), (1, "B"))
    ]
    await outputs.send(halves)
    await outputs.stop()
    return {(f"A-{number:04}", f"B-{number:04}") for number in range(PAIRS)}


async def found_pairs(register: Pipeline) -> set[tuple[str, str]]:
    settings = register.demo.settings
    while any((await group_lags(settings, "rollstream-dedup", Topic.ACCEPTED)).values()):
        for service in register.demo.services.values():
            service.check()
    found = set()
    for record in await read_all(settings, Topic.CHECKED):
        value = json.loads(record.value or b"")
        for claim in value["claims"]:
            found.add(ordered(value["registration_id"], claim["other"]["registration_id"]))
    return found


@pytest.mark.parametrize("mode", ["wait", "no-wait"])
async def test_pairs_sent_at_the_same_moment_to_two_workers_are_found_because_they_wait(
    fresh_engines: Engines[LocalEngine], tmp_path: Path, mode: str
) -> None:
    async with pipeline(fresh_engines, tmp_path, partitions=2) as register:
        command = (sys.executable, "-m", "tests.kit.slow_dedup", mode)
        workers = {
            f"dedup-{n}": await start_service(
                "dedup", register.environment, tmp_path / "logs", instance=n, command=command
            )
            for n in (1, 2)
        }
        register.demo.services = workers
        for worker in workers.values():
            await wait_live(worker, "/health/ready")
        one, other = await shared_out(list(workers.values()))

        sent = await send_pairs(register)
        found = await found_pairs(register)
        assert [await partitions_of(worker) for worker in workers.values()] == [one, other]
        assert found <= sent
        if mode == "wait":
            assert found == sent
        else:
            assert sent - found, "without the wait no pair was missed: the wait is not what this test shows"
