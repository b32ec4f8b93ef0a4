"""Which rows carry which blocking key, in sorted arrays: 12 bytes an entry, nothing per record in Python."""

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Rows = NDArray[np.int64]
Run = tuple[Keys, NDArray[np.uint32]]
"""Keys in ascending order, and the row of each; the rows of one key ascend, too."""

_RATIO = 4
"""A run is merged into the one before unless that is more than this many times as long."""

_LONGEST = 1 << 24
"""Runs are merged up to this many entries: a merge holds both runs and what comes of them, 400 MB."""

_WORK = 16
"""Entries merged for each one added: each is moved some twelve times until its run is one of the longest."""

_PIECE = 1 << 15
"""Entries of either run that are merged at once: some 2 ms."""


class Postings:
    """Sorted runs of (key, row), each a few times as long as the next; looked up by binary search.

    Runs are merged piece by piece as entries are added, so that no addition takes long however much there is;
    until a merge is done, both runs are looked up. Rows are added in ascending order, so those of one key
    ascend in every run.
    """

    def __init__(self) -> None:
        self._runs: list[Run] = []
        # Each of the run at its place and the one after it; the last goes on first, the others wait for it.
        self._merges: list[tuple[int, _Merge]] = []

    def __len__(self) -> int:
        return sum(len(keys) for keys, _ in self._runs)

    @property
    def nbytes(self) -> int:
        """Memory of all runs, in bytes."""
        return sum(keys.nbytes + rows.nbytes for keys, rows in self._runs)

    def add(self, keys: Keys, rows: NDArray[np.uint32]) -> None:
        """Add entries; both arrays are of one length, and no row is below one that was added before."""
        if not len(keys):
            return
        order = np.lexsort((rows, keys))
        self._runs.append((keys[order], rows[order]))
        work = _WORK * len(keys)
        while work > 0:
            self._begin_merge()
            if not self._merges:
                break
            place, merge = self._merges[-1]
            work -= merge.go_on()
            if merge.done:
                self._runs[place : place + 2] = [merge.result]
                self._merges.pop()

    def _begin_merge(self) -> None:
        """Merge the last two neighbours that ask for it and are not being merged already."""
        free = self._merges[-1][0] + 2 if self._merges else 0
        for place in range(len(self._runs) - 2, free - 1, -1):
            before, after = self._runs[place : place + 2]
            if len(before[0]) <= _RATIO * len(after[0]) and len(before[0]) + len(after[0]) <= _LONGEST:
                self._merges.append((place, _Merge(before, after)))
                return

    def find(self, keys: Keys) -> tuple[NDArray[np.int64], list[NDArray[np.uint32]]]:
        """The entries of the keys, not copied: positions in `keys`, ascending, and ascending rows with each.

        A position has a piece for each run with its key. Pieces stay as they are when more is added.
        """
        positions: list[int] = []
        pieces: list[NDArray[np.uint32]] = []
        order = np.argsort(keys)
        wanted = keys[order]
        for run, rows in self._runs:
            starts, ends = np.searchsorted(run, wanted, "left"), np.searchsorted(run, wanted, "right")
            there = np.flatnonzero(ends > starts)
            positions += order[there].tolist()
            pieces += [
                rows[start:end]
                for start, end in zip(starts[there].tolist(), ends[there].tolist(), strict=True)
            ]
        at = np.asarray(positions, np.int64)
        by_position = np.argsort(at, kind="stable")
        return at[by_position], [pieces[each] for each in by_position.tolist()]


class _Merge:
    """Of two runs into one, a piece at a time. Of equal keys those of the earlier run come first."""

    def __init__(self, earlier: Run, later: Run) -> None:
        self._one, self._other = earlier, later
        self._at = self._other_at = 0
        length = len(earlier[0]) + len(later[0])
        self.result: Run = np.empty(length, np.uint64), np.empty(length, np.uint32)

    @property
    def done(self) -> bool:
        """Whether `result` is whole."""
        return self._at + self._other_at == len(self.result[0])

    def go_on(self) -> int:
        """Merge the next piece; answers how many entries it has."""
        take, other_take = self._next()
        one = slice(self._at, self._at + take)
        other = slice(self._other_at, self._other_at + other_take)
        keys = np.concatenate([self._one[0][one], self._other[0][other]])
        rows = np.concatenate([self._one[1][one], self._other[1][other]])
        # A stable sort finds the two sorted runs and merges them in linear time.
        order = np.argsort(keys, kind="stable")
        place = slice(self._at + self._other_at, self._at + self._other_at + len(keys))
        self.result[0][place], self.result[1][place] = keys[order], rows[order]
        self._at, self._other_at = one.stop, other.stop
        return len(keys)

    def _next(self) -> tuple[int, int]:
        """How much of either run comes before all the rest of both."""
        keys = self._one[0][self._at : self._at + _PIECE]
        others = self._other[0][self._other_at : self._other_at + _PIECE]
        if not len(keys) or not len(others):
            return len(keys), len(others)
        if keys[-1] <= others[-1]:
            # The earlier run may go on with its last key, which comes before the same key of the later one.
            return len(keys), int(np.searchsorted(others, keys[-1], "left"))
        return int(np.searchsorted(keys, others[-1], "right")), len(others)
