"""Who is 15 to 120 years old on the day of capture has a plausible birth date."""

import pytest

from services.registration.birth_dates import plausible

CAPTURED = "2026-10-20T08:15:00+07:00"


@pytest.mark.parametrize(
    ("born", "precision", "captured", "expected"),
    [
        ("2011-10-20", "day", CAPTURED, True),
        ("2011-10-21", "day", CAPTURED, False),
        ("1906-10-20", "day", CAPTURED, True),
        ("1906-10-19", "day", CAPTURED, False),
        ("2027-01-01", "day", CAPTURED, False),
        ("9999-12-31", "day", "9999-12-31T00:00:00Z", False),
        # 29 February: the birthday is 1 March in common years.
        ("2012-02-29", "day", "2027-02-28T12:00:00Z", False),
        ("2012-02-29", "day", "2027-03-01T00:00:00Z", True),
        ("1880-02-29", "day", "2000-02-29T00:00:00Z", True),
        ("1880-02-29", "day", "2000-03-01T00:00:00Z", False),
        ("1980-02-29", "day", "2100-03-01T00:00:00Z", True),
        # Of a month or a year the most favourable day counts.
        ("2011-10-01", "month", CAPTURED, True),
        ("2011-11-01", "month", CAPTURED, False),
        ("1906-10-01", "month", CAPTURED, True),
        ("1906-09-01", "month", CAPTURED, False),
        ("2011-01-01", "year", CAPTURED, True),
        ("2012-01-01", "year", CAPTURED, False),
        ("1906-01-01", "year", CAPTURED, True),
        ("1905-01-01", "year", CAPTURED, False),
        # The capture's own date counts, whatever day it was elsewhere.
        ("2011-10-20", "day", "2026-10-20T00:30:00+07:00", True),
        ("2011-10-20", "day", "2026-10-19T23:30:00-07:00", False),
        ("២០១១-១០-២០", "day", CAPTURED, True),
        ("២០១១-១០-២១", "day", CAPTURED, False),
    ],
)
def test_a_birth_date_is_plausible_from_15_to_120_years(
    born: str, precision: str, captured: str, expected: bool
) -> None:
    assert plausible(born, precision, captured) is expected  # type: ignore[arg-type]
