"""What a service does with records, and which it gets."""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shared.runtime.record import Record


class BatchHandler(Protocol):
    """What a service does with records. Only one of its methods runs at a time.

    What must be waited for (servers, reference data, a feed) is said by `TransientError`, after some seconds
    at most: a method that does not return within `progress_timeout_s` counts as a hang. `handle` is cancelled
    when it outlasts the drain of a rebalance.
    """

    async def assigned(self, committed: Mapping[int, int | None]) -> Mapping[int, int]:
        """Partition → the group's committed offset; answers where to start: stored progress, or 0."""

    def handle(self, batch: Sequence[Record]) -> Coroutine[Any, Any, Sequence[Record] | None]:
        """Settle `batch`: offsets ascend within a partition, partitions are mixed.

        Work that takes long is settled in parts: then this answers the records that are left, of each
        partition its last ones, after some seconds. They are read again; what was settled counts as progress.
        """

    async def revoked(self, partitions: Collection[int]) -> None:
        """These partitions are given up; no batch of theirs is in flight."""


@dataclass(frozen=True)
class ConsumerSpec:
    """Which topic is consumed, in which group, by what."""

    topic: str
    group: str
    handler: BatchHandler
