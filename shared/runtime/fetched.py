"""What a fetch brought of one partition, opened batch by batch as it is taken."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from shared.runtime.batches import OBJECT_BYTES, Damaged, OpenBatch, first_batch, open_batch
from shared.runtime.record import Record


@dataclass(slots=True)
class Allowance:
    """What one poll may still take; its first record is taken whatever its size."""

    records: int
    bytes: int

    @property
    def spent(self) -> bool:
        return self.records <= 0 or self.bytes <= 0

    def take(self, records: int, size: int) -> None:
        self.records -= records
        self.bytes -= size


class Fetched:
    """What a fetch brought of one partition: the batches that are not open yet, and the one that is."""

    def __init__(
        self, partition: TopicPartition, data: bytes, offset: int, assignment: Any, backoff: float
    ) -> None:
        self._partition = partition
        self._data: bytes | None = data
        self._from = self._next = offset  # of the record to hand over, and to make ready
        self._assignment = assignment
        self._keep_until = time.monotonic() + backoff
        self._at = 0
        self._open: OpenBatch | None = None
        self._taken = 0  # of its records
        self._ready: list[Record] = []
        self._is_damaged = False

    def calculate_backoff(self) -> float:
        """For how long the fetcher waits for this to be taken before it fetches other partitions."""
        return max(0.0, self._keep_until - time.monotonic())

    def has_more(self) -> bool:
        """Whether there may be more to take."""
        return self._data is not None

    @property
    def large(self) -> bool:
        """Whether its open batch takes much memory: one at a time is enough."""
        return self._open is not None and self._open.large

    def prepare(self, allowance: Allowance, most: int, largest: int) -> bool:
        """Make up to `most` records of one batch ready, within the allowance; whether anything came of it.

        It may take seconds, and touches nothing but this object and the allowance: it may run in a thread.
        Raises TooLargeNow if the batch has to be opened and holds more than `largest` bytes.
        """
        try:
            if self._is_damaged or not self._opened(allowance, largest):
                return False
            self._take_open(self._ready, allowance, len(self._ready) + most)
        except Damaged:
            self._is_damaged = True  # what stands before it comes first
            return False
        return True

    @property
    def ready(self) -> int:
        """How many records are ready."""
        return len(self._ready)

    def take(self) -> list[Record]:
        """The records that are ready, if they are wanted still. Raises Damaged."""
        if not self._is_wanted():
            self._data = self._open = None
            return []
        records, self._ready = self._ready, []
        if self._is_damaged and not records:
            raise Damaged
        self._from = self._next
        self._assignment.state_value(self._partition).consumed_to(self._next)
        return records

    def damaged(self) -> int:
        """Give up; the offset from which to fetch again."""
        self._data = None
        return self._next

    def _is_wanted(self) -> bool:
        """Not if the partition was given up, is paused, or was sought elsewhere since the fetch."""
        if not self._assignment.active:
            return False
        state = self._assignment.state_value(self._partition)
        return not state.paused and state.has_valid_position and state.position == self._from

    def _opened(self, allowance: Allowance, largest: int) -> bool:
        """Whether a batch is open; without one the fetch is used up."""
        if self._open is None and self._data is not None:
            batch = first_batch(self._data, self._at)
            if batch is None:
                self._data = None
                return False
            self._open, self._taken = open_batch(batch, self._partition, largest), 0
            self._at += len(batch)
            allowance.bytes -= self._open.cost
        return self._open is not None

    def _take_open(self, records: list[Record], allowance: Allowance, most: int) -> None:
        assert self._open is not None
        if self._take_at_once(self._open, records, allowance, most):
            self._next = max(self._next, self._open.next_offset)
            self._open = None

    def _take_at_once(self, batch: OpenBatch, records: list[Record], allowance: Allowance, most: int) -> bool:
        """Whether nothing is left of the batch."""
        if not isinstance(batch.records, Sequence):
            return self._take_singly(batch.records, records, allowance, most)
        wanted = min(most - len(records), allowance.records, max(1, allowance.bytes // max(1, batch.each)))
        taken = batch.records[self._taken : self._taken + wanted]
        self._taken += len(taken)
        if taken and taken[0].following <= self._next:  # reading began within the batch
            taken = [record for record in taken if record.following > self._next]
        if taken:
            records += taken
            self._next = taken[-1].following
            allowance.take(len(taken), batch.each * len(taken))
        return self._taken >= len(batch.records)

    def _take_singly(
        self, batch: Iterator[Record], records: list[Record], allowance: Allowance, most: int
    ) -> bool:
        for record in batch:
            if record.following <= self._next:
                continue
            records.append(record)
            self._next = record.following
            allowance.take(1, record.size + OBJECT_BYTES * (1 + len(record.headers)))
            if allowance.spent or len(records) >= most:
                return False
        return True
