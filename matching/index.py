"""The matching index: every version that was ever accepted, and which of them are worth comparing."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching.keys import KeyMaker
from matching.postings import Postings
from matching.table import Table
from matching.version import Version
from shared.contracts.model_file import Blocking

_BLOCK = 4096
"""Versions whose keys are made together."""


class Index:
    """Holds each distinct version for good, whatever became of it since.

    Of two versions, a look-up for the one finds the other if that was inserted before the look-up: insert,
    then look up, and no pair is missed whichever came first.
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

    def candidates(self, rows: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs (row, other row) of different registrations that share a blocking key; each once."""
        self._post()
        asked = np.asarray(rows, np.int64)
        keys, places = self._maker.keys(self.table.rows[asked])
        positions, others = self._postings.find(keys)
        mine = asked[places[positions]]
        pairs = np.unique(mine << 32 | others)
        mine, others = pairs >> 32, pairs & 0xFFFFFFFF
        registration: NDArray[Any] = self.table.rows["registration"]
        different = registration[mine] != registration[others]
        return mine[different], others[different]

    def _post(self) -> None:
        """Post the keys of what was inserted since."""
        if self._posted < len(self.table):
            keys, places = self._maker.keys(self.table.rows[self._posted :])
            self._postings.add(keys, places + np.uint32(self._posted))
            self._posted = len(self.table)
