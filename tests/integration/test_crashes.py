"""A service that dies in the middle of its work leaves no trace in outcomes and lists."""

from pathlib import Path

import pytest

from demo import steps
from demo.waiting import group_lags
from engines import Engines, LocalEngine
from tests.kit.mid_batch import (
    TOPIC_OF,
    copies_of_lists,
    freeze_while_publishing,
    kill_in_mid_batch,
    starts_of,
)
from tests.kit.pipeline import pipeline


@pytest.mark.parametrize("name", ["registration", "dedup", "publisher"])
async def test_a_killed_service_repeats_what_it_had_begun_and_the_lists_are_the_same(
    fresh_engines: Engines[LocalEngine], tmp_path: Path, name: str
) -> None:
    async with pipeline(fresh_engines, tmp_path, devices=True) as register:
        await register.start_all()
        begun = await kill_in_mid_batch(register, name)
        lags = await group_lags(register.demo.settings, f"rollstream-{name}", TOPIC_OF[name])
        assert sum(lags.values()) > 0, "nothing was uncommitted at the kill"

        await register.start(name)
        start = starts_of(register, name)[-1]
        assert any(offset >= start[partition] for partition, offset in begun), "nothing was read again"

        await register.send()
        await register.finish()
        report = await register.audited()
        assert report.holds, report.broken
        assert report.counts["lists"]


async def test_a_publisher_killed_among_its_lists_publishes_the_same_bytes_again(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    async with pipeline(fresh_engines, tmp_path, devices=True) as register:
        await register.start_all()
        await register.send()
        await register.settle()
        await steps.cut_off(register.demo)
        await steps.decide(register.demo)
        published = await freeze_while_publishing(register)
        await register.kill("publisher")
        await register.start("publisher")
        await published

        copies = await copies_of_lists(register)
        assert any(len(values) > 1 for values in copies.values()), "nothing was published again"
        assert all(len(set(values)) == 1 for values in copies.values())
        report = await register.audited()
        assert report.holds, report.broken
        assert len(copies) == report.counts["lists"]
