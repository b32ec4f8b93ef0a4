"""Capture batches against their sequences, and the receipts that devices wait for. Pure.

Events of one batch lie in many partitions and are judged by several processes. What each adds is a union of
sets, so that neither order nor repetition matters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.registration.domain import Closed, Judgement, Rejected
from services.registration.history import Close
from services.registration.intake import Incoming

SETS = ("received", "taken", "closes")
"""The members of a stored batch that only grow: sequences of any event, sequences of events that were not
rejected, accepted closes."""

_AT_ONCE = 100
"""Sequences that one update adds to a batch: a store compares each with every one that is there."""


@dataclass(slots=True)
class BatchChange:
    """What a handler's batch adds to a capture batch; `answer`: its receipt may have to be sent."""

    received: set[int] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)
    closes: list[Close] = field(default_factory=list)
    answer: bool = False

    def updates(self, rebuilding: bool = False) -> list[dict[str, Any]]:
        """The change for the store, in steps that it does quickly however large the batch has become.

        While the store is `rebuilding`, a receipt may lack what has not been read again. So the batch is
        marked `early`: whoever adds to it later sends another receipt, however old what they add.
        """
        mark = {"$set": {"early": True}} if rebuilding and self.answer else {}
        sequences = sorted(self.received | self.taken)
        updates: list[dict[str, Any]] = []
        for at in range(0, max(1, len(sequences)), _AT_ONCE):
            some = sequences[at : at + _AT_ONCE]
            added = (
                [each for each in some if each in self.received],
                [each for each in some if each in self.taken],
                [close.document() for close in self.closes] if at == 0 else [],
            )
            sets = {name: {"$each": each} for name, each in zip(SETS, added, strict=True)}
            updates.append({"$addToSet": sets, **mark})
        return updates


class BatchChanges:
    """Collects the changes of one handler's batch."""

    def __init__(self) -> None:
        self.by_id: dict[str, BatchChange] = {}

    def note(self, incoming: Incoming, judgement: Judgement, answer: bool) -> None:
        """Count a decodable event, whatever became of it; `answer`: its outputs are to be sent."""
        capture = incoming.capture
        if capture is not None:
            change = self._change(capture.batch_id, answer)
            change.received.add(capture.sequence)
            if not isinstance(judgement, Rejected):
                change.taken.add(capture.sequence)
        if isinstance(judgement, Closed) and incoming.batch_id is not None:
            self._change(incoming.batch_id, answer).closes.append(judgement.close)

    def _change(self, batch_id: str, answer: bool) -> BatchChange:
        change = self.by_id.setdefault(batch_id, BatchChange())
        change.answer |= answer
        return change


def receipt(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The receipt of a batch as it is stored, None while it is not closed. The last close counts.

    `rejected` are sequences of which no event was accepted or ignored. No sequence is in both lists, so that
    a batch with all its MOST_SEQUENCES in them still fits a message.
    """
    closes = [Close.of(each) for each in document.get("closes", ())]
    if not closes:
        return None
    close = max(closes, key=lambda each: each.offset)
    received = set(document.get("received", ()))
    missing = [
        sequence
        for sequence in range(close.first_sequence, close.last_sequence + 1)
        if sequence not in received
    ]
    device, batch = str(document["_id"]).split("/", 1)
    return {
        "office": close.office,
        "device": device,
        "batch": batch,
        "count": close.count,
        "received": len(received),
        "missing": missing,
        "rejected": sorted(received.difference(document.get("taken", ()))),
        "complete": not missing,
    }


def summary(document: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """What operators read beside the sets, as of the receipt."""
    close = max((Close.of(each) for each in document["closes"]), key=lambda each: each.offset)
    return {
        "office": close.office,
        "first": close.first_sequence,
        "last": close.last_sequence,
        "count": close.count,
        "missing": sent["missing"],
        "rejected": sent["rejected"],
        "complete": sent["complete"],
    }
