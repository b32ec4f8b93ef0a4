"""Which rows carry which blocking key, in sorted arrays: 12 bytes an entry, nothing per record in Python."""

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Rows = NDArray[np.int64]

_RATIO = 4
"""A run is merged into the one before unless that is more than this many times as long."""

_LONGEST = 1 << 22
"""Runs longer than this are merged no more: merging two takes half a second, and the event loop waits."""


class Postings:
    """Sorted runs of (key, row), each a few times as long as the next; looked up by binary search.

    An entry is moved some log(n) times in its life, whether entries come one by one or by the thousand.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[Keys, NDArray[np.uint32]]] = []

    def __len__(self) -> int:
        return sum(len(keys) for keys, _ in self._runs)

    @property
    def nbytes(self) -> int:
        """Memory of all runs, in bytes."""
        return sum(keys.nbytes + rows.nbytes for keys, rows in self._runs)

    def add(self, keys: Keys, rows: NDArray[np.uint32]) -> None:
        """Add entries; both arrays are of one length."""
        if not len(keys):
            return
        order = np.argsort(keys, kind="stable")
        self._runs.append((keys[order], rows[order]))
        while len(self._runs) > 1 and self._mergeable():
            (keys, rows), (more_keys, more_rows) = self._runs[-2:]
            joined, joined_rows = np.concatenate([keys, more_keys]), np.concatenate([rows, more_rows])
            # A stable sort finds the two sorted runs and merges them in linear time.
            order = np.argsort(joined, kind="stable")
            self._runs[-2:] = [(joined[order], joined_rows[order])]

    def _mergeable(self) -> bool:
        before, last = len(self._runs[-2][0]), len(self._runs[-1][0])
        return before <= _RATIO * last and before + last <= _LONGEST

    def find(self, keys: Keys) -> tuple[Rows, Rows]:
        """All entries of the keys: the position in `keys`, and the row, of each; in no promised order."""
        order = np.argsort(keys)
        wanted = keys[order]
        positions, found = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for run, rows in self._runs:
            start = np.searchsorted(run, wanted, "left")
            counts = np.searchsorted(run, wanted, "right") - start
            total = int(counts.sum())
            if total:
                positions.append(np.repeat(order, counts))
                ends = np.cumsum(counts)
                found.append(
                    rows[np.arange(total) + np.repeat(start - ends + counts, counts)].astype(np.int64)
                )
        return np.concatenate(positions), np.concatenate(found)
