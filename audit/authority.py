"""Who may do what, where devices are in force: a device signs for its office, an office acts in its areas."""

from typing import Any

from audit.commands import SIGNATURE_HEADER, verifies_bytes
from audit.decoding import Event
from audit.files import Device, lies_in
from audit.identifiers import identifier
from audit.log import LogRecord, header
from audit.records import Version
from shared.contracts import events, identity
from shared.contracts.events import EventType

Devices = dict[str, Device]


def signer(register: str, devices: Devices, record: LogRecord, event: Event) -> Device | None:
    """The device that an event names, if it signed the event and belongs to the office that it names."""
    named = _capture(event)
    device = devices.get(identifier(named.get("device")) or "")
    if device is None or named.get("office") != device.office:
        return None
    try:
        data = identity.canonical(event.data)
    except ValueError:
        return None
    parts = (register, event.type, event.source, event.id)
    signed = b"".join(part.encode() + b"\0" for part in parts) + data
    return device if verifies_bytes(device.key, header(record.headers, SIGNATURE_HEADER), signed) else None


def may(
    device: Device,
    event: Event,
    parsed: events.Registration | events.Removal,
    versions: list[Version],
    epoch: int,
) -> bool:
    """Whether the device's office may do this to the registration as it is.

    True of what was never registered, unless it is to be: for that there is a reason of its own.
    """
    new = parsed.residence.village_code if isinstance(parsed, events.Registration) else None
    if event.type == EventType.REGISTERED:
        return new is not None and lies_in(new, device.areas)
    if not versions:
        return True
    last = next(version for version in reversed(versions) if version.place is not None)
    assert last.place is not None
    if event.type == EventType.REMOVED:
        transferred_now = any(
            version.event_type == EventType.TRANSFERRED and version.epoch == epoch for version in versions
        )
        return lies_in(last.place, device.areas) and not transferred_now
    if new is None or not lies_in(new, device.areas):
        return False
    if event.type == EventType.CORRECTED:
        return lies_in(last.place, device.areas)
    return bool(identity.without_nulls(event.data["voter"]) == last.captured_voter)


def _capture(event: Event) -> dict[str, Any]:
    """Where an event names its device and office."""
    data = event.data if isinstance(event.data, dict) else {}
    capture = data if event.type == EventType.BATCH_CLOSED else data.get("capture")
    return capture if isinstance(capture, dict) else {}
