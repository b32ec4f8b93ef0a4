"""The matching index: every version that was ever accepted, and which of them are worth comparing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching.keys import KeyMaker
from matching.postings import Postings, Rows
from matching.table import Table
from matching.version import Version
from shared.contracts.model_file import Blocking

_BLOCK = 1024
"""Versions whose keys are made together: some 5 ms."""

PAIRS_AT_ONCE = 2048
"""Pairs of one slice. A pair takes some 2 kB while it is compared and up to 7 µs: 4 MB and 15 ms."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What shares a key with a row: rows in ascending pieces, one for each key and run, not copied.

    A row that shares several keys is in several pieces, the row itself and others of its registration too.
    """

    row: int
    pieces: tuple[NDArray[np.uint32], ...]

    @property
    def count(self) -> int:
        """How many entries there are: no fewer than pairs."""
        return sum(map(len, self.pieces))


class Index:
    """Holds each distinct version for good, whatever became of it since.

    Of two versions, a look-up for the one finds the other if that was inserted before the look-up: insert,
    then look up, and no pair is missed whichever came first. What is inserted later changes nothing of what
    was looked up.
    """

    def __init__(self, blocking: Blocking) -> None:
        self.table = Table(blocking)
        self._postings = Postings()
        self._maker = KeyMaker(blocking, self.table.names)
        self._posted = 0

    def __len__(self) -> int:
        return len(self.table)

    @property
    def nbytes(self) -> int:
        """Memory of columns and postings, in bytes."""
        return self.table.nbytes + self._postings.nbytes

    def insert(self, version: Version) -> int:
        """The version's row, the same each time it is inserted."""
        row = self.table.insert(version)
        if len(self.table) - self._posted >= _BLOCK:
            self._post()
        return row

    def look_up(self, rows: Sequence[int]) -> list[Candidates]:
        """Of each row the rows that share a blocking key with it."""
        self._post()
        keys, places = self._maker.keys(self.table.rows[np.asarray(rows, np.int64)])
        positions, pieces = self._postings.find(keys)
        found: list[list[NDArray[np.uint32]]] = [[] for _ in rows]
        for place, piece in zip(places[positions].tolist(), pieces, strict=True):
            found[place].append(piece)
        return [Candidates(row, tuple(of_row)) for row, of_row in zip(rows, found, strict=True)]

    def pairs(self, looked_up: Sequence[Candidates]) -> Iterator[tuple[int, Rows, Rows]]:
        """Position in `looked_up` and other row of each pair of different registrations, a slice at a time.

        Slices come in the order of what was looked up, have at most PAIRS_AT_ONCE pairs, and share none. Each
        says first which position it begins with: of those before it there is nothing more to come.
        """
        rows = np.asarray([each.row for each in looked_up], np.int64)
        for first, positions, others in _slices(looked_up):
            pairs = np.unique(positions << 32 | others)
            positions, others = pairs >> 32, pairs & 0xFFFFFFFF
            registration: NDArray[Any] = self.table.rows["registration"]
            different = registration[rows[positions]] != registration[others]
            yield first, positions[different], others[different]

    def share_a_key(self, row: int, other: int) -> bool:
        """Whether two rows are worth comparing."""
        keys, places = self._maker.keys(self.table.rows[np.asarray([row, other])])
        return len(np.intersect1d(keys[places == 0], keys[places == 1])) > 0

    def _post(self) -> None:
        """Post the keys of what was inserted since."""
        if self._posted < len(self.table):
            keys, places = self._maker.keys(self.table.rows[self._posted :])
            self._postings.add(keys, places + np.uint32(self._posted))
            self._posted = len(self.table)


def _slices(looked_up: Iterable[Candidates]) -> Iterator[tuple[int, Rows, Rows]]:
    """First position; position and other row of each entry. All entries of a pair lie in one slice."""
    together: list[tuple[int, Candidates]] = []
    size = 0
    for position, each in enumerate(looked_up):
        if together and size + each.count > PAIRS_AT_ONCE:
            yield _joined(together)
            together, size = [], 0
        if each.count > PAIRS_AT_ONCE:
            for window in _windows(each):
                yield _joined([(position, window)])
        else:
            together.append((position, each))
            size += each.count
    if together:
        yield _joined(together)


def _joined(together: Sequence[tuple[int, Candidates]]) -> tuple[int, Rows, Rows]:
    pieces = [piece for _, each in together for piece in each.pieces]
    positions = np.repeat([position for position, _ in together], [each.count for _, each in together])
    others = np.concatenate(pieces).astype(np.int64) if pieces else np.empty(0, np.int64)
    return together[0][0], positions, others


def _windows(large: Candidates) -> Iterator[Candidates]:
    """The candidates of one row by ranges of rows, so that a row in several pieces is in one window."""
    if large.count <= PAIRS_AT_ONCE:
        yield large
        return
    first, last = (int(bound(piece[at] for piece in large.pieces)) for bound, at in ((min, 0), (max, -1)))
    cuts = [int(np.searchsorted(piece, (first + last + 1) // 2)) for piece in large.pieces]
    below = tuple(piece[:cut] for piece, cut in zip(large.pieces, cuts, strict=True) if cut)
    above = tuple(piece[cut:] for piece, cut in zip(large.pieces, cuts, strict=True) if cut < len(piece))
    yield from _windows(Candidates(large.row, below))
    yield from _windows(Candidates(large.row, above))
