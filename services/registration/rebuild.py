"""Whether the store still lacks what the group had settled before: it was dropped, or is an old backup."""

from collections.abc import Awaitable, Callable, Mapping

from shared.store.progress import ProgressStore

Committed = Callable[[], Awaitable[Mapping[int, int]]]
"""Asks for the group's committed offset of every partition, whoever holds it."""


class Rebuild:
    """The rebuild of a store by all processes of the service together."""

    def __init__(self, progress: ProgressStore, committed: Committed) -> None:
        self._progress = progress
        self._committed = committed
        self._left: dict[int, int] = {}

    async def begin(self) -> None:
        """Ask what was settled so far; before own progress is read, and at every assignment."""
        self._left = dict(await self._committed())

    async def goes_on(self) -> bool:
        """Whether some partition is not yet read again to where it was; once all are, this costs nothing."""
        if left := self._left:
            reached = await self._progress.positions(left.keys())
            if self._left is left:  # else partitions were assigned meanwhile, and it begins anew
                self._left = {each: offset for each, offset in left.items() if reached[each] < offset}
        return bool(self._left)
