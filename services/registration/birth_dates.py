"""Whether a birth date can be true of a person who registers. Pure."""

import calendar

from shared.contracts.events import Precision
from shared.contracts.fields import parse_date

LEAST_YEARS = 15
MOST_YEARS = 120

_Day = tuple[int, int, int]


def plausible(date_of_birth: str, precision: Precision, captured_at: str) -> bool:
    """Not after the capture by its own date, at least 15 years before it, and not more than 120.

    Where only the month or the year is known the most favourable day counts: of all days that it could be,
    one that is plausible is enough.
    """
    born = parse_date(date_of_birth)
    earliest: _Day = (born.year, born.month, born.day)
    latest = _latest(earliest, precision)
    year, month, day = captured_at[:10].split("-")
    captured: _Day = (int(year), int(month), int(day))
    return birthday(earliest, LEAST_YEARS) <= captured <= birthday(latest, MOST_YEARS)


def birthday(born: _Day, years: int) -> _Day:
    """The day on which someone becomes `years`; of 29 February, 1 March in common years.

    A tuple, since it may lie after the last year that `date` knows.
    """
    year = born[0] + years
    if born[1:] == (2, 29) and not calendar.isleap(year):
        return (year, 3, 1)
    return (year, born[1], born[2])


def _latest(born: _Day, precision: Precision) -> _Day:
    if precision == "day":
        return born
    month = 12 if precision == "year" else born[1]
    return (born[0], month, calendar.monthrange(born[0], month)[1])
