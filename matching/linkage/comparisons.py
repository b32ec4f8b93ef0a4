"""The comparisons by kind: one for each real-world fact, levels closest first. Pure.

Each comparison is symmetric. UNKNOWN, where a value is missing, says nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from matching.linkage import closeness, frequency
from matching.linkage.closeness import UNKNOWN, Level, Rows, of_distinct
from matching.linkage.frequency import SAME, Frequencies
from matching.linkage.texts import Texts
from matching.table import hash64

EQUAL = len(SAME)
"""The first levels of every comparison are agreement, told apart by rarity."""

LEVELS: Mapping[str, tuple[str, ...]] = {
    "given_name": (*SAME, "close", "near", "far", "different"),
    "family_name": (*SAME, "close", "near", "far", "different", "swapped"),
    "full_name": (*SAME, "close", "part_missing", "part_differs", "different"),
    "date_of_birth": (
        *SAME, "day_month_swapped", "one_digit", "same_month_day_unknown", "one_part_differs",
        "same_year_rest_unknown", "same_year", "near_year", "different",
    ),
    "identifier": (*SAME, "one_slip", "next_number", "different"),
    "place": (*SAME, "close", "same_second", "same_third", "same_coarse", "different"),
    "address": (*SAME, "close", "near", "far", "different"),
    "phone": (*SAME, "one_slip", "different"),
    "email": (*SAME, "same_mailbox", "close", "different"),
    "category": (*SAME, "different"),
    "text": (*SAME, "close", "different"),
}  # fmt: skip

UNORDERED = frozenset({"swapped", "next_number"})
"""Levels that are no step between same and different: names swapped, two cards issued one after the other."""


class Compared(Protocol):
    """The values of one field for all records of a register."""

    def compare(self, one: Rows, other: Rows) -> Level:
        """The level of each pair of records."""

    def frequencies(self) -> dict[str, Frequencies]:
        """Of the frequent values, by column: what the model keeps."""

    def weigh(self, known: Mapping[str, Frequencies]) -> None:
        """Take the frequencies from a model."""

    def chances(self) -> NDArray[np.float64]:
        """How many pairs of records agree, by level of agreement."""

    def agreeing(self) -> NDArray[np.float64]:
        """How frequent the values of each level of agreement are together."""


def by_level(same: NDArray[np.int8], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights' sum by level of agreement."""
    return np.bincount(same, weights, minlength=EQUAL).astype(np.float64)


class TextField:
    """One text a record; what is alike but not the same is told by `_unlike`."""

    different: int

    def __init__(self, kind: str, name: str, texts: Texts) -> None:
        self.name, self.texts = name, texts
        self.different = LEVELS[kind].index("different")
        self.same = np.zeros(len(texts.values), np.int8)

    def compare(self, one: Rows, other: Rows) -> Level:
        """The level of each pair of records."""
        mine, theirs = self.texts.numbers[one], self.texts.numbers[other]
        return of_distinct(mine, theirs, self._level).astype(np.int8)

    def _level(self, low: Rows, high: Rows) -> Level:
        level = np.full(len(low), self.different, np.int8)
        equal = low == high
        level[equal] = self.same[low[equal]]
        level[low == 0] = UNKNOWN
        asked = np.flatnonzero(~equal & (low > 0))
        if len(asked):
            level[asked] = self._unlike(low[asked], high[asked])
        return level

    def _unlike(self, low: Rows, high: Rows) -> Level:
        return np.full(len(low), self.different, np.int8)

    def key_parts(self) -> NDArray[np.uint64]:
        """What a blocking key takes of it, 0 for none; of a mailbox the part before the host."""
        return self.texts.numbers.astype(np.uint64)

    def frequencies(self) -> dict[str, Frequencies]:
        """Of the frequent values."""
        return {self.name: frequency.frequencies(self.texts.numbers, self.texts.values)}

    def weigh(self, known: Mapping[str, Frequencies]) -> None:
        """Take the frequencies from a model."""
        self.same = frequency.levels(self.texts.values, known.get(self.name, {}))

    def chances(self) -> NDArray[np.float64]:
        """How many pairs agree, by level."""
        counts = np.bincount(self.texts.numbers, minlength=len(self.texts.values)).astype(np.float64)
        counts[0] = 0
        return by_level(self.same, counts * (counts - 1) / 2)

    def agreeing(self) -> NDArray[np.float64]:
        """How frequent the values of each level are together."""
        counts = np.bincount(self.texts.numbers, minlength=len(self.texts.values)).astype(np.float64)
        counts[0] = 0
        return by_level(self.same, counts / max(1.0, float(counts.sum())))


class Category(TextField):
    """Same or not."""


class LooseText(TextField):
    """Same, close, or not."""

    def _unlike(self, low: Rows, high: Rows) -> Level:
        like = closeness.jaro_winkler(self.texts.values, low, high)
        return np.where(like >= 0.88, EQUAL, self.different).astype(np.int8)


class Identifier(TextField):
    """A number that nobody else should have, or a telephone's."""

    def __init__(self, kind: str, name: str, texts: Texts) -> None:
        super().__init__(kind, name, texts)
        self._cards = "next_number" in LEVELS[kind]
        self._ends, self._starts = closeness.serials(texts.values)

    def _unlike(self, low: Rows, high: Rows) -> Level:
        level = np.full(len(low), self.different, np.int8)
        level[closeness.edits(self.texts.values, low, high) <= 1] = EQUAL
        if self._cards:
            apart = np.abs(self._ends[low] - self._ends[high])
            near = np.flatnonzero(
                (apart <= closeness.NEIGHBOURS) & (self._ends[low] >= 0) & (self._ends[high] >= 0)
            )
            for at in near.tolist():
                if self._starts[low[at]] == self._starts[high[at]]:
                    level[at] = EQUAL + 1
        return level


class Email(TextField):
    """A mailbox may have several hosts."""

    def __init__(self, kind: str, name: str, texts: Texts) -> None:
        super().__init__(kind, name, texts)
        self.mailboxes = [each.partition("@")[0] for each in texts.values]

    def key_parts(self) -> NDArray[np.uint64]:
        """The part before the host."""
        return np.array([hash64(each) if each else 0 for each in self.mailboxes], np.uint64)[
            self.texts.numbers
        ]

    def _unlike(self, low: Rows, high: Rows) -> Level:
        mailboxes = self.mailboxes
        same = np.array(
            [mailboxes[a] == mailboxes[b] for a, b in zip(low.tolist(), high.tolist(), strict=True)], np.bool_
        )
        like = closeness.jaro_winkler(mailboxes, low, high)
        return np.select([same, like >= 0.92], [EQUAL, EQUAL + 1], self.different).astype(np.int8)


class Address(TextField):
    """Words without order, so that parts written in each other's column agree."""

    def _unlike(self, low: Rows, high: Rows) -> Level:
        like = closeness.likeness(self.texts.values, low, high)
        return np.select(
            [like >= 0.85, like >= 0.65, like >= 0.5], [EQUAL, EQUAL + 1, EQUAL + 2], self.different
        ).astype(np.int8)


class Place:
    """Columns from coarse to fine; the finest that agrees counts."""

    def __init__(self, name: str, columns: Sequence[Texts]) -> None:
        self._finest = LooseText("text", name, columns[-1])
        self._coarser = [column.numbers for column in reversed(columns[:-1])]
        self._different = LEVELS["place"].index("different")

    def compare(self, one: Rows, other: Rows) -> Level:
        """The level of each pair of records."""
        finest = self._finest.compare(one, other)
        level = np.where(finest == self._finest.different, self._different, finest).astype(np.int8)
        known = finest != UNKNOWN
        for step, numbers in enumerate(self._coarser):
            mine, theirs = numbers[one], numbers[other]
            told = (mine > 0) & (theirs > 0)
            same = told & (mine == theirs)
            named = min(EQUAL + 1 + step, self._different - 1)
            level[same & ((level == self._different) | ~known)] = named
            if step == 0:
                # One name in two regions is two places, or one of which a column is wrong.
                level[told & ~same & (level >= 0) & (level < EQUAL)] = EQUAL
            level[told & ~same & ~known] = self._different
            known |= told
        return level

    def parts(self) -> dict[str, NDArray[np.uint64]]:
        """What blocking keys take of it: `place`, the finest, and `coarse`, the next."""
        parts = {"place": self._finest.key_parts()}
        if self._coarser:
            parts["coarse"] = self._coarser[0].astype(np.uint64)
        return parts

    def frequencies(self) -> dict[str, Frequencies]:
        """Of the frequent places."""
        return self._finest.frequencies()

    def weigh(self, known: Mapping[str, Frequencies]) -> None:
        """Take the frequencies from a model."""
        self._finest.weigh(known)

    def chances(self) -> NDArray[np.float64]:
        """How many pairs agree in the finest column, by level."""
        return self._finest.chances()

    def agreeing(self) -> NDArray[np.float64]:
        """How frequent the places of each level are together."""
        return self._finest.agreeing()
