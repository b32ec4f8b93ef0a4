"""The one outcome of each input offset, and how it is stored. Pure."""

from dataclasses import dataclass
from typing import Any

from services.registration.domain import Accepted, Closed, Ignored, Judgement, Rejected
from services.registration.intake import DeadLetter, Incoming
from shared.contracts.events import Marker
from shared.contracts.outputs import Outcome
from shared.contracts.timestamps import rfc3339
from shared.runtime.record import Record


@dataclass(frozen=True, slots=True)
class Ended:
    """A valid marker: an epoch ends here."""

    marker: Marker


@dataclass(frozen=True, slots=True)
class Repeated:
    """A valid marker of an epoch that has ended in its partition: without effect, and not passed on."""

    marker: Marker


@dataclass(frozen=True, slots=True)
class Void:
    """A marker that does not count."""


Result = Judgement | Ended | Repeated | Void | DeadLetter


@dataclass(frozen=True, slots=True)
class Settled:
    """A record with what became of it; `incoming` is None for a dead letter.

    `proven`: the device that an event names has sent it, or no devices are in force.
    """

    record: Record
    incoming: Incoming | None
    result: Result
    proven: bool = False

    @property
    def outcome(self) -> Outcome:
        """The contract's word for it."""
        return _OUTCOMES[type(self.result)]


_OUTCOMES: dict[type[Result], Outcome] = {
    Accepted: Outcome.ACCEPTED,
    Closed: Outcome.ACCEPTED,
    Ignored: Outcome.IGNORED,
    Rejected: Outcome.REJECTED,
    DeadLetter: Outcome.DEAD_LETTERED,
    Ended: Outcome.MARKER,
    Repeated: Outcome.MARKER,
    Void: Outcome.VOID_MARKER,
}


def outcome_document(settled: Settled) -> dict[str, Any] | None:
    """As stored in `outcomes`; None for an accepted event, which lies in its registration or its batch."""
    if settled.outcome == Outcome.ACCEPTED:
        return None
    record, incoming, result = settled.record, settled.incoming, settled.result
    document: dict[str, Any] = {
        "_id": f"{record.partition}/{record.offset}",
        "outcome": settled.outcome.value,
        "reason": None,
        "event_source": incoming.event.source if incoming else None,
        "event_id": incoming.event.id if incoming else None,
        "registration_id": incoming.registration_id if incoming else None,
        "time": rfc3339(record.timestamp),
    }
    match result:
        case Rejected():
            document["reason"] = result.reason.value
            document["errors"] = [dict(error) for error in result.errors]
            document["errors_total"] = result.errors_total
        case DeadLetter():
            document["reason"] = result.reason
            document["detail"] = result.detail
            if record.last_offset is not None:
                document["last_offset"] = record.last_offset
        case Ended() | Repeated():
            document["epoch"] = result.marker.epoch
            document["command_offset"] = result.marker.command_offset
        case _:
            pass
    return document
