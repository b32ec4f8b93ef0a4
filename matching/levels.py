"""How far two versions agree, comparison by comparison, for many pairs at once.

Each real-world fact is compared once: both scripts of a name are one comparison, and so are all levels of a
place. Every comparison is symmetric. Values are levels by number; UNKNOWN says nothing.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import JaroWinkler
from rapidfuzz.process import cpdist

from matching.table import Names

Level = NDArray[np.int8]
Pairs = NDArray[np.int64]
Digits = NDArray[np.uint8]

UNKNOWN = -1

RARE_BITS, COMMON_BITS = -10.0, -6.5
"""log2 of the frequencies below and above which a name counts as rare or common: 1 in 1,000, 1 in 90."""

_SAME, _SPELLING, _CLOSE, _DIFFERENT, _SWAPPED = 0, 3, 4, 8, 9
_NEAR, _SOUND, _FAR = 5, 6, 7


def compare(one: NDArray[Any], other: NDArray[Any], names: Names) -> dict[str, Level]:
    """The level of each comparison of LEVELS for each pair of rows (dtype `table.ROW`)."""
    family, given = _names(one, other, names)
    return {
        "family_name": family,
        "birth_date": _birth_date(one, other),
        "residence": _residence(one, other),
        "sex": np.where(one["sex"] == other["sex"], 0, 1).astype(np.int8),
        "given_name": given,
        "document": _document(one, other),
        "phone": _number(one["phone"], other["phone"], different=2),
    }


def _names(one: NDArray[Any], other: NDArray[Any], names: Names) -> tuple[Level, Level]:
    family = _name(one, other, "family", "family", names)
    given = _name(one, other, "given", "given", names)
    # Only where the names do not agree as they stand is it worth asking whether they are swapped.
    asked = np.flatnonzero((family > _CLOSE) & (given > _CLOSE))
    crossed = np.maximum(
        _name(one[asked], other[asked], "family", "given", names),
        _name(one[asked], other[asked], "given", "family", names),
    )
    swapped = asked[crossed <= _CLOSE]
    family[swapped] = _SWAPPED
    # The swap is one fact: told with the family name, it leaves nothing to say of the given one.
    given[swapped] = UNKNOWN
    return family, given


def _name(one: NDArray[Any], other: NDArray[Any], mine: str, theirs: str, names: Names) -> Level:
    """The closeness of a name in the script in which it is closest; across scripts only the sound counts."""
    khmer, latin = (
        (one[f"{mine}_km"], other[f"{theirs}_km"]),
        (one[f"{mine}_latin"], other[f"{theirs}_latin"]),
    )
    by_khmer, by_latin = _closeness(*khmer, mine, names), _closeness(*latin, mine, names)
    best = np.minimum(by_khmer, by_latin)
    apart = np.flatnonzero((np.minimum(*khmer) == 0) & (np.minimum(*latin) == 0))
    if len(apart):
        skeletons = names.facts["skeleton"]
        # Neither script is there on both sides: what the two sound like is compared.
        sounds, other_sounds = (
            skeletons[np.where(khmer[side][apart] > 0, khmer[side][apart], latin[side][apart])]
            for side in (0, 1)
        )
        best[apart[sounds == other_sounds]] = _SPELLING
        nameless = np.minimum(khmer[0] + latin[0], khmer[1] + latin[1]) == 0
        best[nameless] = UNKNOWN
    return best


def _closeness(one: NDArray[Any], other: NDArray[Any], kind: str, names: Names) -> Level:
    """Of names by number; a missing one is as far as can be."""
    low, high = np.minimum(one, other).astype(np.int64), np.maximum(one, other).astype(np.int64)
    distinct, back = np.unique(low << 32 | high, return_inverse=True)
    low, high = distinct >> 32, distinct & 0xFFFFFFFF
    level = np.full(len(distinct), _DIFFERENT, np.int8)
    asked = np.flatnonzero((low != high) & (low > 0))
    if len(asked):
        level[asked] = _similar(low[asked], high[asked], names)
    same = np.flatnonzero((low == high) & (low > 0))
    bits = names.facts[kind][low[same]]
    level[same] = np.where(bits < RARE_BITS, 0, np.where(bits < COMMON_BITS, 1, 2))
    return level[back.reshape(-1)]


def _similar(low: Pairs, high: Pairs, names: Names) -> Level:
    # In the order of the texts: Jaro-Winkler need not be symmetric, and numbers depend on who came first.
    texts = names.texts
    ordered = [
        (texts[a], texts[b]) if texts[a] < texts[b] else (texts[b], texts[a])
        for a, b in zip(low.tolist(), high.tolist(), strict=True)
    ]
    ones, others = zip(*ordered, strict=True)
    likeness = cpdist(ones, others, scorer=JaroWinkler.similarity, dtype=np.float64)
    skeletons = names.facts["skeleton"]
    sounds = skeletons[low] == skeletons[high]
    return np.select(
        [sounds & (likeness >= 0.85), likeness >= 0.92, likeness >= 0.85, sounds, likeness >= 0.70],
        [_SPELLING, _CLOSE, _NEAR, _SOUND, _FAR],
        _DIFFERENT,
    ).astype(np.int8)


def _birth_date(one: NDArray[Any], other: NDArray[Any]) -> Level:
    years = np.abs(one["year"] - other["year"])
    month, other_month = one["month"], other["month"]
    day, other_day = one["day"], other["day"]
    same_year, same_month, same_day = years == 0, month == other_month, day == other_day
    unknown_day = (day == 0) | (other_day == 0)
    unknown_month = (month == 0) | (other_month == 0)
    # People who know only their year of birth are often recorded as born on 1 January.
    january = (month == 1) & (day == 1)
    other_january = (other_month == 1) & (other_day == 1)
    both_vague, one_vague = (
        (january | (month == 0)) & (other_january | (other_month == 0)),
        january | other_january,
    )
    known = ~unknown_day
    swapped = known & (month == other_day) & (day == other_month)
    agreeing = same_year.astype(np.int8) + same_month + same_day
    return np.select(
        [
            same_year & both_vague,
            known & (agreeing == 3),
            known & same_year & swapped,
            known & (years == 1) & same_month & same_day & ~one_vague,
            known & (agreeing == 2) & ~one_vague,
            same_year & same_month & unknown_day & ~unknown_month,
            same_year & (unknown_month | one_vague),
            same_year,
            years == 1,
        ],
        [1, 0, 2, 3, 4, 5, 6, 7, 8],
        9,
    ).astype(np.int8)


def _residence(one: NDArray[Any], other: NDArray[Any]) -> Level:
    mine, theirs = one["village"], other["village"]
    return np.select(
        [
            (mine == theirs) & (mine % 100 > 0),
            mine // 100 == theirs // 100,
            mine // 10_000 == theirs // 10_000,
            mine // 1_000_000 == theirs // 1_000_000,
        ],
        [0, 1, 2, 3],
        4,
    ).astype(np.int8)


def _document(one: NDArray[Any], other: NDArray[Any]) -> Level:
    """A number is a fact of its kind; the same number under another kind is a slip of the kind."""
    level = _number(one["document"], other["document"], different=3)
    another_kind = (one["kind"] != other["kind"]) & (level > 0)
    return np.where(another_kind, 2, level).astype(np.int8)


def _number(one: NDArray[Any], other: NDArray[Any], different: int) -> Level:
    """0 for equal numbers, 1 for one slip of the pen between them, UNKNOWN where one is missing."""
    known = (one != b"") & (other != b"")
    level = np.full(len(one), UNKNOWN, np.int8)
    level[known] = np.where(one[known] == other[known], 0, different)
    asked = np.flatnonzero(level == different)
    if len(asked):
        mine, theirs = (
            np.ascontiguousarray(each[asked]).view(np.uint8).reshape(-1, 16) for each in (one, other)
        )
        level[asked[_one_slip(mine, theirs)]] = 1
    return level


def _one_slip(mine: Digits, theirs: Digits) -> NDArray[np.bool_]:
    """A digit changed, two neighbours swapped, a digit left out."""
    changed = mine != theirs
    count = changed.sum(axis=1)
    ahead, behind = mine[:, 1:] == theirs[:, :-1], mine[:, :-1] == theirs[:, 1:]
    swapped = (count == 2) & (changed[:, :-1] & ahead & behind).any(axis=1)
    # Equal up to some place, and from there on equal if the one number is shifted by a digit.
    before = np.logical_and.accumulate(np.pad(~changed, ((0, 0), (1, 0)), constant_values=True), axis=1)[
        :, :-2
    ]
    left_out = [
        (before & np.logical_and.accumulate(shifted[:, ::-1], axis=1)[:, ::-1]).any(axis=1)
        for shifted in (ahead, behind)
    ]
    slip: NDArray[np.bool_] = (count == 1) | swapped | left_out[0] | left_out[1]
    return slip
