"""Which record ends an epoch in its partition, and which only says so."""

from pydantic import ValidationError

from shared.contracts import events, identity
from shared.contracts.cloudevents import Event, header
from shared.contracts.commands import OFFICER_HEADER, SIGNATURE_HEADER
from tests.reference.commands import CommandHistory, verifies
from tests.reference.log import LogRecord


def valid_marker(record: LogRecord, event: Event, history: CommandHistory) -> int | None:
    """The epoch of a valid marker: its cut-off took effect where it says, a marker officer signed it."""
    try:
        marker = events.Marker.model_validate(event.data)
    except ValidationError:
        return None
    if record.key != f"!marker/{marker.epoch}".encode():
        return None
    if history.cut_offs.get(marker.epoch) != marker.command_offset:
        return None
    name = (header(record.headers, OFFICER_HEADER) or b"").decode("utf-8", "replace")
    officer = history.officers(before=marker.command_offset).get(name)
    if officer is None or "marker" not in officer.roles:
        return None
    signed = identity.command_signing_bytes(history.register, event.type, event.id, record.value or b"")
    if not verifies(officer.key, header(record.headers, SIGNATURE_HEADER), signed):
        return None
    return marker.epoch
