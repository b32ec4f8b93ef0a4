"""How often somebody may try. Pure but for the clock."""

import time
from collections.abc import Callable

TRIES = 5
"""Wrong passwords for one name, and ten times as many from one address, before it must wait."""
WAIT_SECONDS = 300.0

MOST_KEPT = 10_000
"""Names and addresses remembered; beyond that the oldest are forgotten, so that nobody fills the memory."""


class Allowance:
    """So many in so many seconds, for each key; it refills steadily."""

    def __init__(self, most: float, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._rate, self._clock = most, most / seconds, clock
        self._left: dict[str, tuple[float, float]] = {}

    def left(self, key: str) -> float:
        """How many are left."""
        left, at = self._left.get(key, (self._most, self._clock()))
        return min(self._most, left + (self._clock() - at) * self._rate)

    def take(self, key: str) -> bool:
        """Use one up; whether there was one."""
        left = self.left(key)
        if left < 1:
            return False
        self._left.pop(key, None)
        self._left[key] = (left - 1, self._clock())
        if len(self._left) > MOST_KEPT:
            del self._left[next(iter(self._left))]
        return True

    def give_back(self, key: str) -> None:
        """As if it had never been used: after a right password."""
        self._left.pop(key, None)


class SignInLimit:
    """Wrong passwords by name and by address: who guesses one name, and who guesses many, are both slowed.

    A name is locked for a while only, whoever tries: an officer waits five minutes at most.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._names = Allowance(TRIES, WAIT_SECONDS, clock)
        self._addresses = Allowance(10 * TRIES, WAIT_SECONDS, clock)

    def take(self, name: str, address: str) -> bool:
        """Use up a try; whether there was one."""
        return self._addresses.take(address) and self._names.take(name)

    def succeeded(self, name: str) -> None:
        """The name's tries begin anew."""
        self._names.give_back(name)
