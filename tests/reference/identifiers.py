"""What can be read of an event that need not be well-formed."""

import re
from typing import Any, NamedTuple

from shared.contracts.cloudevents import Event


class CaptureId(NamedTuple):
    """Which capture of which batch of which device."""

    device: str
    batch: str
    sequence: int


def identifier(value: Any) -> str | None:
    """The value if it is an identifier of the contract."""
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", value) else None


def capture_of(event: Event) -> CaptureId | None:
    """The capture that any event names, if that much of it can be read."""
    capture = event.data.get("capture") if isinstance(event.data, dict) else None
    if not isinstance(capture, dict):
        return None
    device, batch = identifier(capture.get("device")), identifier(capture.get("batch"))
    sequence = capture.get("sequence")
    if device is None or batch is None or type(sequence) is not int or not 0 <= sequence < 100_000:
        return None
    return CaptureId(device, batch, sequence)
