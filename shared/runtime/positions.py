"""The lag of a group member, and whether the log still holds what it is to read."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import TopicPartition

from shared.process.errors import StopService
from shared.process.health import GROUP, Health
from shared.process.metrics import Metrics


class Lag:
    """Shows in the metrics and to the health what of the held partitions has yet to be settled."""

    def __init__(self, metrics: Metrics, health: Health) -> None:
        self._metrics = metrics
        self._health = health
        self._ends: dict[TopicPartition, int] = {}
        self._shown: set[TopicPartition] = set()

    def seen_ends(self, ends: Mapping[TopicPartition, int | None]) -> None:
        """The log reaches at least to `ends`."""
        for partition, end in ends.items():
            if end is not None:
                self._ends[partition] = max(end, self._ends.get(partition, 0))

    def show(self, positions: Mapping[TopicPartition, int], committed: Mapping[TopicPartition, int]) -> None:
        """Next offset to settle, and the group's committed offset, of each partition that is held."""
        for partition in self._shown - positions.keys():
            self._metrics.consumer_lag.remove(partition.topic, str(partition.partition))
            self._health.forget(GROUP, partition)
            self._ends.pop(partition, None)
        unread = 0
        for partition, following in positions.items():
            end = self._ends.get(partition, 0)
            self._metrics.consumer_lag.labels(topic=partition.topic, partition=str(partition.partition)).set(
                max(0, end - committed[partition])
            )
            self._health.position(GROUP, partition, following, end)
            unread += max(0, end - following)
        self._metrics.unread_records.set(unread)
        self._shown = set(positions)


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
