"""Who is 18 on election day."""

from datetime import date
from typing import Literal

import pytest

from services.publisher.ages import may_vote


@pytest.mark.parametrize(
    ("born", "precision", "day", "expected"),
    [
        ("2009-06-06", "day", "2027-06-06", True),
        ("2009-06-07", "day", "2027-06-06", False),
        ("2008-02-29", "day", "2026-02-28", False),
        ("2008-02-29", "day", "2026-03-01", True),
        ("2009-06-01", "month", "2027-06-29", False),
        ("2009-06-01", "month", "2027-06-30", True),
        ("2008-02-01", "month", "2026-02-28", False),
        ("2008-02-01", "month", "2026-03-01", True),
        ("2009-12-01", "month", "2027-12-30", False),
        ("2009-12-01", "month", "2027-12-31", True),
        ("2009-01-01", "year", "2027-12-30", False),
        ("2009-01-01", "year", "2027-12-31", True),
        ("9990-01-01", "day", "9999-12-31", False),
    ],
)
def test_the_last_possible_birthday_counts(
    born: str, precision: Literal["day", "month", "year"], day: str, expected: bool
) -> None:
    assert may_vote(born, precision, date.fromisoformat(day)) is expected
