"""What became of every command: officers' messages, judged one after the other at their own offsets."""

import base64
import binascii
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit import files, messages
from audit.decoding import is_attribute, too_large
from audit.effects import Refused, take_effect
from audit.files import Officer, ReferenceFiles
from audit.history import CommandHistory, Message, Verdict
from audit.log import LogRecord, header
from shared.contracts import identity

OFFICER_HEADER = "rollstream-officer"
SIGNATURE_HEADER = "rollstream-signature"
LONGEST_WAIT_MS = 1_209_600_000
"""14 days from a proposal to its approval."""


def fold(
    register: str, founding: str, records: Sequence[LogRecord], reference_files: ReferenceFiles
) -> CommandHistory:
    """Read all commands in order. Raises KeyError for an adopted file that is not given."""
    history = CommandHistory(register, founding, reference_files, heads=heads(records))
    for record in records:
        if record.offset in history.heads:
            history.timestamps[record.offset] = record.timestamp
            if record.append_time and not too_large(record):
                _read(history, record)
    return history


def heads(records: Sequence[LogRecord]) -> dict[int, bytes]:
    """The head of the audit chain after each message; what cannot be decompressed is none."""
    found: dict[int, bytes] = {}
    head = identity.CHAIN_START
    for record in records:
        if record.fault != "undecodable_batch":
            head = found[record.offset] = _chained(head, record)
    return found


def _read(history: CommandHistory, record: LogRecord) -> None:
    ce_id = _text(header(record.headers, "ce_id"))
    if not is_attribute(ce_id) or ce_id is None:
        return
    known = history.verdicts.get(ce_id)
    ce_type = _text(header(record.headers, "ce_type")) or ""
    founded = bool(history.adopted("officers"))
    try:
        officer = _signer(history, record, founded)
    except Refused as refused:
        if known is None:
            history.verdicts[ce_id] = Verdict(ce_type, False, "refused", str(refused), as_of=record.offset)
        return
    if known is not None and known.signed:
        return
    verdict = history.verdicts[ce_id] = Verdict(
        ce_type, True, proposed_by=officer.name, proposed_at=record.timestamp, as_of=record.offset
    )
    message = Message(
        record.offset,
        record.timestamp,
        ce_type,
        ce_id,
        officer,
        record.value or b"",
    )
    try:
        if not founded:
            message.data = _parsed(message)
            history.proposals[ce_id] = message
            take_effect(history, message, record.offset, officer)
            verdict.verdict, verdict.command_offset = "effective", record.offset
        elif ce_type in (messages.APPROVED, messages.WITHDRAWN):
            (_approve if ce_type == messages.APPROVED else _withdraw)(history, message)
            verdict.verdict, verdict.command_offset = "effective", record.offset
        else:
            _propose(history, message)
    except Refused as refused:
        verdict.verdict, verdict.reason = "refused", str(refused)


def _signer(history: CommandHistory, record: LogRecord, founded: bool) -> Officer:
    """Who validly signed a message. Raises Refused."""
    officers = history.officers(record.offset) if founded else _founders(history, record)
    officer = officers.get(_text(header(record.headers, OFFICER_HEADER)) or "")
    right = officer is not None and verifies(officer.key, history.register, record)
    if not founded and not (right and officer is not None and "administrator" in officer.roles):
        raise Refused("no_officers")
    if officer is None:
        raise Refused("unknown_officer")
    if not right:
        raise Refused("signature")
    return officer


def _founders(history: CommandHistory, record: LogRecord) -> dict[str, Officer]:
    """Whom the pinned file names, if this is its adoption."""
    try:
        if header(record.headers, "ce_type") != messages.ADOPTED.encode():
            return {}
        data = messages.parse(messages.ADOPTED, record.value or b"")
        if not isinstance(data, messages.Adopted) or data.kind != "officers":
            return {}
        return files.officers(history.files[data.sha256]) if data.sha256 == history.founding else {}
    except (messages.Invalid, files.UnreadableFile):
        return {}


def _propose(history: CommandHistory, message: Message) -> None:
    """A proposal by itself. Raises Refused; otherwise it is open."""
    role = messages.PROPOSER_ROLE.get(message.ce_type)
    if role is None:
        raise Refused("unknown_type")
    history.proposals[message.ce_id] = message
    if role not in message.officer.roles:
        raise Refused("role")
    message.data = _parsed(message)
    if not _in_area(message.officer, message.data):
        raise Refused("area")


def _approve(history: CommandHistory, approval: Message) -> None:
    """Settle a proposal. Raises Refused where the approval does not qualify."""
    officer = approval.officer
    if "approver" not in officer.roles:
        raise Refused("role")
    data = _parsed(approval)
    assert isinstance(data, messages.Approved)
    proposal = history.proposals.get(data.command_id)
    if proposal is None:
        raise Refused("unknown_command")
    if data.command_sha256 != identity.sha256_hex(proposal.value):
        raise Refused("other_bytes")
    verdict = _open(history, data.command_id)
    if _same_officer(officer, proposal.officer):
        raise Refused("same_officer")
    proposer = history.officers(approval.offset).get(proposal.officer.name)
    role = messages.PROPOSER_ROLE[proposal.ce_type]
    if proposer is None or proposer.key != proposal.officer.key or role not in proposer.roles:
        raise Refused("proposer")
    if not _in_area(officer, proposal.data):
        raise Refused("area")
    verdict.settled_by, verdict.settled_at = officer.name, approval.timestamp
    verdict.as_of = approval.offset
    if approval.timestamp - proposal.timestamp > LONGEST_WAIT_MS:
        verdict.verdict = "expired"
        raise Refused("expired")
    verdict.approved_by = officer.name
    try:
        take_effect(history, proposal, approval.offset, officer)
        if not isinstance(proposal.data, messages.Finalised):
            verdict.verdict, verdict.command_offset = "effective", approval.offset
    except Refused as refused:
        verdict.verdict, verdict.reason = "refused", str(refused)


def _withdraw(history: CommandHistory, withdrawal: Message) -> None:
    """Take a proposal back, or return it. Raises Refused."""
    officer, data = withdrawal.officer, _parsed(withdrawal)
    assert isinstance(data, messages.Withdrawn)
    proposal = history.proposals.get(data.command_id)
    own = proposal is not None and (proposal.officer.name, proposal.officer.key) == (
        officer.name,
        officer.key,
    )
    if not own and "approver" not in officer.roles:
        raise Refused("role")
    if proposal is None:
        raise Refused("unknown_command")
    verdict = _open(history, data.command_id)
    if not own:
        if isinstance(proposal.data, messages.Adopted) and proposal.data.kind == "officers":
            raise Refused("role")
        if _same_officer(officer, proposal.officer):
            raise Refused("same_officer")
        if not _in_area(officer, proposal.data):
            raise Refused("area")
    verdict.verdict = "withdrawn" if own else "returned"
    verdict.settled_by, verdict.settled_at = officer.name, withdrawal.timestamp
    verdict.as_of = withdrawal.offset


def _open(history: CommandHistory, ce_id: str) -> Verdict:
    verdict = history.verdicts[ce_id]
    if verdict.verdict != "open" or verdict.settled_by is not None:  # an approved `finalised` may wait
        raise Refused("settled")
    return verdict


def _parsed(message: Message) -> messages.Command:
    try:
        return messages.parse(message.ce_type, message.value)
    except messages.Invalid:
        raise Refused("invalid") from None


def _same_officer(one: Officer, other: Officer) -> bool:
    return one.name == other.name or one.key == other.key


def _in_area(officer: Officer, data: messages.Command | None) -> bool:
    """Whether an officer may have to do with a command; one with areas only with decisions in them."""
    if officer.areas is None:
        return True
    return isinstance(data, messages.OnPair) and any(
        files.lies_in(commune, officer.areas) for commune in data.communes
    )


def _chained(head: bytes, record: LogRecord) -> bytes:
    names = ("ce_type", "ce_id", OFFICER_HEADER, SIGNATURE_HEADER)
    fields = [header(record.headers, name) or b"" for name in names]
    return identity.chain(head, record.timestamp, *fields, record.value or b"")


def _text(raw: bytes | None) -> str | None:
    try:
        return raw.decode("utf-8") if raw is not None else None
    except UnicodeDecodeError:
        return None


def verifies(key: bytes, register: str, record: LogRecord) -> bool:
    """Whether a record is signed like a command with that key (32 raw bytes)."""
    parts = [register.encode(), *(header(record.headers, name) or b"" for name in ("ce_type", "ce_id"))]
    signed = b"".join(part + b"\0" for part in parts) + (record.value or b"")
    return verifies_bytes(key, header(record.headers, SIGNATURE_HEADER), signed)


def verifies_bytes(key: bytes, signature: bytes | None, signed: bytes) -> bool:
    """Whether a signature in base64 is made with that key over `signed`."""
    try:
        raw = base64.b64decode(signature or b"", validate=True)
        Ed25519PublicKey.from_public_bytes(key).verify(raw, signed)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return base64.b64encode(raw) == signature
