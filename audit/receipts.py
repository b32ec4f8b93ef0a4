"""What is known of every closed batch once the whole log is read."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from audit.decoding import Event
from audit.identifiers import capture_of
from shared.contracts.events import BatchClosed, EventType
from shared.contracts.identity import canonical

MOST_PAIRS = 20_000
"""Distinct pairs of sequence and content in a batch; with more it is overfull."""

MOST_RANGES = 100


@dataclass(slots=True)
class Batch:
    """What arrived of a batch: the hashes under each sequence, and the outcomes of its events."""

    hashes: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    outcomes: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    @property
    def overfull(self) -> bool:
        """Whether there are too many distinct pairs, wherever they lie."""
        return sum(map(len, self.hashes.values())) > MOST_PAIRS


class Batches(defaultdict[tuple[str, str], Batch]):
    """What arrived, by device and batch, whether or not it was closed."""

    def __init__(self) -> None:
        super().__init__(Batch)

    def arrived(self, register: str, event: Event, outcome: str) -> None:
        """Take note of a decodable event that may be known to the batch that it names, if it names one.

        A `batch-closed` and a marker name none, whatever their data hold.
        """
        if event.type in (EventType.BATCH_CLOSED, EventType.MARKER):
            return
        capture = capture_of(event.data)
        if capture is None:
            return
        try:
            data = canonical(event.data)
        except ValueError:
            return
        named = b"".join(part.encode() + b"\0" for part in (register, event.type, event.id))
        batch = self[capture.device, capture.batch]
        batch.hashes[capture.sequence].add(hashlib.sha256(named + data).hexdigest())
        batch.outcomes[capture.sequence].add(outcome)


def receipts(
    last_closes: Mapping[tuple[str, str], BatchClosed], batches: Batches
) -> dict[str, dict[str, Any]]:
    """The last receipt of each closed batch, by message key."""
    return {
        f"{device}/{batch}": receipt(close, batches.get((device, batch), Batch()))
        for (device, batch), close in last_closes.items()
    }


def receipt(close: BatchClosed, batch: Batch) -> dict[str, Any]:
    """The last receipt of a batch whose last accepted close this is."""
    told: dict[str, Any] = {
        "office": close.office,
        "device": close.device,
        "batch": close.batch,
        "count": close.count,
        "received": None,
        "missing_count": 0,
        "missing": [],
        "rejected_count": 0,
        "rejected": [],
        "content": None,
        "complete": False,
    }
    if batch.overfull:
        return told
    expected = range(close.first_sequence, close.last_sequence + 1)
    received = [n for n in expected if n in batch.outcomes]
    missing = [n for n in expected if n not in batch.outcomes]
    rejected = [n for n in received if batch.outcomes[n] == {"rejected"}]
    pairs = sorted((n, each) for n in received for each in batch.hashes[n])
    return told | {
        "received": len(received),
        "missing_count": len(missing),
        "missing": ranges(missing),
        "rejected_count": len(rejected),
        "rejected": ranges(rejected),
        "content": hashlib.sha256(canonical([list(pair) for pair in pairs])).hexdigest(),
        "complete": not missing,
    }


def ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Ascending numbers as inclusive ranges, the lowest hundred."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found[:MOST_RANGES]
