"""Which officer has which conflict before them, so that two do not work on the same one. Pure but for the
clock.

Kept in memory: it is a courtesy and no truth. Two consoles do not know of each other's; then the open
proposal of the faster officer tells the slower one.
"""

import time
from collections.abc import Callable

MOST_HELD = 50
"""Conflicts that one officer keeps from others at once; the oldest is let go."""


class Assignments:
    """By conflict: who, and until when. `seconds` of `clock` after it was last opened it is free."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._held: dict[str, tuple[str, float]] = {}

    def take(self, conflict: str, who: str) -> str | None:
        """Take it, or go on with it; answers who has it instead."""
        holder = self.holder(conflict)
        if holder is not None and holder != who:
            return holder
        self._held.pop(conflict, None)
        self._held[conflict] = (who, self._clock() + self._seconds)
        mine = [each for each, (name, _) in self._held.items() if name == who]
        for each in mine[:-MOST_HELD]:
            del self._held[each]
        return None

    def holder(self, conflict: str) -> str | None:
        """Who has it now."""
        who, until = self._held.get(conflict, ("", 0.0))
        if not who:
            return None
        if self._clock() >= until:
            del self._held[conflict]
            return None
        return who

    def give_up(self, conflict: str, who: str) -> None:
        """It is free for others."""
        if self.holder(conflict) == who:
            del self._held[conflict]

    def give_up_all(self, who: str) -> None:
        """Everything of an officer who has signed out."""
        self._held = {each: held for each, held in self._held.items() if held[0] != who}
