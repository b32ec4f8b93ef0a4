"""How much it says that two records have one value: less, the more frequent the value is. Pure.

Agreement is told in five levels by the frequency of the value, each four times as rare as the one before
(frequency-based weights: Fellegi and Sunter 1969; Winkler 1989). What is rarer than 1 in 2,048 is one level:
that is the cap. Frequencies are fixed in the model.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

SAME = ("same_rarest", "same_rare", "same", "same_common", "same_commonest")
"""Rarest first."""

EDGES = (-11.0, -9.0, -7.0, -5.0)
"""log2 of the frequencies that part them."""

LISTED = 1 / 4096
"""Values that are rarer than this need no place in a model: an unlisted value is of the rarest level."""

FEWEST = 3
"""A value that fewer records have is not written into a model, however small its register."""

Frequencies = Mapping[str, float]


def frequencies(numbers: NDArray[np.int32], values: Sequence[str]) -> dict[str, float]:
    """Of the frequent values among those known (number > 0)."""
    counts = np.bincount(numbers[numbers > 0], minlength=len(values))
    total = max(1, int(counts.sum()))
    listed = np.flatnonzero((counts >= FEWEST) & (counts >= LISTED * total))
    return {values[at]: round(int(counts[at]) / total, 6) for at in listed.tolist()}


def levels(values: Sequence[str], known: Frequencies) -> NDArray[np.int8]:
    """By number of a value the level of agreement in it."""
    bits = np.full(len(values), -64.0)
    for at, value in enumerate(values):
        if value in known:
            bits[at] = np.log2(known[value])
    return level_of(bits)


def level_of(bits: NDArray[np.float64]) -> NDArray[np.int8]:
    """The level of agreement in values of which log2 of the frequency is given."""
    return np.searchsorted(np.array(EDGES), bits, side="right").astype(np.int8)
