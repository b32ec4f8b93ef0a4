"""Estimates a model's probabilities from pairs without labels: one EM over all candidates together. Pure.

Every pair of the register belongs to one kind (class). What strangers look like is counted on random pairs
and stays fixed; how often the other kinds occur, and how far they agree, is estimated from the candidates.
Pairs that are no candidates count as strangers: shares are of all pairs, and blocking does not distort them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matching.scoring import levels_of
from shared.contracts.model_file import LEVELS, STRANGERS, PairClass

Floats = NDArray[np.float64]
Table = dict[str, Floats]
"""By field: the probability of each level."""

ROUNDS = 300
_CLOSE_ENOUGH = 1e-9

_TRACE = 1e-4

_PRIOR_PAIRS = 4.0
"""Weight of the first guess, in pairs: a level that was never seen is rare, not impossible."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of pair as known before any data: a first guess, and what kinship or chance does not touch.

    `guess` is by field the probability of the closest levels, in their order; what is missing of 1 falls to
    all levels as for strangers. In `as_strangers` the kind is like strangers: two people have two documents.
    """

    name: str
    same_person: bool
    guess: Mapping[str, Sequence[float]]
    as_strangers: frozenset[str] = frozenset()
    differs: frozenset[str] = frozenset()
    """Fields in which it agrees no more often than strangers do, but may be closer than they are."""
    equal: frozenset[str] = frozenset()
    """Fields in which it is equal by definition, but for a trace."""


KINDS = (
    Kind("copy", True, dict.fromkeys(LEVELS, (1 - _TRACE,)), equal=frozenset(LEVELS)),
    Kind(
        "again",
        True,
        {
            "family_name": (0.8, 0.15),
            "birth_date": (0.8, 0.1),
            "residence": (0.7, 0.1),
            "sex": (0.99,),
            "given_name": (0.7, 0.2),
            "document": (0.6, 0.1, 0.1),
            "phone": (0.6, 0.1),
        },
    ),
    Kind(
        "twins",
        False,
        {
            "family_name": (0.95,),
            "birth_date": (0.95,),
            "residence": (0.9,),
            # Often alike: a syllable shared, as in Sophal and Sophea.
            "given_name": (0.0, 0.1, 0.1, 0.2, 0.1, 0.1),
            "phone": (0.3,),
        },
        as_strangers=frozenset({"document"}),
        differs=frozenset({"given_name"}),
        equal=frozenset({"birth_date"}),
    ),
    Kind(
        "namesakes",
        False,
        {"family_name": (0.95,), "birth_date": (0.5,), "sex": (0.95,), "given_name": (0.95,)},
        as_strangers=frozenset({"document", "phone"}),
        equal=frozenset({"family_name", "given_name"}),
    ),
)
_CLOSEST = {"family_name": 3, "given_name": 3, "birth_date": 2, "residence": 2}
"""How many levels equal values can have, told apart by rarity or precision; 1 in all other fields."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The classes with their pairs a record, and by class and field the probability of each level."""

    classes: tuple[PairClass, ...]
    probabilities: Mapping[str, Table]


def frequencies(patterns: NDArray[np.int64]) -> Table:
    """How often each level occurs among the pairs, by field; half a pair is added to each."""
    distinct, counts = np.unique(patterns, return_counts=True)
    totals = {field: seen @ counts + 0.5 for field, seen in _seen(distinct).items()}
    return {field: total / total.sum() for field, total in totals.items()}


def estimate(patterns: NDArray[np.int64], strangers: Table, records: int) -> Estimate:
    """Run EM over the candidates' patterns (one a pair) of a register of that many records.

    Deterministic: no draws, and patterns are taken in their order by number.
    """
    distinct, counts = np.unique(patterns, return_counts=True)
    seen = _seen(distinct)
    pairs = records * (records - 1) / 2
    guesses = {kind.name: _guess(kind, strangers) for kind in KINDS}
    tables = {**guesses, STRANGERS: strangers}
    shares = dict.fromkeys(guesses, 0.01 * records / pairs)
    for _ in range(ROUNDS):
        belief = _belief(seen, tables, shares)
        before = shares
        shares = {name: max(float(belief[name] @ counts), 0.1) / pairs for name in guesses}
        for kind in KINDS:
            weighted = belief[kind.name] * counts
            tables[kind.name] = {
                field: _pinned(kind, field, seen[field] @ weighted + _PRIOR_PAIRS * guess, strangers[field])
                for field, guess in guesses[kind.name].items()
            }
        if all(abs(shares[name] - before[name]) < _CLOSE_ENOUGH * shares[name] for name in shares):
            break
    classes = [
        PairClass(
            name=kind.name, same_person=kind.same_person, pairs_per_record=shares[kind.name] * pairs / records
        )
        for kind in KINDS
    ]
    return Estimate((*classes, PairClass(name=STRANGERS, same_person=False, pairs_per_record=None)), tables)


def _seen(patterns: NDArray[np.int64]) -> Table:
    """By field: levels x patterns, 1 where the pattern has the level."""
    named = [levels_of(int(each)) for each in patterns]
    return {
        field: np.array([[float(each[field] == level) for each in named] for level in names])
        for field, names in LEVELS.items()
    }


def _belief(seen: Table, tables: Mapping[str, Table], shares: Mapping[str, float]) -> dict[str, Floats]:
    logs = {}
    for name, table in tables.items():
        share = shares.get(name, 1 - sum(shares.values()))
        # A level that is unknown has no row, so it says nothing.
        by_field = np.array([np.log(table[field]) @ seen[field] for field in LEVELS])
        logs[name] = np.log(share) + by_field.sum(axis=0)
    most = np.max(list(logs.values()), axis=0)
    total = sum(np.exp(each - most) for each in logs.values())
    return {name: np.exp(each - most) / total for name, each in logs.items()}


def _guess(kind: Kind, strangers: Table) -> Table:
    table: Table = {}
    for field, chance in strangers.items():
        first, *others = kind.guess.get(field, (0.0,))
        closest = _CLOSEST.get(field, 1)
        level = (1 - first - sum(others)) * chance
        level[:closest] += first / closest
        level[closest : closest + len(others)] += others
        table[field] = _pinned(kind, field, level, chance)
    return table


def _pinned(kind: Kind, field: str, counts: Floats, chance: Floats) -> Floats:
    if field in kind.as_strangers:
        return chance
    equal = _CLOSEST.get(field, 1)
    pinned: Floats = counts / counts.sum()
    if field in kind.equal:
        pinned[:equal] *= (1 - _TRACE) / pinned[:equal].sum()
        pinned[equal:] = _TRACE * chance[equal:] / chance[equal:].sum()
    if field in kind.differs:
        pinned[equal:] *= (1 - chance[:equal].sum()) / pinned[equal:].sum()
        pinned[:equal] = chance[:equal]
    return pinned
