"""Random draws that are the same on every Python: built on `Random.random` alone.

Python promises equal sequences between versions for `random()` and for nothing else, so neither `choice`,
`shuffle` nor `gauss` is used here.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


class Dice:
    """A seeded stream of draws. `child` gives independent ones, so that one part's draws move no other's."""

    def __init__(self, seed: int, path: str = "") -> None:
        self._seed = seed
        self._path = path
        digest = hashlib.sha256(f"{seed}/{path}".encode()).digest()
        self.random = Random(int.from_bytes(digest[:16], "big")).random

    def child(self, name: str) -> "Dice":
        """The dice of a part of the work, named by it."""
        return Dice(self._seed, f"{self._path}/{name}")

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        return int(self.random() * limit)

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self.random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.random() < probability

    def pick(self, items: Sequence[T]) -> T:
        """One of the items, each as likely."""
        return items[int(self.random() * len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in a random order (Fisher–Yates)."""
        order = list(items)
        for at in range(len(order) - 1, 0, -1):
            other = self.below(at + 1)
            order[at], order[other] = order[other], order[at]
        return order

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """`count` different items, or all of them if there are fewer."""
        if count * 20 > len(items):
            return self.shuffled(items)[:count]
        chosen: dict[int, None] = {}
        while len(chosen) < count:
            chosen[self.below(len(items))] = None
        return [items[at] for at in chosen]

    def digits(self, count: int) -> str:
        """That many decimal digits."""
        return f"{int(self.random() * 10**count):0{count}d}"


class Weighted(Generic[T]):
    """Items drawn by weight."""

    def __init__(self, items: Sequence[T], weights: Sequence[float]) -> None:
        self.items = items
        self._bounds = list(accumulate(weights))

    def draw(self, dice: Dice) -> T:
        """One of the items, as likely as its share of the weights."""
        at = bisect_right(self._bounds, dice.random() * self._bounds[-1])
        return self.items[min(at, len(self.items) - 1)]


def zipf(items: Sequence[T], flatten: float) -> Weighted[T]:
    """Items by rank: the r-th (from 0) weighs 1 / (r + flatten), a heavy head and a long tail."""
    return Weighted(items, [1 / (rank + flatten) for rank in range(len(items))])
