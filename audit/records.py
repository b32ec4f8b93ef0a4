"""Accepted versions and rejections, as they are sent."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from audit import normalised
from audit.decoding import Event
from audit.identifiers import identifier
from audit.log import LogRecord
from shared.contracts import events, identity, outputs
from shared.contracts.events import EventType
from shared.contracts.topics import Topic


@dataclass(frozen=True, slots=True)
class Version:
    """An accepted event of a registration, with the record that it gave."""

    partition: int
    offset: int
    timestamp: int
    event_type: str
    event_hash: str | None
    record: outputs.Accepted
    sent: bytes
    voter: events.Voter | None
    captured_voter: Any  # the same as JSON, null members left out
    place: str | None  # the village (eight digits) or commune (six) of residence, as captured

    @property
    def epoch(self) -> int:
        """The epoch in which it came."""
        return self.record.epoch


MOST_ERRORS = 20


class Rejection(Exception):
    """Why an event is rejected, and at which paths: (path, rule), however many."""

    def __init__(self, reason: str, path: str = "", errors: list[tuple[str, str]] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.errors = sorted({(path, reason)} if errors is None else set(errors))


def timestamp_text(milliseconds: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def accepted(
    record: LogRecord,
    event: Event,
    event_hash: str | None,
    parsed: events.Registration | events.Removal,
    versions: list[Version],
    epoch: int,
) -> Version:
    """The version that an accepted event makes, given those before it."""
    first_accepted = versions[0].timestamp if versions else record.timestamp
    whole: dict[str, Any] = {
        "registration_id": parsed.registration_id,
        "revision": parsed.revision,
        "capture": event.data["capture"],
        "event_source": event.source,
        "event_id": event.id,
        "epoch": epoch,
        "first_accepted_at": timestamp_text(first_accepted),
        "source": {"partition": record.partition, "offset": record.offset},
    }
    voter, place = None, None
    if isinstance(parsed, events.Registration):
        voter, place = parsed.voter, parsed.residence.village_code
        whole |= {
            "status": "active",
            "voter": {**event.data["voter"], "normalised": normalised.voter(voter)},
            "residence": {
                "province": place[:2],
                "district": place[:4],
                "commune": place[:6],
                "village": place if len(place) == 8 else None,
            },
            "polling_station": parsed.polling_station,
            "digest": identity.digest(event.data["voter"], event.data["residence"]),
        }
    else:
        left = versions[-1].record.digest
        whole |= {"status": "removed", "removal_reason": parsed.reason, "digest": left}
    return Version(
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        event_type=event.type,
        event_hash=event_hash,
        record=outputs.Accepted.model_validate(whole),
        sent=identity.canonical(whole),
        voter=voter,
        captured_voter=None if voter is None else identity.without_nulls(event.data["voter"]),
        place=place,
    )


def rejected(record: LogRecord, event: Event, rejection: Rejection) -> dict[str, Any]:
    """What is answered to the capture system."""
    data = event.data if isinstance(event.data, dict) else {}
    closing = event.type == EventType.BATCH_CLOSED
    capture = data if closing else data.get("capture")
    capture = capture if isinstance(capture, dict) else {}
    return {
        "event_source": event.source,
        "event_id": event.id,
        "office": identifier(capture.get("office")),
        "device": identifier(capture.get("device")),
        "registration_id": None if closing else identifier(data.get("registration_id")),
        "reason": rejection.reason,
        "errors": [{"path": path, "rule": rule} for path, rule in rejection.errors[:MOST_ERRORS]],
        "errors_total": len(rejection.errors),
        "source": {
            "topic": Topic.EVENTS.value,
            "partition": record.partition,
            "offset": record.offset,
        },
    }
