"""What the services did is what the log says, byte for byte, as a plain fold reads it."""

import asyncio
from pathlib import Path

import pytest

from audit.verifier import verify_list
from demo.measure import read_all
from demo.processes import SERVICES
from engines import Engines, LocalEngine
from shared.contracts.topics import Topic
from tests.kit.mid_batch import starts_of
from tests.kit.pipeline import pipeline


@pytest.mark.parametrize(("processes", "batch_size"), [(1, 500), (2, 7)])
async def test_outcomes_and_lists_are_those_of_the_reference_model_and_a_stranger_can_verify_them(
    fresh_engines: Engines[LocalEngine], tmp_path: Path, processes: int, batch_size: int
) -> None:
    settings = {"ROLLSTREAM_RUNTIME__BATCH_SIZE": str(batch_size)}
    async with pipeline(fresh_engines, tmp_path, devices=True, settings_of_services=settings) as register:
        for instance in range(1, processes + 1):
            await asyncio.gather(*(register.start(name, instance) for name in SERVICES))
        await register.send()
        await register.finish()
        shares = [starts_of(register, name, 1 + at)[-1] for name in SERVICES for at in range(processes)]
        assert all(shares), "a process had no partition"
        report = await register.audited()
        assert report.holds, report.broken
        assert report.counts["events"] > len(register.demo.stream.lines)
        assert report.counts["lists"]
        public_key = (tmp_path / "register/keys/signing.pub.pem").read_bytes()
        lists = await read_all(register.demo.settings, Topic.LISTS)
        verified = [verify_list(record.value or b"", public_key)["list"]["station"] for record in lists]
        assert len(set(verified)) == len(verified) == report.counts["lists"]
