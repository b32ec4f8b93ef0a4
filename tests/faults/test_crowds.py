"""One content or one phone number on very many registrations: services may lag, and nothing else happens."""

import os
from pathlib import Path

import pytest

from engines import Engines, LocalEngine
from tests.kit.crowds import Kind, run_crowd

SECONDS = float(os.environ.get("ROLLSTREAM_TEST_CROWD_SECONDS", "120"))
"""How long each crowd is worked on: to compare and claim all of them takes hours."""

MOST_BYTES = 1_500_000_000
HELD_S = 0.1


@pytest.mark.engines
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("kind", "size"), [("content", 12_000), ("phone", 50_000)])
async def test_a_crowd_makes_services_lag_and_no_more(
    real_engines: Engines[LocalEngine], tmp_path: Path, kind: Kind, size: int
) -> None:
    result = await run_crowd(real_engines, tmp_path, kind, size, seconds=SECONDS)
    print("\n".join(result.lines()))  # noqa: T201
    assert result.unwell == []
    assert result.settled > 0
    assert result.honest_s is not None, "the crowd's partition held up the others"
    for name, watched in result.services.items():
        assert watched.peak_bytes < MOST_BYTES, name
        assert watched.largest_gap_s < HELD_S, name
