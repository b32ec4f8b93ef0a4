"""Weights from levels: Fellegi-Sunter over kinds of pairs, with evidence that sums to the weight. Pure."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching.levels import UNKNOWN, Level
from shared.contracts.model_file import LEVELS, Model

NO_LEVEL = "unknown"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One comparison of a pair: the level of agreement, and its weight in bits."""

    field: str
    level: str
    weight: float


@dataclass(frozen=True, slots=True)
class Score:
    """Of a pair: probability of being one person (6 decimals), weight in bits (4), and what makes it up."""

    probability: float
    weight: float
    evidence: tuple[Evidence, ...]


class Scorer:
    """Scores patterns of levels. There are far fewer patterns than pairs, so each is computed once, in plain
    Python: the same bytes whoever computes it, however many pairs are scored together."""

    def __init__(self, model: Model) -> None:
        self._fields = [each.field for each in model.comparisons]
        shares = model.shares()
        self._sides = [
            [each.name for each in model.classes if each.same_person is same_person]
            for same_person in (True, False)
        ]
        self._start = {name: math.log(share) for name, share in shares.items()}
        self._prior = self._odds(self._start)
        self._logs: dict[str, dict[str, dict[str, float]]] = {
            comparison.field: {
                level.name: {name: math.log(value) for name, value in level.probability.items()}
                for level in comparison.levels
            }
            for comparison in model.comparisons
        }
        self.threshold = model.threshold
        self._scores: dict[int, Score] = {}

    def score(self, pattern: int) -> Score:
        """The score of all pairs with this pattern."""
        score = self._scores.get(pattern)
        if score is None:
            score = self._scores[pattern] = self._scored(levels_of(pattern))
        return score

    def claimed(self, patterns: NDArray[np.int64]) -> NDArray[Any]:
        """Which of the pairs are at or above the model's threshold, as positions."""
        distinct, back = np.unique(patterns, return_inverse=True)
        above = np.array(
            [self.score(each).probability >= self.threshold for each in distinct.tolist()], np.bool_
        )
        return np.flatnonzero(above[back.reshape(-1)])

    def _scored(self, levels: dict[str, str]) -> Score:
        """The chain rule: each comparison weighs given those before it.

        A pair that shares birth date, family name and place is as good as never strangers, but may be twins;
        after that, a given name or document that differs weighs what it weighs between twins.
        """
        belief = dict(self._start)
        before, evidence = self._prior, []
        for field in self._fields:
            level = levels[field]
            for name, log in self._logs[field].get(level, {}).items():
                belief[name] += log
            after = self._odds(belief)
            evidence.append(Evidence(field, level, _bits(after - before)))
            before = after
        weight = round(sum(each.weight for each in evidence), 4)
        return Score(
            probability=round(_probability(self._prior + weight * math.log(2)), 6),
            weight=weight + 0.0,
            evidence=tuple(sorted(evidence, key=lambda each: each.field)),
        )

    def _odds(self, belief: dict[str, float]) -> float:
        same, other = (_log_sum([belief[name] for name in side]) for side in self._sides)
        return same - other


def patterns_of(levels: dict[str, Level]) -> NDArray[np.int64]:
    """The levels of each pair, by field as `levels.compare` gives them, as one number."""
    pattern = np.zeros(1, np.int64)
    for field, names in LEVELS.items():
        pattern = pattern * (len(names) + 1) + (levels[field].astype(np.int64) - UNKNOWN)
    return pattern


def levels_of(pattern: int) -> dict[str, str]:
    """The levels by name that a pattern stands for; NO_LEVEL for what is unknown."""
    found: dict[str, str] = {}
    for field, names in reversed(list(LEVELS.items())):
        pattern, level = divmod(pattern, len(names) + 1)
        found[field] = names[level + UNKNOWN] if level else NO_LEVEL
    return found


def _log_sum(logs: list[float]) -> float:
    most = max(logs)
    # Not sum(), whose last digit depends on the version of Python.
    return most + math.log(math.fsum(math.exp(each - most) for each in logs))


def _bits(log_odds: float) -> float:
    # Adding zero turns -0.0 into 0.0: one value, one spelling.
    return round(log_odds / math.log(2), 4) + 0.0


def _probability(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds)) if log_odds > -700 else 0.0
