"""Which pairs are worth comparing: those that share a blocking key, by the kinds of the fields. Pure.

Each key leaves out what another one holds on to, so that no single error hides a pair. A block that is larger
than the limit is left out whole; a finer key takes its place. So no record costs more than a bound, whatever
is in the register: a telephone that 50,000 people share makes no pairs, their names do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from matching.keys import mix
from matching.linkage.birth_dates import DateField
from matching.linkage.comparisons import Place, TextField
from matching.linkage.names import Name
from matching.linkage.register import Register
from matching.table import hash64

LARGEST_BLOCK = 100
"""Records of a block at most."""

PAIRS_AT_ONCE = 1 << 18

FACTS = (
    ("given", "given_start"), ("family", "family_start"), ("born", "year", "day"), ("place", "coarse"),
    ("address", "street"), ("text",),
)  # fmt: skip
"""The parts of each fact; `start` are the first letters, `street` the longest word of an address."""

KEYS = (
    *(("identifier",), ("phone",), ("email",), ("names",), ("address",), ("born",)),
    *((a, b) for one, other in combinations(FACTS, 2) for a in one for b in other),
    ("names", "year"), ("names", "day"), ("names", "place"), ("names", "coarse"), ("names", "category"),
    ("family", "year", "place"), ("given", "year", "place"), ("family", "day", "place"),
    ("given", "day", "place"), ("family", "year", "coarse"), ("given", "year", "coarse"),
    ("family_start", "given_start", "year"), ("family_start", "given_start", "day"),
    ("family_start", "given_start", "place"), ("family_start", "given_start", "coarse"),
)  # fmt: skip
"""By the parts that fields of the kinds give: any two facts, and finer ones for where those make blocks that
are too large. A key of which a register lacks a part is left out."""

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Key:
    """The key of each record, 0 where it has none or its block is too large."""

    name: str
    hashes: Hashes
    cut: int
    """Records in blocks that were too large."""
    largest: int
    """Size of the largest block, of those too."""


def keys(register: Register, largest_block: int = LARGEST_BLOCK) -> list[Key]:
    """Every key that the register's fields give."""
    parts = _parts(register)
    return [
        _key("+".join(names), [parts[each] for each in chosen], largest_block)
        for names in KEYS
        for chosen in _expanded(names, parts)
    ]


def pairs(made: list[Key]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The rows of each candidate, the smaller first, each pair once, some at a time."""
    for at, key in enumerate(made):
        for one, other in _of_key(key.hashes):
            fresh = np.ones(len(one), np.bool_)
            for before in made[:at]:
                mine = before.hashes[one]
                fresh &= (mine == 0) | (mine != before.hashes[other])
            if fresh.any():
                yield one[fresh], other[fresh]


def _expanded(names: tuple[str, ...], parts: Mapping[str, Hashes]) -> Iterator[list[str]]:
    """With every field of a kind that occurs several times, such as two identifiers or two scripts."""
    numbers = {part.partition("#")[2] for part in parts if part.partition("#")[0] in names}
    seen = []
    for number in sorted(numbers):
        chosen = [f"{name}#{number}" if f"{name}#{number}" in parts else f"{name}#0" for name in names]
        if chosen not in seen and all(each in parts for each in chosen):
            seen.append(chosen)
            yield chosen


def _parts(register: Register) -> dict[str, Hashes]:
    """By part, and by script or number of the field after #."""
    parts: dict[str, Hashes] = {}
    fields = register.fields
    for name, field in fields.items():
        kind = register.kind(name)
        if isinstance(field, Name):
            short = kind.removesuffix("_name")
            for script, (names, vocabulary) in enumerate(field.scripts):
                parts[f"{short}#{script}"] = vocabulary.skeletons[names]
                parts[f"{short}_start#{script}"] = vocabulary.initials[names]
        elif isinstance(field, DateField):
            dates = field.dates
            year, month, day = (part.astype(np.uint64) for part in (dates.year, dates.month, dates.day))
            parts["year#0"] = year
            # Without order, so that day and month swapped keep their key.
            whole = np.where(day > 0, np.minimum(month, day) * np.uint64(64) + np.maximum(month, day), 0)
            parts["day#0"] = whole.astype(np.uint64)
            parts["born#0"] = _joined([year, parts["day#0"]])
        elif isinstance(field, Place):
            for part, numbers in field.parts().items():
                parts[f"{part}#0"] = numbers
        elif isinstance(field, TextField):
            number = sum(1 for each in parts if each.startswith(f"{kind}#"))
            parts[f"{kind}#{number}"] = field.key_parts()
            if kind == "full_name":
                _by_words(field, parts)
            if kind == "address":
                parts["street#0"] = _longest_word(field)
    for place in sorted({each.partition("#")[2] for each in parts if each.startswith(("family#", "given#"))}):
        family, given = parts.get(f"family#{place}"), parts.get(f"given#{place}")
        if family is not None and given is not None:
            # Without order, so that swapped names keep their key.
            parts[f"names#{place}"] = _joined([np.minimum(family, given), np.maximum(family, given)])
    return parts


def _by_words(field: TextField, parts: dict[str, Hashes]) -> None:
    """First and last word of full names, in the order of their sounds: names are written in either order."""
    from matching.skeleton import skeleton

    outer = [sorted((each.split()[0], each.split()[-1])) if each else ["", ""] for each in field.texts.values]
    low, high = (
        np.array([hash64(skeleton(each[at])) if each[at] else 0 for each in outer], np.uint64)
        for at in (0, 1)
    )
    parts["given#0"], parts["family#0"] = low[field.texts.numbers], high[field.texts.numbers]


def _longest_word(field: TextField) -> Hashes:
    words = [max(each.split(), key=lambda word: (len(word), word), default="") for each in field.texts.values]
    return np.array([hash64(each) if each else 0 for each in words], np.uint64)[field.texts.numbers]


def _joined(parts: list[Hashes]) -> Hashes:
    """One hash of several, 0 where one of them is."""
    key = np.full(len(parts[0]), 0x9E3779B97F4A7C15, np.uint64)
    known = np.ones(len(key), np.bool_)
    for part in parts:
        key = mix(key ^ part)
        known &= part > 0
    return np.where(known, key, np.uint64(0))


def _key(name: str, parts: list[Hashes], largest_block: int) -> Key:
    joined = _joined(parts)
    _, back, counts = np.unique(joined, return_inverse=True, return_counts=True)
    sizes = counts[back.reshape(-1)]
    known = joined > 0
    large = known & (sizes > largest_block)
    largest = int(sizes[known].max()) if known.any() else 0
    return Key(name, np.where(large | (sizes < 2), np.uint64(0), joined), int(large.sum()), largest)


def _of_key(hashes: Hashes) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """All pairs of rows with one hash, the smaller row first."""
    rows = np.flatnonzero(hashes)
    if not len(rows):
        return
    rows = rows[np.argsort(hashes[rows], kind="stable")]
    starts = np.flatnonzero(np.r_[True, np.diff(hashes[rows]) != 0])
    ends = np.r_[starts[1:], len(rows)]
    # How many of its block come after each row: it makes a pair with each of them.
    after = np.repeat(ends, ends - starts) - np.arange(len(rows)) - 1
    reached = np.cumsum(after)
    start = 0
    while start < len(rows):
        before = int(reached[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(reached, before + PAIRS_AT_ONCE, "right")))
        counts = after[start:end]
        one = np.repeat(np.arange(start, end), counts)
        first = np.cumsum(counts) - counts
        other = one + 1 + np.arange(len(one)) - np.repeat(first, counts)
        yield rows[one].astype(np.int64), rows[other].astype(np.int64)
        start = end
