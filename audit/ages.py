"""Days and ages as the contract counts them."""

from datetime import date, timedelta

from shared.contracts.events import Voter
from shared.contracts.fields import parse_date


def possible_days(voter: Voter) -> list[date]:
    """Every day on which the voter may be born."""
    first = parse_date(voter.date_of_birth)
    known = {"day": 10, "month": 7, "year": 4}[voter.date_of_birth_precision]
    days = [first]
    while days[-1] < date.max and str(days[-1] + timedelta(1))[:known] == str(first)[:known]:
        days.append(days[-1] + timedelta(1))
    return days


def birthday(born: date, age: int) -> date:
    """The day on which someone turns `age`: 1 March where there is no 29 February; date.max when past it."""
    if born.year + age > 9999:
        return date.max
    try:
        return born.replace(year=born.year + age)
    except ValueError:
        return date(born.year + age, 3, 1)
