"""What a clerk writes down of a person, and what differs when the same person is written down again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from simulator.dice import Dice, Weighted
from simulator.names import look_alike, misspell, mistype, respell
from simulator.people import Person, Population

KHMER_ONLY = 0.02
LATIN_ONLY = 0.03
YOUNGEST_BORN = date(2008, 6, 1)
"""A wrong birth date that would make the person too young for the next election is not drawn."""

Voter = dict[str, Any]


@dataclass(slots=True)
class Copy:
    """One registration of a person: `voter` as in the contract, `village` by code."""

    voter: Voter
    village: str


def write_down(person: Person, dice: Dice) -> Copy:
    """The person as first captured; now and then one script is left out."""
    voter: Voter = {
        "family_name": {"km": person.family.km, "latin": person.family.latin},
        "given_name": {"km": person.given.km, "latin": person.given.latin},
        "sex": person.sex,
        "date_of_birth": person.born.isoformat(),
        "date_of_birth_precision": person.precision,
    }
    if person.document:
        voter["identity_document"] = {"kind": person.document[0], "number": person.document[1]}
    if person.phone:
        voter["phone"] = person.phone
    elif dice.chance(0.5):
        voter["phone"] = None  # some systems write null, others nothing
    roll = dice.random()
    if roll < KHMER_ONLY:
        _leave_out(voter, "latin", dice)
    elif roll < KHMER_ONLY + LATIN_ONLY:
        _leave_out(voter, "km", dice)
    return Copy(voter, person.village)


def write_again(person: Person, kind: str, population: Population, dice: Dice) -> Copy:
    """The person as captured a second time; `kind` is one of KINDS and says what is different."""
    copy = write_down(person, dice)
    for step in dice.pick(COMBINATIONS) if kind == "combined" else (kind,):
        _STEPS[step](copy, person, population, dice)
    if kind not in ("same_data", "missing_digit"):
        _in_passing(copy.voter, population, dice)
    return copy


def _in_passing(voter: Voter, population: Population, dice: Dice) -> None:
    """What changes between two visits anyway: another telephone, the card left at home."""
    if dice.chance(0.15):
        voter["phone"] = population.new_phone()
    elif dice.chance(0.1):
        voter.pop("phone", None)
    if dice.chance(0.1):
        voter.pop("identity_document", None)


def _leave_out(voter: Voter, script: str, dice: Dice) -> None:
    for field in ("family_name", "given_name"):
        if dice.chance(0.5):
            voter[field][script] = None
        else:
            del voter[field][script]


def _romanise(copy: Copy, person: Person, population: Population, dice: Dice) -> None:
    both = dice.chance(0.4)
    which = dice.below(2)
    for at, (field, name) in enumerate((("family_name", person.family), ("given_name", person.given))):
        if both or at == which:
            copy.voter[field]["latin"] = respell(name, dice).latin


def _encode(copy: Copy, person: Person, population: Population, dice: Dice) -> None:
    for field, name in (("family_name", person.family), ("given_name", person.given)):
        copy.voter[field]["km"] = look_alike(name.km, dice)


def _mistype(copy: Copy, person: Person, population: Population, dice: Dice) -> None:
    field, name = dice.pick((("family_name", person.family), ("given_name", person.given)))
    roll = dice.random()
    if roll < 0.7:
        copy.voter[field]["latin"] = mistype(name.latin, dice)
    if roll > 0.4:
        copy.voter[field]["km"] = misspell(name.km, dice)


def _swap(copy: Copy, person: Person, population: Population, dice: Dice) -> None:
    voter = copy.voter
    voter["family_name"], voter["given_name"] = voter["given_name"], voter["family_name"]


def _rebirth(copy: Copy, person: Person, population: Population, dice: Dice) -> None:
    while True:
        born, precision = _other_birth(person.born, person.precision, dice)
        if born < YOUNGEST_BORN and (born, precision) != (person.born, person.precision):
            break
    copy.voter["date_of_birth"] = born.isoformat()
    copy.voter["date_of_birth_precision"] = precision


def _other_birth(born: date, precision: str, dice: Dice) -> tuple[date, str]:
    """Day and month swapped, a slip in the day, a year or ten off, or only the year remembered."""
    roll = dice.random()
    if precision == "day" and roll < 0.3 and born.day <= 12:
        return born.replace(month=born.day, day=born.month), precision
    if precision == "day" and roll < 0.55:
        return born.replace(day=dice.between(1, 28)), precision
    if precision == "day" and roll < 0.7:
        return born.replace(month=dice.between(1, 12), day=min(born.day, 28)), precision
    if roll < 0.9:
        return born.replace(
            year=born.year + dice.pick((-1, 1, -1, -2, -10)), day=min(born.day, 28)
        ), precision
    return date(born.year - dice.below(2), 1, 1), "year"


def _redocument(copy: Copy, person: Person, population: Population, dice: Dice) -> None:
    kind, number = population.new_document()
    copy.voter["identity_document"] = {"kind": kind, "number": number}


def _drop_digit(copy: Copy, person: Person, population: Population, dice: Dice) -> None:
    document = copy.voter.get("identity_document")
    if document:
        number = document["number"]
        at = dice.between(1, len(number) - 1)
        digit = "" if dice.chance(0.6) else dice.digits(1)
        document["number"] = number[:at] + digit + number[at + 1 :]
    phone = copy.voter.get("phone")
    if phone:
        at = dice.between(3, len(phone) - 1)
        copy.voter["phone"] = phone[:at] + dice.digits(1) + phone[at + 1 :]


def _move(copy: Copy, person: Person, population: Population, dice: Dice) -> None:
    copy.village = population.another_village(copy.village[:6])


def _one_script(copy: Copy, person: Person, population: Population, dice: Dice) -> None:
    script = dice.pick(("km", "latin"))
    for field, name in (("family_name", person.family), ("given_name", person.given)):
        copy.voter[field] = {script: getattr(name, script)}


def _nothing(copy: Copy, person: Person, population: Population, dice: Dice) -> None:
    pass


_STEPS: dict[str, Callable[[Copy, Person, Population, Dice], None]] = {
    "same_data": _nothing,
    "other_romanisation": _romanise,
    "khmer_encoding": _encode,
    "typing_error": _mistype,
    "swapped_names": _swap,
    "other_birth_date": _rebirth,
    "other_document": _redocument,
    "missing_digit": _drop_digit,
    "moved": _move,
    "one_script": _one_script,
}

COMBINATIONS = (
    ("moved", "other_romanisation"),
    ("moved", "other_document"),
    ("moved", "typing_error"),
    ("other_romanisation", "khmer_encoding"),
    ("other_romanisation", "other_document"),
    ("other_birth_date", "other_romanisation"),
    ("swapped_names", "moved"),
    ("khmer_encoding", "other_document", "moved"),
    ("other_romanisation", "typing_error", "missing_digit"),
)
"""What `combined` means: several differences at once, never so many that nobody could tell."""

_SHARES = {
    "same_data": 15,
    "other_romanisation": 20,
    "khmer_encoding": 8,
    "typing_error": 12,
    "swapped_names": 6,
    "other_birth_date": 10,
    "other_document": 8,
    "missing_digit": 6,
    "moved": 10,
    "one_script": 5,
    "combined": 10,
}
KINDS = tuple(_SHARES)
"""How a person's second registration differs from the first."""

_BY_SHARE = Weighted(KINDS, list(_SHARES.values()))


def kinds(count: int, dice: Dice) -> list[str]:
    """That many kinds, each at least once if there is room, the rest by their shares."""
    return list(KINDS[:count]) + [_BY_SHARE.draw(dice) for _ in range(count - len(KINDS))]
