"""Which record ends an epoch in its partition, and which only says so."""

import re
from typing import Any

from audit.commands import OFFICER_HEADER, verifies
from audit.decoding import Event
from audit.history import CommandHistory
from audit.log import LogRecord, header

MARKER = "rollstream.register.marker.v1"
SETTLED_MS = 2_000
"""From the message that a marker names last to the marker itself: brokers' clocks may differ by less."""


def valid_marker(record: LogRecord, event: Event, history: CommandHistory) -> int | None:
    """The epoch that a marker ends, None if it is void."""
    marker = event.data
    if not event.binary or not _well_formed(marker):
        return None
    epoch, cut_off, as_of = marker["epoch"], marker["command_offset"], marker["as_of"]
    if record.key != f"!marker/{epoch}".encode() or event.id != f"marker/{epoch}/{record.partition}":
        return None
    if history.cut_offs.get(epoch) != cut_off or as_of < cut_off or as_of not in history.heads:
        return None
    if history.heads[as_of].hex() != marker["audit_head"]:
        return None
    if record.timestamp - history.timestamps[as_of] < SETTLED_MS:
        return None
    name = (header(record.headers, OFFICER_HEADER) or b"").decode("utf-8", "replace")
    officer = history.officers(before=as_of + 1).get(name)
    if officer is None or "marker" not in officer.roles:
        return None
    return int(epoch) if verifies(officer.key, history.register, record) else None


def _well_formed(marker: Any) -> bool:
    if not isinstance(marker, dict) or set(marker) != {"epoch", "command_offset", "as_of", "audit_head"}:
        return False
    if any(type(marker[name]) is not int for name in ("epoch", "command_offset", "as_of")):
        return False
    return isinstance(marker["audit_head"], str) and bool(re.fullmatch("[0-9a-f]{64}", marker["audit_head"]))
