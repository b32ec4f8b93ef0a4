"""Dates of birth, compared part by part. Pure."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from matching.linkage import frequency
from matching.linkage.closeness import UNKNOWN, Level, Rows
from matching.linkage.comparisons import EQUAL, LEVELS, by_level
from matching.linkage.dates import Dates
from matching.linkage.frequency import Frequencies


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
        return by_level(same, pairs)

    def agreeing(self) -> NDArray[np.float64]:
        """How frequent the dates of each level are together."""
        whole = self.dates.day > 0
        counts = np.bincount(self._same[whole], minlength=EQUAL).astype(np.float64)
        return np.asarray(counts / max(1.0, float(counts.sum())))


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
