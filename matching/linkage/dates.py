"""Dates of birth from what registers write. Pure."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.contracts.normalise import latin_digits

Date = tuple[int, int, int]
"""Year, month, day; 0 for what is not known."""

NONE: Date = (0, 0, 0)
BUDDHIST_ERA = 543
_FIRST_BUDDHIST = 2400
"""Years from here on are of the Buddhist era: 2400 is 1857, before anybody who can register was born."""

_PARTS = {"%Y": r"(?P<y>\d{4})", "%m": r"(?P<m>\d{1,2})", "%d": r"(?P<d>\d{1,2})"}
_USUAL = ("%Y-%m-%d", "%Y%m%d", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y-%m", "%m/%Y", "%Y")


class Dates:
    """The dates of a column: year, month, day by record."""

    def __init__(self, written: Sequence[str], format_: str | None) -> None:
        patterns = [_pattern(each) for each in (([format_] if format_ else []) + list(_USUAL))]
        known: dict[str, Date] = {}
        found = []
        for text in written:
            date = known.get(text)
            if date is None:
                date = known[text] = parse(text, patterns)
            found.append(date)
        parts = np.asarray(found, np.int32).reshape(-1, 3)
        self.year: NDArray[np.int32] = parts[:, 0].copy()
        self.month: NDArray[np.int32] = parts[:, 1].copy()
        self.day: NDArray[np.int32] = parts[:, 2].copy()
        self.unread = sum(1 for text, date in known.items() if date == NONE and text.strip())


def parse(text: str, patterns: Sequence[re.Pattern[str]]) -> Date:
    """A date whose parts may be unknown: written 00, or left out from the end. NONE where it is no date.

    Months above 12 and days above 31 stay as they are written: a slip in one digit is compared, not lost.
    """
    bare = re.split(r"[T ]", latin_digits(text.strip()), maxsplit=1)[0]
    for pattern in patterns:
        match = pattern.fullmatch(bare)
        if match:
            groups = match.groupdict()
            year, month, day = (int(groups.get(part) or 0) for part in "ymd")
            return (year - BUDDHIST_ERA if year >= _FIRST_BUDDHIST else year, month, day)
    return NONE


def usual_patterns() -> list[re.Pattern[str]]:
    """Those that are tried where a schema gives no format."""
    return [_pattern(each) for each in _USUAL]


def _pattern(format_: str) -> re.Pattern[str]:
    written = re.escape(format_).replace(r"\%", "%")
    for directive, part in _PARTS.items():
        written = written.replace(directive, part)
    if format_ == "%Y%m%d":
        written = written.replace(r"\d{1,2}", r"\d{2}")
    return re.compile(written)
