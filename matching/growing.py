"""An array that grows at its end, and never copies much at once: the event loop waits while it does."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_TOGETHER = 64
"""Records appended between two pieces of a move."""

_FASTER = 16
"""Records moved for each one appended: the larger array is there before the present one is full."""


class Growing:
    """Records of one dtype. Where a list would copy all it has, this moves 1,024 records at a time."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._array: NDArray[Any] = np.zeros(_TOGETHER, dtype)
        self._length = 0
        self._larger: NDArray[Any] | None = None  # takes over when the present array is full
        self._moved = 0

    def __len__(self) -> int:
        return self._length

    @property
    def nbytes(self) -> int:
        """Memory in bytes, as far as it is filled: what is behind costs nothing before it is touched."""
        return (self._length + self._moved) * self._array.itemsize

    @property
    def view(self) -> NDArray[Any]:
        """What is filled, to be read only; valid until the next append."""
        return self._array[: self._length]

    def append(self, record: tuple[Any, ...]) -> None:
        """Add one record."""
        if self._length == len(self._array):
            self._take_over()
        self._array[self._length] = record
        self._length += 1
        if self._length % _TOGETHER == 0 and self._length >= len(self._array) - len(self._array) // 8:
            self._move(_FASTER * _TOGETHER)

    def set(self, at: int, field: str, value: Any) -> None:
        """Change a field of a record that is there."""
        self._array[field][at] = value
        if self._larger is not None and at < self._moved:
            self._larger[field][at] = value

    def _move(self, records: int) -> None:
        if self._larger is None:
            # Zeros cost nothing before they are touched.
            self._larger = np.zeros(len(self._array) + (len(self._array) >> 1), self._array.dtype)
        until = min(self._moved + records, self._length)
        self._larger[self._moved : until] = self._array[self._moved : until]
        self._moved = until

    def _take_over(self) -> None:
        self._move(self._length)
        if self._larger is not None:
            self._array, self._larger, self._moved = self._larger, None, 0
