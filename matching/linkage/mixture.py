"""Learns the kinds of pairs without labels: one expectation-maximisation over all candidates together. Pure.

Dempster, Laird and Rubin (1977); for record linkage Winkler (1988) and Larsen and Rubin (2001), whose
mixtures of more than two classes are used here. Pairs that are no candidates count as strangers, so that
blocking does not distort shares. What strangers agree in by chance is what all pairs agree in, less what the
other kinds of pairs do: in a register with many duplicates chance would else be overrated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matching.linkage.comparisons import EQUAL, UNORDERED
from matching.linkage.roles import AGAIN, COPY, ONE_PERSON, STRANGERS, PairKind

Floats = NDArray[np.float64]
Table = dict[str, Floats]
"""By field: the probability of each level."""

ROUNDS = 200
CLOSE_ENOUGH = 1e-4

TRACE = 1e-4
PRIOR_PAIRS = 10.0
"""Weight of the first guess, in pairs: a level that was never seen is rare, not impossible."""

LEAST_OFTEN, MOST_OFTEN = 0.01, 0.99
ALIKE_AT_FIRST = 0.1

MISTAKEN = 0.002
"""Of a thousand records two agree by mistake with a stranger in a value that should be one person's."""


@dataclass(frozen=True, slots=True)
class Field:
    """A comparison as the mixture sees it.

    `chance` has how often each level is seen among all pairs that know it; `known` what share of all pairs
    does; `agreeing` how frequent the values of each level of agreement are.
    """

    kind: str
    levels: tuple[str, ...]
    chance: Floats
    known: float
    agreeing: Floats


@dataclass(frozen=True, slots=True)
class Mixture:
    """Of each kind of pairs its share of all pairs, and by field the probability of each level."""

    shares: Mapping[str, float]
    tables: Mapping[str, Table]


def learn(
    patterns: Mapping[str, NDArray[np.int8]],
    counts: Floats,
    fields: Mapping[str, Field],
    kinds: Sequence[PairKind],
    records: int,
    pairs: float,
) -> Mixture:
    """From the candidates' distinct patterns (levels by field) and how often each occurs.

    Deterministic: no draws.
    """
    strangers = {name: _floored(field.chance, field, records) for name, field in fields.items()}
    again = {name: _guess(field, strangers[name]) for name, field in fields.items()}
    guess = again
    often = {kind.name: _often(kind, fields) for kind in kinds}
    shares = {kind.name: 0.01 * records / pairs for kind in kinds}
    for _ in range(ROUNDS):
        tables = _tables(kinds, fields, again, strangers, often)
        belief = beliefs(patterns, tables, shares)
        before = shares
        seen: dict[str, Table] = {}
        shares = {}
        for kind in kinds:
            weighted = belief[kind.name] * counts
            shares[kind.name] = min(max(float(weighted.sum()), 0.1), kind.most * records) / pairs
            seen[kind.name] = {
                name: _counted(patterns[name], weighted, len(field.levels)) for name, field in fields.items()
            }
        total = sum(shares.values())
        if total > 0.5:
            shares = {name: share / total / 2 for name, share in shares.items()}
        for kind in kinds:
            often[kind.name] = {
                name: _shared_more(
                    kind, fields[name], each, seen[kind.name][name], again[name], strangers[name]
                )
                for name, each in often[kind.name].items()
            }
        strangers = {
            name: _left(field, [seen[kind.name][name] for kind in kinds], records, pairs)
            for name, field in fields.items()
        }
        again = {
            name: _learnt(field, seen[AGAIN][name] + PRIOR_PAIRS * guess[name], strangers[name])
            for name, field in fields.items()
        }
        if all(abs(shares[name] - before[name]) <= CLOSE_ENOUGH * shares[name] for name in shares):
            break
    return Mixture(shares, _tables(kinds, fields, again, strangers, often))


def beliefs(
    patterns: Mapping[str, NDArray[np.int8]], tables: Mapping[str, Table], shares: Mapping[str, float]
) -> dict[str, Floats]:
    """How likely each pattern is of each kind. A level that is unknown says nothing."""
    logs = {}
    for name, table in tables.items():
        share = shares.get(name, 1 - sum(shares.values()))
        log = np.full(len(next(iter(patterns.values()))), np.log(share))
        for field, levels in patterns.items():
            # The last entry is that of -1: unknown.
            log += np.append(np.log(table[field]), 0.0)[levels]
        logs[name] = log
    most = np.max(list(logs.values()), axis=0)
    total = sum(np.exp(each - most) for each in logs.values())
    return {name: np.exp(each - most) / total for name, each in logs.items()}


def _counted(levels: NDArray[np.int8], weights: Floats, count: int) -> Floats:
    return np.bincount(levels + 1, weights, minlength=count + 1)[1:].astype(np.float64)


def _floored(chance: Floats, field: Field, records: int) -> Floats:
    """Chance with room for mistakes: agreement that no two strangers have yet may come with the next one."""
    least = np.full(len(chance), 0.1 * MISTAKEN / records)
    least[:EQUAL] = np.maximum(MISTAKEN / records * field.agreeing, 1e-12)
    floored = np.maximum(chance, least)
    return np.asarray(floored / floored.sum())


def _left(field: Field, taken: Sequence[Floats], records: int, pairs: float) -> Floats:
    """What is left to strangers of all pairs' levels when those of the other kinds are taken off."""
    everyone = field.chance * field.known * pairs
    left = np.maximum(everyone - np.sum(taken, axis=0), 0.0)
    # What is not counted but drawn is known to a tenth only.
    left[EQUAL:] = np.maximum(left[EQUAL:], everyone[EQUAL:] * 0.1)
    return _floored(left / max(left.sum(), 1e-300), field, records)


def _equal(field: Field, probability: float) -> Floats:
    """Agreement in that share of pairs, by level as frequent as the values are."""
    agreeing = field.agreeing + 1e-6
    return np.asarray(probability * agreeing / agreeing.sum())


def _guess(field: Field, chance: Floats) -> Floats:
    first, *others = ONE_PERSON[field.kind]
    level = (1 - first - sum(others)) * chance
    level[:EQUAL] += _equal(field, first)
    level[EQUAL : EQUAL + len(others)] += others
    return level


def _learnt(field: Field, seen: Floats, chance: Floats) -> Floats:
    level: Floats = np.maximum(seen / seen.sum(), 1e-12)
    return monotone(field, level, chance)


def _often(kind: PairKind, fields: Mapping[str, Field]) -> dict[str, float]:
    """By field how often pairs of a kind share a value, or have two that are alike, to begin with."""
    return {
        name: kind.shared.get(field.kind, ALIKE_AT_FIRST)
        for name, field in fields.items()
        if field.kind in kind.shared or field.kind in kind.alike
    }


def _shared_more(
    kind: PairKind, field: Field, often: float, seen: Floats, again: Floats, strangers: Floats
) -> float:
    """How often it is by what was seen: each pair's level is of a shared value, or as among strangers."""
    shared = often * _closer(kind, field, again)
    believed = shared / (shared + (1 - often) * strangers)
    return float(
        np.clip((seen @ believed + PRIOR_PAIRS * often) / (seen.sum() + PRIOR_PAIRS), LEAST_OFTEN, MOST_OFTEN)
    )


def _closer(kind: PairKind, field: Field, again: Floats) -> Floats:
    """The levels of a value that is shared, or of two that are alike."""
    if field.kind not in kind.alike:
        return again
    alike = kind.alike[field.kind]
    return np.array([alike.get(level, 0.0) for level in field.levels])


def _tables(
    kinds: Sequence[PairKind],
    fields: Mapping[str, Field],
    again: Table,
    strangers: Table,
    often: Mapping[str, Mapping[str, float]],
) -> dict[str, Table]:
    return {STRANGERS: strangers} | {
        kind.name: {
            name: _level(kind, field, again[name], strangers[name], often[kind.name].get(name))
            for name, field in fields.items()
        }
        for kind in kinds
    }


def _level(kind: PairKind, field: Field, again: Floats, strangers: Floats, often: float | None) -> Floats:
    if kind.name == COPY:
        return np.append(_equal(field, 1 - TRACE), TRACE * strangers[EQUAL:] / strangers[EQUAL:].sum())
    if kind.name == AGAIN or field.kind in kind.always:
        return again
    if often is None:
        return strangers
    mixed: Floats = often * _closer(kind, field, again) + (1 - often) * strangers
    return mixed


def monotone(field: Field, level: Floats, chance: Floats) -> Floats:
    """Levels so that a closer one never weighs less: neighbours that do are pooled (Ayer et al. 1955).

    Levels of UNORDERED stay as they are: they are no step between same and different.
    """
    ordered = [at for at, name in enumerate(field.levels) if name not in UNORDERED]
    pools: list[tuple[float, float, list[int]]] = []
    for at in ordered:
        pools.append((float(level[at]), float(chance[at]), [at]))
        while len(pools) > 1 and pools[-1][0] * pools[-2][1] > pools[-2][0] * pools[-1][1]:
            mine, theirs, places = pools.pop()
            before = pools.pop()
            pools.append((before[0] + mine, before[1] + theirs, before[2] + places))
    result = level.copy()
    for mine, theirs, places in pools:
        result[places] = chance[places] * (mine / theirs)
    return result
