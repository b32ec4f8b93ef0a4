"""The trail of operational acts: an unbroken chain, each act by whom it names."""

import hashlib
from typing import Any

from audit import files
from audit.commands import OFFICER_HEADER, heads, verifies
from audit.decoding import loads, too_large
from audit.log import LogRecord, header
from audit.look import Look, place
from audit.source import Source as Reader
from shared.contracts.identity import CHAIN_START
from shared.contracts.topics import Topic

TYPES = "rollstream.operation."


async def check_operations(look: Look, reader: Reader) -> None:
    """`rollstream.operations.v1`, if the register has it."""
    records = [each async for each in reader.records(Topic.OPERATIONS, look.spans[Topic.OPERATIONS])]
    chain = heads(records)
    due = 0
    for record in records:
        look.report.look("operations")
        if record.offset != due:
            what = f"records from {due} on are missing before it"
            look.report.break_("operations", place(Topic.OPERATIONS, record), what)
        due = record.end
        fault = _fault(look, record, chain)
        if fault is not None:
            look.report.break_("operations", place(Topic.OPERATIONS, record), fault)


def _fault(look: Look, record: LogRecord, chain: dict[int, bytes]) -> str | None:
    """Why a record does not hold, None where it does."""
    act = _act(record)
    if act is None:
        return "no operational act"
    as_of, by = act.get("as_of"), act.get("by")
    if as_of is not None and not (type(as_of) is int and as_of < record.offset and as_of in chain):
        return "it names a record that does not lie before it"
    if act.get("head") != (CHAIN_START if as_of is None else chain[as_of]).hex():
        return "what lies before it is not what its writer read"
    if not isinstance(by, dict):
        return "no operational act"
    return _unsigned(look, record, by.get("officer"), by.get("key_id"), service=by.get("service"))


def _act(record: LogRecord) -> dict[str, Any] | None:
    ce_type = header(record.headers, "ce_type") or b""
    if record.fault is not None or too_large(record) or not ce_type.startswith(TYPES.encode()):
        return None
    try:
        act = loads(record.value or b"")
    except ValueError:
        return None
    return act if isinstance(act, dict) and record.append_time else None


def _unsigned(look: Look, record: LogRecord, officer: Any, key_id: Any, *, service: Any) -> str | None:
    """Why nobody answers for it. A service without a key signs nothing, and says so."""
    if (officer or "").encode() != (header(record.headers, OFFICER_HEADER) or b""):
        return "it is signed under another name than it says"
    if key_id is None:
        return None if service is not None else "a person's act without a signature"
    if any(verifies(key, look.history.register, record) for key in _keys(look, officer, key_id)):
        return None
    return "no adopted key of that name signed it"


def _keys(look: Look, officer: Any, key_id: Any) -> list[bytes]:
    """Every key of that id that was adopted, for the officer or, without one, for lists."""
    adopted = [look.history.files[sha256] for sha256 in look.history.adopted("officers")]
    found = [files.officers(raw)[officer].key for raw in adopted if officer in files.officers(raw)]
    if officer is None:
        pems = [look.history.files[sha256] for sha256 in look.history.adopted("signing_key")]
        found = [files.signing_key(pem).public_bytes_raw() for pem in pems]
    return [key for key in found if hashlib.sha256(key).digest()[:16].hex() == key_id]
