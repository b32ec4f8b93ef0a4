"""What pairs of each kind share, by the kinds of the fields. Pure.

What people of one family share at birth (family name, birth date of twins, place), what is personal (given
name) and what is unique (document) are roles of kinds, not of one register's columns. Weights that simply add
up take twins for one person: birth date, family name and place go together there, and weigh more than one
given name that differs. In a class of their own they can be told, and how close their given names and their
documents come is learnt: the cards of twins are often issued one after the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

AGAIN, COPY, TWINS, HOUSEHOLD, NAMESAKES, STRANGERS = (
    "again", "copy", "twins", "household", "namesakes", "strangers",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PairKind:
    """A kind of pairs as known before any data, by kind of field.

    Where nothing is said of a kind of field, two people agree as strangers do.
    """

    name: str
    same_person: bool
    shared: Mapping[str, float] = field(default_factory=dict)
    """In which they have one value as often as this, to begin with; what they share is written twice, as one
    person's is. How often is learnt."""
    always: frozenset[str] = frozenset()
    """In which they have one value by definition."""
    alike: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """In which they have two values that may come closer than strangers' do: to these levels, in these
    proportions. How often is learnt."""
    most: float = float("inf")
    """Pairs a record at most, where nature sets a bound."""
    needs: tuple[frozenset[str], ...] = ()
    """It is told apart only with one of each of these kinds of field."""


ONE_PERSON: Mapping[str, Sequence[float]] = {
    "given_name": (0.7, 0.1, 0.05, 0.03),
    "family_name": (0.7, 0.1, 0.05, 0.03),
    "full_name": (0.6, 0.15, 0.1, 0.05),
    "date_of_birth": (0.8, 0.02, 0.07, 0.02, 0.02),
    "identifier": (0.8, 0.08),
    "place": (0.7, 0.1),
    "address": (0.6, 0.1, 0.05, 0.05),
    "phone": (0.6, 0.1),
    "email": (0.6, 0.1, 0.1),
    "category": (0.98,),
    "text": (0.6, 0.1),
}
"""A first guess at one person registered again: how often equal, and of the levels after that; the rest falls
to all levels as for strangers."""

_NAMES = frozenset({"given_name", "full_name"})
_CARDS = {"next_number": 1.0}
# Sophal and Sophea: parents like names that begin alike.
_NAMES_ALIKE = {
    "given_name": {"near": 0.25, "far": 0.75},
    "full_name": {"part_differs": 1.0},
    "identifier": _CARDS,
}

TWIN_PAIRS = 0.012
"""Of a thousand births some twelve are of twins (Monden, Pison and Smits 2021): no more pairs a record.
Without a bound, records of one person with a garbled given name pass for twins wherever no document tells."""

PAIR_KINDS = (
    PairKind(COPY, True),
    PairKind(AGAIN, True),
    PairKind(
        TWINS,
        False,
        shared={"family_name": 0.95, "place": 0.9, "address": 0.8, "phone": 0.3, "category": 0.5},
        always=frozenset({"date_of_birth"}),
        alike=_NAMES_ALIKE,
        most=TWIN_PAIRS,
        needs=(_NAMES, frozenset({"date_of_birth"})),
    ),
    PairKind(
        HOUSEHOLD,
        False,
        shared={"family_name": 0.7, "place": 0.95, "address": 0.9, "phone": 0.3},
        alike=_NAMES_ALIKE,
        needs=(_NAMES, frozenset({"place", "address", "phone"}), frozenset({"date_of_birth", "identifier"})),
    ),
    PairKind(
        NAMESAKES,
        False,
        shared={"category": 0.95, "place": 0.2},
        always=frozenset({"given_name", "family_name", "full_name"}),
        needs=(_NAMES, frozenset({"date_of_birth"})),
    ),
)


def pair_kinds(kinds: frozenset[str]) -> tuple[PairKind, ...]:
    """Those that can be told apart in a register with these kinds of field."""
    return tuple(each for each in PAIR_KINDS if all(kinds & needed for needed in each.needs))
