"""What can be read of an event that need not be well-formed."""

import re
from typing import Any, NamedTuple

LAST_SEQUENCE = 9_999


class CaptureId(NamedTuple):
    """Which capture of which batch of which device."""

    device: str
    batch: str
    sequence: int


def identifier(value: Any) -> str | None:
    """The value if it is an identifier of the contract."""
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", value) else None


def capture_of(data: Any) -> CaptureId | None:
    """The capture that an event's data name, if that much of it can be read."""
    capture = data.get("capture") if isinstance(data, dict) else None
    if not isinstance(capture, dict):
        return None
    device, batch = identifier(capture.get("device")), identifier(capture.get("batch"))
    sequence = capture.get("sequence")
    if device is None or batch is None or type(sequence) is not int or not 0 <= sequence <= LAST_SEQUENCE:
        return None
    return CaptureId(device, batch, sequence)
