"""The evidence of a pair as a waterfall: each comparison pushes the sum for or against one person. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """One bar: `field` and `level` name texts; `x` and `width` are in percent of the picture's width."""

    field: str
    level: str
    weight: float
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The bars, the strongest first; `zero` is where neither side is favoured, in percent."""

    steps: Sequence[Step]
    zero: float
    total: Step


def waterfall(evidence: Sequence[Mapping[str, Any]]) -> Waterfall:
    """The picture of an evidence. Its lines sum to the weight."""
    ordered = sorted(evidence, key=lambda each: (-abs(each["weight"]), each["field"]))
    sums = [0.0]
    for each in ordered:
        sums.append(sums[-1] + float(each["weight"]))
    low, high = min(sums), max(sums)
    scale = 100.0 / ((high - low) or 1.0)

    def step(field: str, level: str, before: float, after: float) -> Step:
        x = round((min(before, after) - low) * scale, 2)
        width = max(round(abs(after - before) * scale, 2), 0.5)
        return Step(field, level, after - before, min(x, 99.5), width)

    steps = [
        step(str(each["field"]), str(each["level"]), before, after)
        for each, before, after in zip(ordered, sums, sums[1:], strict=False)
    ]
    return Waterfall(steps, round(-low * scale, 2), step("", "", 0.0, sums[-1]))
