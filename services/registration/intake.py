"""Reads a record of `registration.events.v1` as far as it can be read before it is judged. Pure."""

import re
from dataclasses import dataclass
from typing import Any

from shared.contracts.cloudevents import Event, Undecodable, decode, header
from shared.contracts.commands import SIGNATURE_HEADER
from shared.contracts.events import EventType
from shared.contracts.fields import MOST_SEQUENCES
from shared.runtime.record import Record

_IDENTIFIER = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class CaptureRef:
    """The place of a capture in its batch."""

    batch_id: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """A decoded event at its place in the log, and what it says of itself, where that can be read.

    `subject` is what its key must be: the registration id or, for `batch-closed`, the device; any string.
    `registration_id`, `office`, `device` are None unless they are identifiers; `batch_id` is
    `<device>/<batch>` of a `batch-closed`. `signature` is the device's, in base64 as it lay. `timestamp` is
    the broker's, in milliseconds since 1970.
    """

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    event: Event
    subject: str | None
    registration_id: str | None
    office: str | None
    device: str | None
    batch_id: str | None
    capture: CaptureRef | None
    signature: bytes | None

    @property
    def closes_batch(self) -> bool:
        """Whether the event says what a device captured in a batch."""
        return self.event.type == EventType.BATCH_CLOSED

    @property
    def is_marker(self) -> bool:
        """Whether the record claims to be the end of an epoch."""
        return self.event.type == EventType.MARKER


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that is no event, or a run of them; neither `reason` nor `detail` repeats it."""

    reason: str
    detail: str


def read(record: Record) -> Incoming | DeadLetter:
    """Decode one record."""
    try:
        event = decode(record.value, record.headers, record.fault, record.key, record.wire_bytes)
    except Undecodable as undecodable:
        return DeadLetter(undecodable.reason.value, undecodable.detail)
    data: dict[str, Any] = event.data if isinstance(event.data, dict) else {}
    nested = data.get("capture")
    capture: dict[str, Any] = nested if isinstance(nested, dict) else {}
    closes_batch = event.type == EventType.BATCH_CLOSED
    names_device = data if closes_batch else capture
    subject = data.get("device" if closes_batch else "registration_id")
    return Incoming(
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        key=record.key,
        event=event,
        subject=subject if isinstance(subject, str) else None,
        registration_id=None if closes_batch else _identifier(data.get("registration_id")),
        office=_identifier(names_device.get("office")),
        device=_identifier(names_device.get("device")),
        batch_id=_batch_id(data) if closes_batch else None,
        capture=_capture(capture),
        signature=header(record.headers, SIGNATURE_HEADER),
    )


def _identifier(value: object) -> str | None:
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else None


def _batch_id(names: dict[str, Any]) -> str | None:
    device, batch = _identifier(names.get("device")), _identifier(names.get("batch"))
    return f"{device}/{batch}" if device and batch else None


def _capture(capture: dict[str, Any]) -> CaptureRef | None:
    batch_id, sequence = _batch_id(capture), capture.get("sequence")
    # True is an int to Python, and no sequence to anyone else.
    if batch_id is None or type(sequence) is not int or not 0 <= sequence < MOST_SEQUENCES:
        return None
    return CaptureRef(batch_id, sequence)
