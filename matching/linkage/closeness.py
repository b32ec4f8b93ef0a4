"""How alike two texts are, for many pairs at once. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist

Rows = NDArray[np.int64]
Level = NDArray[np.int8]
Floats = NDArray[np.float64]

UNKNOWN = -1

_LONGEST = 9
"""Digits of a number's end that are read as its place in the sequence in which cards are issued."""

NEIGHBOURS = 3
"""Numbers that lie no farther apart were issued one after the other."""


def of_distinct(
    one: NDArray[np.int32], other: NDArray[np.int32], asked: Callable[[Rows, Rows], NDArray[Any]]
) -> NDArray[Any]:
    """What `asked` says of each pair of numbers; each distinct pair is asked once, the smaller first."""
    low, high = np.minimum(one, other).astype(np.int64), np.maximum(one, other).astype(np.int64)
    distinct, back = np.unique(low << 32 | high, return_inverse=True)
    return np.asarray(asked(distinct >> 32, distinct & 0xFFFFFFFF)[back.reshape(-1)])


def jaro_winkler(values: Sequence[str], low: Rows, high: Rows) -> Floats:
    """Jaro (1989) with the prefix of Winkler (1990), of values by number."""
    ones, others = _ordered(values, low, high)
    return cpdist(ones, others, scorer=JaroWinkler.similarity, dtype=np.float64) if ones else np.empty(0)


def edits(values: Sequence[str], low: Rows, high: Rows) -> Floats:
    """Optimal string alignment: letters changed, left out, put in, or swapped with their neighbour."""
    ones, others = _ordered(values, low, high)
    return cpdist(ones, others, scorer=OSA.distance, dtype=np.float64) if ones else np.empty(0)


def likeness(values: Sequence[str], low: Rows, high: Rows) -> Floats:
    """1 less the edits for each letter of the longer text."""
    ones, others = _ordered(values, low, high)
    return cpdist(ones, others, scorer=OSA.normalized_similarity, dtype=np.float64) if ones else np.empty(0)


def serials(values: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    """By number: the end of the value in digits, -1 without any, and what stands before it."""
    ends, starts = np.full(len(values), -1, np.int64), [""] * len(values)
    for at, value in enumerate(values):
        digits = len(value) - len(value.rstrip("0123456789"))
        digits = min(digits, _LONGEST)
        if digits:
            ends[at], starts[at] = int(value[-digits:]), value[:-digits]
    return ends, starts


def _ordered(values: Sequence[str], low: Rows, high: Rows) -> tuple[list[str], list[str]]:
    """In the order of the texts: Jaro-Winkler need not be symmetric, and numbers depend on who came first."""
    pairs = [
        (values[a], values[b]) if values[a] < values[b] else (values[b], values[a])
        for a, b in zip(low.tolist(), high.tolist(), strict=True)
    ]
    return [a for a, _ in pairs], [b for _, b in pairs]
