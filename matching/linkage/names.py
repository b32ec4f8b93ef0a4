"""Names, compared in the script in which they are closer, or as whole names in any order. Pure."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import JaroWinkler

from matching.linkage import closeness, frequency
from matching.linkage.closeness import UNKNOWN, Level, Rows, of_distinct
from matching.linkage.comparisons import EQUAL, LEVELS, TextField, by_level
from matching.linkage.frequency import Frequencies
from matching.linkage.texts import NameVocabulary


class FullName(TextField):
    """All names in one column, in any order."""

    def _unlike(self, low: Rows, high: Rows) -> Level:
        values = self.texts.values
        return np.array(
            [
                _by_parts(values[a].split(), values[b].split())
                for a, b in zip(low.tolist(), high.tolist(), strict=True)
            ],
            np.int8,
        )


class Name:
    """A given or family name in one script or several: the script in which it is closer counts."""

    def __init__(self, kind: str, name: str, scripts: Sequence[tuple[NDArray[np.int32], NameVocabulary]]):
        self.name, self.scripts = name, scripts
        self._at = {level: at for at, level in enumerate(LEVELS[kind])}
        self._same = [np.zeros(len(vocabulary.values), np.int8) for _, vocabulary in scripts]

    def compare(self, one: Rows, other: Rows) -> Level:
        """The level of each pair of records."""
        return self.against(self, one, other)

    def against(self, theirs: "Name", one: Rows, other: Rows) -> Level:
        """The level of this name of the one records and that name of the others."""
        different = self._at["different"]
        best = np.full(len(one), different + 1, np.int8)
        mine_any, theirs_any = np.zeros(len(one), np.bool_), np.zeros(len(one), np.bool_)
        for place, ((numbers, _), (others, _)) in enumerate(zip(self.scripts, theirs.scripts, strict=True)):
            a, b = numbers[one], others[other]
            level = of_distinct(a, b, partial(self._level, place))
            best = np.where((a > 0) & (b > 0), np.minimum(best, level), best)
            mine_any |= a > 0
            theirs_any |= b > 0
        apart = np.flatnonzero(best > different)
        if len(apart):
            # No script is there on both sides: what the two sound like is compared.
            sounds = _sounds(self, one[apart]) == _sounds(theirs, other[apart])
            best[apart] = np.where(sounds, self._at["near"], different)
        best[~(mine_any & theirs_any)] = UNKNOWN
        return best.astype(np.int8)

    def _level(self, place: int, low: Rows, high: Rows) -> Level:
        vocabulary, same = self.scripts[place][1], self._same[place]
        level = np.full(len(low), self._at["different"], np.int8)
        equal = low == high
        level[equal] = same[low[equal]]
        asked = np.flatnonzero(~equal & (low > 0))
        if len(asked):
            low, high = low[asked], high[asked]
            like = closeness.jaro_winkler(vocabulary.values, low, high)
            sound = vocabulary.skeletons[low] == vocabulary.skeletons[high]
            part = vocabulary.is_part(low, high)
            level[asked] = np.select(
                [
                    (like >= 0.92) | (sound & (like >= 0.85)),
                    (like >= 0.85) | part | (sound & (like >= 0.7)),
                    (like >= 0.70) | sound,
                ],
                [self._at["close"], self._at["near"], self._at["far"]],
                self._at["different"],
            )
        return level

    def frequencies(self) -> dict[str, Frequencies]:
        """Of the frequent names, by script."""
        return {
            f"{self.name}.{place}": frequency.frequencies(numbers, vocabulary.values)
            for place, (numbers, vocabulary) in enumerate(self.scripts)
        }

    def weigh(self, known: Mapping[str, Frequencies]) -> None:
        """Take the frequencies from a model."""
        self._same = [
            frequency.levels(vocabulary.values, known.get(f"{self.name}.{place}", {}))
            for place, (_, vocabulary) in enumerate(self.scripts)
        ]

    def chances(self) -> NDArray[np.float64]:
        """How many pairs have one name in the first script, by level."""
        return self._counted(lambda counts: counts * (counts - 1) / 2)

    def agreeing(self) -> NDArray[np.float64]:
        """How frequent the names of each level are together."""
        found = self._counted(lambda counts: counts)
        return np.asarray(found / max(1.0, float(found.sum())))

    def _counted(self, of: "Counting") -> NDArray[np.float64]:
        numbers, vocabulary = max(self.scripts, key=lambda script: int((script[0] > 0).sum()))
        same = self._same[[each[1] for each in self.scripts].index(vocabulary)]
        counts = np.bincount(numbers, minlength=len(vocabulary.values)).astype(np.float64)
        counts[0] = 0
        return by_level(same, of(counts))


class Counting(Protocol):
    """A sum over counts."""

    def __call__(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """By value."""


def swap(family: Name, given: Name, levels: tuple[Level, Level], one: Rows, other: Rows) -> None:
    """Tell swapped names with the family name alone, in place: the swap is one fact."""
    of_family, of_given = levels
    close = LEVELS["given_name"].index("close")
    asked = np.flatnonzero((of_family > close) & (of_given > close))
    crossed = np.maximum(
        family.against(given, one[asked], other[asked]), given.against(family, one[asked], other[asked])
    )
    swapped = asked[(crossed <= close) & (crossed != UNKNOWN)]
    of_family[swapped] = LEVELS["family_name"].index("swapped")
    of_given[swapped] = UNKNOWN


def _sounds(name: Name, rows: Rows) -> NDArray[np.uint64]:
    found = np.zeros(len(rows), np.uint64)
    for numbers, vocabulary in reversed(name.scripts):
        here = numbers[rows]
        found = np.where(here > 0, vocabulary.skeletons[here], found)
    return found


def _by_parts(one: list[str], other: list[str]) -> int:
    """Of full names: each part takes its closest of the other name."""
    shorter, longer = sorted((one, other), key=len)
    left, unmatched = list(longer), 0
    for part in shorter:
        best = max(left, key=lambda each: (JaroWinkler.similarity(part, each), each))
        if JaroWinkler.similarity(part, best) >= 0.85 or (
            part[:1] == best[:1] and 1 in (len(part), len(best))
        ):
            left.remove(best)
        else:
            unmatched += 1
    if unmatched:
        return EQUAL + 2 if unmatched < len(shorter) else EQUAL + 3
    return EQUAL + 1 if len(one) != len(other) else EQUAL
