"""Learns a model from the records of a register, without labels."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from matching.em import Estimate, estimate, frequencies
from matching.index import Index
from matching.levels import compare
from matching.postings import Rows
from matching.scoring import patterns_of
from matching.skeleton import skeleton
from matching.version import Version
from shared.contracts.model_file import (
    LEVELS,
    Blocking,
    Comparison,
    Key,
    Level,
    Model,
    PairClass,
    Statistic,
)
from shared.contracts.normalise import NORMALISER_VERSION

RANDOM_PAIRS = 4_000_000
TOGETHER = 200_000
THRESHOLD = 0.5
"""More likely one person than two: what people should look at."""


KEYS = (
    ("document",),
    ("phone",),
    ("names", "sex"),
    ("names", "year"),
    ("names", "day"),
    ("names", "commune"),
    ("names", "district", "sex"),
    ("family", "year", "day"),
    ("given", "year", "day"),
    ("given", "year", "commune"),
    ("family", "year", "commune", "sex"),
    ("year", "day", "commune", "sex"),
)
"""Each leaves out what another one holds on to, so that no single error hides a pair."""

REGISTER_SIZE = 10_000_000
"""For which blocks are kept small."""
LARGEST_BLOCK = 500

# Offices are drawn so that communes are of about one size; Cambodia has 1,652 communes in 210 districts.
EVEN = {"sex": 1 / 2, "commune": 1 / 1_652, "district": 1 / 210, "document": 1e-7, "phone": 1e-7}

_LISTED = 400
"""Values listed at most in a statistic."""


def train(
    records: Sequence[Version],
    *,
    name: str,
    seed: int,
    register_size: int | None = None,
    threshold: float = THRESHOLD,
    random_pairs: int = RANDOM_PAIRS,
) -> Model:
    """A model learnt from the records of one register, one version of each registration."""
    blocking = _blocking(records)
    index = Index(blocking)
    for record in records:
        index.insert(record)
    table = index.table
    chance = frequencies(_patterns(index, *_random_pairs(len(table), random_pairs, seed)))
    patterns = [np.empty(0, np.int64)]
    for start in range(0, len(table), 1000):
        for _, positions, other in index.pairs(index.look_up(range(start, min(start + 1000, len(table))))):
            one = positions + start
            once = one < other
            patterns.append(_patterns(index, one[once], other[once]))
    found = estimate(np.concatenate(patterns), chance, len(table))
    return Model(
        name=name,
        version="1",
        normaliser=NORMALISER_VERSION,
        register_size=register_size or len(table),
        threshold=threshold,
        classes=tuple(_shortened(each) for each in found.classes),
        comparisons=_comparisons(found),
        blocking=blocking,
    )


def _blocking(records: Sequence[Version]) -> Blocking:
    days = [each.date_of_birth[5:] for each in records if each.precision == "day"]
    return Blocking(
        register_size=REGISTER_SIZE,
        largest_block=LARGEST_BLOCK,
        keys=tuple(Key(name="+".join(parts), parts=parts) for parts in KEYS),
        statistics={
            "family": _statistic(skeleton(each.family_latin or each.family_km or "") for each in records),
            "given": _statistic(skeleton(each.given_latin or each.given_km or "") for each in records),
            "year": _statistic(each.date_of_birth[:4] for each in records),
            # Without order, as the key has it.
            "day": _statistic("-".join(sorted((day[:2], day[3:]))) for day in days),
            **{part: Statistic(values={}, rest=rest) for part, rest in EVEN.items()},
        },
    )


def _statistic(values: Iterable[str]) -> Statistic:
    """The most frequent values; any other counts as the rarest of these."""
    counts = Counter(values)
    listed = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:_LISTED]
    total = counts.total()
    return Statistic(
        values={value: round(count / total, 9) for value, count in sorted(listed)},
        rest=round(listed[-1][1] / total, 9),
    )


def _patterns(index: Index, one: Rows, other: Rows) -> Rows:
    """The pattern of each pair of rows; some at a time, since a pair of rows is 300 bytes."""
    rows, patterns = index.table.rows, [np.empty(0, np.int64)]
    for start in range(0, len(one), TOGETHER):
        some = slice(start, start + TOGETHER)
        patterns.append(patterns_of(compare(rows[one[some]], rows[other[some]], index.table.names)))
    return np.concatenate(patterns)


def _random_pairs(records: int, count: int, seed: int) -> tuple[Rows, Rows]:
    draws = np.random.default_rng(seed)
    one, other = draws.integers(0, records, (2, count))
    different = one != other
    return one[different], other[different]


def _comparisons(found: Estimate) -> tuple[Comparison, ...]:
    return tuple(
        Comparison(
            field=field,
            levels=tuple(
                Level(
                    name=level,
                    probability={
                        each.name: _short(found.probabilities[each.name][field][at]) for each in found.classes
                    },
                )
                for at, level in enumerate(names)
            ),
        )
        for field, names in LEVELS.items()
    )


def _shortened(kind: PairClass) -> PairClass:
    pairs = kind.pairs_per_record
    return kind if pairs is None else kind.model_copy(update={"pairs_per_record": _short(pairs)})


def _short(probability: float) -> float:
    """Without the digits in which processors differ."""
    return float(f"{probability:.8g}")
