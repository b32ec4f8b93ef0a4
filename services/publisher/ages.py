"""Who is 18 on election day. Pure."""

from datetime import date, timedelta
from typing import Literal

VOTING_AGE = 18


def may_vote(born: str, precision: Literal["day", "month", "year"], day: date) -> bool:
    """Whether someone born on `born` (YYYY-MM-DD) is 18 on `day`; of a month or year the last day counts.

    Who was born on 29 February has their birthday on 1 March in common years.
    """
    last = last_possible_day(date.fromisoformat(born), precision)
    year = last.year + VOTING_AGE
    if year > day.year:
        return False  # perhaps beyond the last year that `date` knows
    if (last.month, last.day) == (2, 29):
        return date(year, 3, 1) <= day  # 18 years after a leap year there is no 29 February
    return last.replace(year=year) <= day


def last_possible_day(born: date, precision: Literal["day", "month", "year"]) -> date:
    """The last day that a date of that precision can mean."""
    if precision == "day":
        return born
    if precision == "year":
        return born.replace(month=12, day=31)
    if born.month == 12:
        return born.replace(day=31)
    return born.replace(month=born.month + 1, day=1) - timedelta(days=1)
