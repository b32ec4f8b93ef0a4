"""Learns a model from a register without labels. Pure."""

from collections.abc import Callable

import numpy as np

from matching.linkage import blocking
from matching.linkage.closeness import Rows
from matching.linkage.comparisons import EQUAL, LEVELS
from matching.linkage.mixture import Field, Floats, Mixture, learn
from matching.linkage.register import Register, unpacked
from matching.linkage.roles import pair_kinds

RANDOM_PAIRS = 1_000_000
SEED = 1

Progress = Callable[[int], None]


def weigh_by_itself(register: Register) -> dict[str, dict[str, float]]:
    """Take the frequencies of values from the register itself; answers them."""
    known: dict[str, dict[str, float]] = {}
    for field in register.fields.values():
        known |= {name: dict(each) for name, each in field.frequencies().items()}
    for field in register.fields.values():
        field.weigh(known)
    return known


def learn_mixture(register: Register, patterns: Rows, counts: Floats) -> Mixture:
    """From the candidates' distinct patterns, how often each occurs, and pairs drawn at random."""
    records = len(register)
    pairs = records * (records - 1) / 2
    kinds = pair_kinds(frozenset(each.kind for each in register.schema.fields))
    fields = _fields(register, pairs)
    return learn(unpacked(register.schema, patterns), counts, fields, kinds, records, pairs)


def _fields(register: Register, pairs: float) -> dict[str, Field]:
    drawn = unpacked(register.schema, register.compare(*random_pairs(len(register))))
    fields = {}
    for each in register.schema.fields:
        names, levels = LEVELS[each.kind], drawn[each.name]
        seen = np.bincount(levels + 1, minlength=len(names) + 1).astype(float)
        known, total = seen[1:].sum(), seen.sum()
        share = max(known / max(total, 1), 1e-9)
        # Agreement is counted on all pairs, the rest on those drawn; half a pair of each level besides.
        chance = (seen[1:] + 0.5) / (known + 0.5 * len(names))
        counted = register.fields[each.name].chances() / (share * pairs)
        chance[:EQUAL] = np.minimum(counted, 0.999)
        chance[EQUAL:] *= (1 - chance[:EQUAL].sum()) / chance[EQUAL:].sum()
        agreeing = register.fields[each.name].agreeing()
        fields[each.name] = Field(each.kind, names, chance, share, agreeing)
    return fields


def random_pairs(records: int) -> tuple[Rows, Rows]:
    """Pairs of different records: all of a small register, else some drawn with a fixed seed."""
    if records * (records - 1) // 2 <= RANDOM_PAIRS:
        one, other = np.triu_indices(records, 1)
        return one.astype(np.int64), other.astype(np.int64)
    one, other = np.random.default_rng(SEED).integers(0, records, (2, RANDOM_PAIRS))
    different = one != other
    return one[different], other[different]


def candidate_patterns(
    register: Register, made: list[blocking.Key], progress: Progress | None = None
) -> tuple[Rows, Rows, Rows]:
    """The candidates' rows and patterns."""
    ones, others, patterns = ([np.empty(0, np.int64)] for _ in range(3))
    for one, other in blocking.pairs(made):
        ones.append(one.astype(np.int32))
        others.append(other.astype(np.int32))
        patterns.append(register.compare(one, other))
        if progress:
            progress(len(one))
    return np.concatenate(ones), np.concatenate(others), np.concatenate(patterns)
