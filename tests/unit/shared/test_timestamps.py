from __future__ import annotations

import pytest

from shared.contracts.timestamps import milliseconds, rfc3339


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_792_466_100_123, "2026-10-20T03:15:00.123Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "9999-12-31T23:59:59.999Z"),
        (2**63 - 1, "9999-12-31T23:59:59.999Z"),
        (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
        (-(2**63), "0001-01-01T00:00:00.000Z"),
    ],
)
def test_every_time_stamp_that_a_record_can_have_is_written(at: int, text: str) -> None:
    assert rfc3339(at) == text


def test_what_is_written_reads_back() -> None:
    for at in (0, 1_792_466_100_123, 253_402_300_799_000):
        assert milliseconds(rfc3339(at)) == at
