"""Capture batches against their sequences, and the receipts that devices wait for. Pure.

Events of one batch lie in many partitions and are judged by several processes. What is kept of a batch is a
function of the set of its events, so that neither order nor repetition matters.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from services.registration.domain import Closed, Judgement, Rejected
from services.registration.history import Close
from services.registration.intake import Incoming
from shared.contracts.identity import arrival_hash, batch_content
from shared.contracts.outputs import MOST_RANGES

MOST_ARRIVALS = 20_000
"""Distinct pairs of sequence and arrival hash that are kept of a batch, 680 kB; one with more is overfull for
good, since which came first is no function of the log."""

_SEQUENCE_BYTES = 2
_ARRIVAL_BYTES = _SEQUENCE_BYTES + 32

Owed = Literal["new", "check"]
"""A receipt that has to be sent: for sure, or unless the last one on the topic says the same already."""


@dataclass(slots=True)
class BatchChange:
    """What a handler's batch adds to a capture batch.

    `arrivals` are packed (see `arrival`), `taken` the sequences of events that were not rejected. `new`:
    something of it is settled for the first time, and not in a rebuild.
    """

    arrivals: set[bytes] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)
    closes: list[Close] = field(default_factory=list)
    new: bool = False


class BatchChanges:
    """Collects the changes of one handler's batch."""

    def __init__(self, register: str) -> None:
        self._register = register
        self.by_id: dict[str, BatchChange] = {}

    def note(self, incoming: Incoming, judgement: Judgement, *, proven: bool, new: bool) -> None:
        """Count a decodable event, whatever became of it, if its device is `proven` to have sent it.

        `new`: its outputs are to be sent.
        """
        capture, event = incoming.capture, incoming.event
        if proven and capture is not None and not incoming.closes_batch:
            content = arrival_hash(self._register, event.type, event.id, event.data)
            if content is not None:
                change = self._change(capture.batch_id, new)
                change.arrivals.add(arrival(capture.sequence, content))
                if not isinstance(judgement, Rejected):
                    change.taken.add(capture.sequence)
        if isinstance(judgement, Closed) and incoming.batch_id is not None:
            self._change(incoming.batch_id, new).closes.append(judgement.close)

    def _change(self, batch_id: str, new: bool) -> BatchChange:
        change = self.by_id.setdefault(batch_id, BatchChange())
        change.new |= new
        return change


class Batch:
    """A capture batch while changes are added to it.

    `partition` is that of its closes: the process that holds it sends the receipts. `stored` is the guard of
    the next write: what the store held when the batch was read.
    """

    __slots__ = (
        "arrivals",
        "changed",
        "closes",
        "id",
        "overfull",
        "owed",
        "partition",
        "rejected",
        "stored",
    )

    def __init__(self, batch_id: str, partition: int) -> None:
        self.id = batch_id
        self.partition = partition
        self.stored: dict[str, Any] = {"_id": batch_id, "state": None, "owed": None}
        self.arrivals: set[bytes] = set()
        self.rejected: set[int] = set()
        self.closes: list[Close] = []
        self.overfull = False
        self.owed: Owed | None = None
        self.changed = False

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """As it was stored."""
        batch = cls(document["_id"], document["partition"])
        batch.stored = {name: document[name] for name in batch.stored}
        packed = bytes(document["arrivals"])
        batch.arrivals = {packed[at : at + _ARRIVAL_BYTES] for at in range(0, len(packed), _ARRIVAL_BYTES)}
        batch.rejected = set(document["rejected"])
        batch.closes = [Close.of(each) for each in document["closes"]]
        batch.overfull = document["overfull"]
        batch.owed = document["owed"]
        return batch

    @property
    def close(self) -> Close | None:
        """The last accepted close, which counts."""
        return self.closes[-1] if self.closes else None

    def add(self, change: BatchChange) -> None:
        """Add what a handler's batch adds; the receipt is owed if that changes what it says."""
        closes, overfull = self._add_closes(change.closes), self.overfull
        arrivals, settled = self._add_arrivals(change)
        self.changed |= closes or bool(arrivals or settled)
        close = self.close
        if close is None:
            return
        told = any(sequence in close.sequences for sequence in arrivals | settled)
        if closes or told or self.overfull != overfull:
            self.owed = "new" if change.new else self.owed or "check"

    def _add_closes(self, closes: Iterable[Close]) -> bool:
        known = {each.offset: each for each in (*closes, *self.closes)}
        added = len(known) > len(self.closes)
        self.closes = [known[offset] for offset in sorted(known)]
        return added

    def _add_arrivals(self, change: BatchChange) -> tuple[set[int], set[int]]:
        """Sequences with new arrivals, and those that are no longer, or newly, of rejected events only."""
        if self.overfull:
            return set(), set()
        before = self.received()
        rejected = self.rejected
        added = change.arrivals - self.arrivals
        self.arrivals |= added
        if len(self.arrivals) > MOST_ARRIVALS:
            self.overfull = True
            self.arrivals, self.rejected = set(), set()
            return before | sequences(added), set()
        taken = (before - rejected) | change.taken
        self.rejected = self.received() - taken
        return sequences(added), self.rejected ^ rejected

    def received(self) -> set[int]:
        """The sequences of which anything arrived."""
        return sequences(self.arrivals)

    def document(self) -> dict[str, Any]:
        """The whole document, with what operators read of it.

        `state` is a hash of all that comes of the log.
        """
        close = self.close
        arrivals = b"".join(sorted(self.arrivals))
        rejected = sorted(self.rejected)
        others = repr((self.overfull, rejected, [each.offset for each in self.closes])).encode()
        missing = self._missing(close) if close else []
        return {
            "_id": self.id,
            "partition": self.partition,
            "state": hashlib.sha256(others + arrivals).hexdigest(),
            "office": close.office if close else None,
            "first": close.first_sequence if close else None,
            "last": close.last_sequence if close else None,
            "count": close.count if close else None,
            "missing_count": len(missing),
            "missing": ranges(missing),
            "complete": close is not None and not self.overfull and not missing,
            "overfull": self.overfull,
            "received": sorted(self.received()),
            "rejected": rejected,
            "closes": [each.document() for each in self.closes],
            "arrivals": arrivals,
            "owed": self.owed,
        }

    def receipt(self) -> dict[str, Any] | None:
        """The receipt of the contract, None while the batch is not closed."""
        close = self.close
        if close is None:
            return None
        arrived = [each for each in map(unpacked, self.arrivals) if each[0] in close.sequences]
        missing = self._missing(close)
        rejected = sorted(each for each in self.rejected if each in close.sequences)
        device, batch = self.id.split("/", 1)
        return {
            "office": close.office,
            "device": device,
            "batch": batch,
            "count": close.count,
            "received": None if self.overfull else len({sequence for sequence, _ in arrived}),
            "missing_count": len(missing),
            "missing": ranges(missing),
            "rejected_count": len(rejected),
            "rejected": ranges(rejected),
            "content": None if self.overfull else batch_content(arrived),
            "complete": not self.overfull and not missing,
        }

    def _missing(self, close: Close) -> list[int]:
        if self.overfull:
            return []
        received = self.received()
        return [sequence for sequence in close.sequences if sequence not in received]


def arrival(sequence: int, content: str) -> bytes:
    """A pair of sequence and arrival hash, packed; packed pairs are in order as the pairs are."""
    return sequence.to_bytes(_SEQUENCE_BYTES, "big") + bytes.fromhex(content)


def unpacked(packed: bytes) -> tuple[int, str]:
    """The pair that `arrival` packed."""
    return int.from_bytes(packed[:_SEQUENCE_BYTES], "big"), packed[_SEQUENCE_BYTES:].hex()


def sequences(arrivals: Collection[bytes]) -> set[int]:
    """The sequences of packed pairs."""
    return {int.from_bytes(each[:_SEQUENCE_BYTES], "big") for each in arrivals}


def ranges(numbers: Iterable[int]) -> list[list[int]]:
    """The lowest MOST_RANGES ranges of ascending numbers, both ends included."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        elif len(found) == MOST_RANGES:
            break
        else:
            found.append([number, number])
    return found
