"""The comparisons by kind: one for each real-world fact, levels closest first. Pure.

Each comparison is symmetric. UNKNOWN, where a value is missing, says nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from matching.linkage import closeness, frequency
from matching.linkage.closeness import UNKNOWN, Level, Rows, of_distinct
from matching.linkage.dates import Dates
from matching.linkage.frequency import SAME, Frequencies
from matching.linkage.texts import NameVocabulary, Texts
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
        return np.bincount(self.same, counts * (counts - 1) / 2, minlength=EQUAL)

    def agreeing(self) -> NDArray[np.float64]:
        """How frequent the values of each level are together."""
        counts = np.bincount(self.texts.numbers, minlength=len(self.texts.values)).astype(np.float64)
        counts[0] = 0
        return np.bincount(self.same, counts, minlength=EQUAL) / max(1.0, counts.sum())


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
        self._ends, self._starts = closeness.serials(texts.values) if self._cards else (None, None)

    def _unlike(self, low: Rows, high: Rows) -> Level:
        level = np.full(len(low), self.different, np.int8)
        level[closeness.edits(self.texts.values, low, high) <= 1] = EQUAL
        if self._ends is not None and self._starts is not None:
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


class DateField:
    """Year, month and day, each with its slips."""

    def __init__(self, name: str, dates: Dates) -> None:
        self.name, self.dates = name, dates
        self._same = np.zeros(len(dates.year), np.int8)
        self._at = {level: at for at, level in enumerate(LEVELS["date_of_birth"])}

    def compare(self, one: Rows, other: Rows) -> Level:
        """The level of each pair of records."""
        dates, at = self.dates, self._at
        y, m, d = dates.year[one], dates.month[one], dates.day[one]
        y2, m2, d2 = dates.year[other], dates.month[other], dates.day[other]
        year, month, day = y == y2, m == m2, d == d2
        no_month = (m == 0) | (m2 == 0)
        no_day = no_month | (d == 0) | (d2 == 0)
        level = np.select(
            [
                (y == 0) | (y2 == 0),
                no_month & year,
                no_day & year & month,
                ~no_day & year & month & day,
                ~no_day & year & (m == d2) & (d == m2),
                ~no_day & _one_digit(_digits(y, m, d), _digits(y2, m2, d2)),
                ~no_day & (year.astype(np.int8) + month + day == 2),
                year,
                np.abs(y - y2) <= 2,
            ],
            [
                UNKNOWN, at["same_year_rest_unknown"], at["same_month_day_unknown"], 0,
                at["day_month_swapped"], at["one_digit"], at["one_part_differs"], at["same_year"],
                at["near_year"],
            ],
            at["different"],
        ).astype(np.int8)  # fmt: skip
        same = level == 0
        level[same] = self._same[one[same]]
        return level

    def frequencies(self) -> dict[str, Frequencies]:
        """Of years, and of days of the year: 1 January is often a guess."""
        dates, known = self.dates, self.dates.year > 0
        whole = known & (dates.day > 0)
        day = np.where(whole, dates.month * 100 + dates.day, 0).astype(np.int32)
        year = np.where(known, dates.year, 0).astype(np.int32)
        return {
            f"{self.name}.year": frequency.frequencies(year, [str(each) for each in range(10_000)]),
            f"{self.name}.day": frequency.frequencies(day, [f"{each:04}" for each in range(10_000)]),
        }

    def weigh(self, known: Mapping[str, Frequencies]) -> None:
        """Take the frequencies from a model."""
        bits = np.zeros(len(self.dates.year))
        for part, value in (("year", self.dates.year), ("day", self.dates.month * 100 + self.dates.day)):
            of_part = np.full(10_000, np.log2(frequency.LISTED))
            for text, each in known.get(f"{self.name}.{part}", {}).items():
                of_part[int(text)] = np.log2(each)
            bits += of_part[np.clip(value, 0, 9_999)]
        self._same = frequency.level_of(bits)

    def chances(self) -> NDArray[np.float64]:
        """How many pairs have one whole date, by level."""
        whole = np.flatnonzero(self.dates.day > 0)
        value = self.dates.year[whole].astype(np.int64) * 10_000 + self.dates.month[whole] * 100
        _, first, counts = np.unique(value + self.dates.day[whole], return_index=True, return_counts=True)
        same = self._same[whole[first]]
        pairs: NDArray[np.float64] = counts * (counts - 1) / 2
        return np.bincount(same, pairs, minlength=EQUAL)

    def agreeing(self) -> NDArray[np.float64]:
        """How frequent the dates of each level are together."""
        whole = self.dates.day > 0
        counts = np.bincount(self._same[whole], minlength=EQUAL).astype(np.float64)
        return counts / max(1.0, counts.sum())


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
            level = of_distinct(a, b, lambda low, high, place=place: self._level(place, low, high))
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
        return found / max(1.0, found.sum())

    def _counted(self, of: "Counting") -> NDArray[np.float64]:
        numbers, vocabulary = max(self.scripts, key=lambda script: int((script[0] > 0).sum()))
        same = self._same[[each[1] for each in self.scripts].index(vocabulary)]
        counts = np.bincount(numbers, minlength=len(vocabulary.values)).astype(np.float64)
        counts[0] = 0
        return np.bincount(same, of(counts), minlength=EQUAL)


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


def _digits(y: NDArray[np.int32], m: NDArray[np.int32], d: NDArray[np.int32]) -> NDArray[np.int32]:
    whole = y.astype(np.int64) * 10_000 + m * 100 + d
    return np.stack([whole // 10**place % 10 for place in range(7, -1, -1)], axis=1).astype(np.int32)


def _one_digit(one: NDArray[np.int32], other: NDArray[np.int32]) -> NDArray[np.bool_]:
    """One digit changed, or two neighbours swapped."""
    changed = one != other
    count = changed.sum(axis=1)
    crossed = (one[:, 1:] == other[:, :-1]) & (one[:, :-1] == other[:, 1:]) & changed[:, 1:] & changed[:, :-1]
    slip: NDArray[np.bool_] = (count == 1) | ((count == 2) & crossed.any(axis=1))
    return slip


def _by_parts(one: list[str], other: list[str]) -> int:
    """Of full names: each part takes its closest of the other name."""
    from rapidfuzz.distance import JaroWinkler

    shorter, longer = sorted((one, other), key=len)
    left, unmatched = list(longer), 0
    for part in shorter:
        best = max(left, key=lambda each: (JaroWinkler.similarity(part, each), each))
        if JaroWinkler.similarity(part, best) >= 0.85 or part[:1] == best[:1] and 1 in (len(part), len(best)):
            left.remove(best)
        else:
            unmatched += 1
    if unmatched:
        return EQUAL + 2 if unmatched < len(shorter) else EQUAL + 3
    return EQUAL + 1 if len(one) != len(other) else EQUAL
