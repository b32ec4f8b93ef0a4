"""Where a group member stands in each partition that it holds, and the lag that follows from it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from aiokafka import TopicPartition

from shared.process.errors import StopService
from shared.process.metrics import Metrics
from shared.runtime.record import Record


class Positions:
    """Per partition: the next offset to settle, what the group has committed, and where the log ends."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._next: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}

    def __contains__(self, partition: TopicPartition) -> bool:
        return partition in self._next

    def __getitem__(self, partition: TopicPartition) -> int:
        """Next offset to settle."""
        return self._next[partition]

    def partitions(self) -> list[TopicPartition]:
        """Those whose start is known."""
        return list(self._next)

    def begin(self, partition: TopicPartition, start: int, committed: int | None) -> None:
        """Read `partition` from `start` on."""
        self._next[partition] = start
        self._committed[partition] = committed or 0

    def clear(self) -> None:
        """Hold nothing any more."""
        for partition in self._next:
            self._metrics.consumer_lag.remove(partition.topic, str(partition.partition))
        self._next.clear()
        self._committed.clear()
        self._ends.clear()

    def settled(self, batch: Iterable[Record]) -> None:
        """The effects of `batch` are stored."""
        for record in batch:
            self._next[TopicPartition(record.topic, record.partition)] = record.following

    def due(self, held: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """What to commit: never below what is committed, since what lies below was acknowledged."""
        return {
            partition: offset
            for partition, offset in self._next.items()
            if offset > self._committed[partition] and partition in held
        }

    def committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """The broker has taken `offsets`."""
        self._committed.update((partition, offsets[partition]) for partition in offsets if partition in self)

    def seen_ends(self, ends: Mapping[TopicPartition, int | None]) -> None:
        """The log reaches at least to `ends`."""
        for partition, end in ends.items():
            if partition in self and end is not None:
                self._ends[partition] = max(end, self._ends.get(partition, 0))

    def show(self) -> int:
        """Set the metrics of the lag; answers how many records have yet to be settled."""
        unread = 0
        for partition, following in self._next.items():
            end = self._ends.get(partition, 0)
            self._metrics.consumer_lag.labels(topic=partition.topic, partition=str(partition.partition)).set(
                max(0, end - self._committed[partition])
            )
            unread += max(0, end - following)
        self._metrics.unread_records.set(unread)
        return unread

    def gaps(self, batch: Sequence[Record]) -> dict[TopicPartition, int]:
        """Partition → first offset in `batch`, where that is not the next one.

        A gap is what a producer aborted, or records that were deleted; a step back is another log.
        """
        firsts: dict[TopicPartition, int] = {}
        for record in batch:
            firsts.setdefault(TopicPartition(record.topic, record.partition), record.offset)
        return {partition: first for partition, first in firsts.items() if first != self._next[partition]}


def check_bounds(partition: TopicPartition, start: int, begin: int, end: int) -> None:
    """Raise `StopService` unless the log of `partition` still holds what follows `start`."""
    if start > end:
        raise StopService(
            f"{partition.topic}-{partition.partition} ends at {end}, below the stored progress {start}: "
            "the topic was made anew, or the broker lost what it acknowledged",
            cause="log_truncated",
        )
    if start < begin:
        raise StopService(
            f"{partition.topic}-{partition.partition} begins at {begin}, above the stored progress {start}: "
            "records between were deleted",
            cause="log_truncated",
        )
