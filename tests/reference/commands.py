"""What became of every command: the roll of officers, cut-offs, decisions and adoptions, told in order."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.contracts import commands as contract
from shared.contracts import identity, strict_json
from shared.contracts.cloudevents import header
from shared.contracts.commands import OFFICER_HEADER, SIGNATURE_HEADER
from tests.reference import files
from tests.reference.files import Officer, ReferenceFiles
from tests.reference.log import LogRecord, Pair


@dataclass(slots=True)
class Verdict:
    """`verdict` is open, effective or refused; `command_offset` is where it took effect, else None."""

    command_type: str
    verdict: str = "open"
    reason: str | None = None
    command_offset: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A command as it lay, with its proposer's key and parsed data if it is well-formed."""

    offset: int
    ce_type: str
    ce_id: str
    officer: Officer
    value: bytes
    data: contract.Command


@dataclass(frozen=True, slots=True)
class DecisionMade:
    """A decision (or with `decided` None its reversal) on a pair that took effect at `offset`."""

    offset: int
    ce_id: str
    pair: Pair
    decided: contract.Decided | None


@dataclass(frozen=True, slots=True)
class FinaliseRequest:
    """An approved `finalised`; whether a roll comes of it is the publisher's to say."""

    offset: int
    ce_id: str
    data: contract.Finalised


@dataclass(slots=True)
class CommandHistory:
    """All that the commands did, with the offsets at which they did it."""

    register: str
    files: ReferenceFiles
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    cut_offs: dict[int, int] = field(default_factory=dict)
    adoptions: list[tuple[int, str, str]] = field(default_factory=list)  # offset, kind, sha256
    decisions: list[DecisionMade] = field(default_factory=list)
    finalise_requests: list[FinaliseRequest] = field(default_factory=list)
    heads: dict[int, bytes] = field(default_factory=dict)  # offset to the audit chain's head after it

    def adopted(self, kind: str, before: int | None = None) -> list[str]:
        """SHA-256 of every adoption of a kind in order, those before an offset if one is given."""
        return [sha for offset, k, sha in self.adoptions if k == kind and (before is None or offset < before)]

    def officers(self, before: int) -> dict[str, Officer]:
        """Who is in force for a message at the offset `before`."""
        adopted = self.adopted("officers", before)
        return files.officers(self.files[adopted[-1]]) if adopted else {}

    def has_all_kinds(self) -> bool:
        """Whether each kind of reference data has been adopted; before that nothing runs."""
        return all(self.adopted(kind) for kind in contract.REQUIRED_KINDS)

    def of_epoch(self, kind: str, epoch: int) -> bytes:
        """The reference file of a kind by which an epoch is judged."""
        if epoch == 1:
            return self.files[self.adopted(kind)[0]]
        return self.files[self.adopted(kind, before=self.cut_offs[epoch - 1])[-1]]


def fold(register: str, records: Sequence[LogRecord], reference_files: ReferenceFiles) -> CommandHistory:
    """Read all commands in order. Raises KeyError for an adopted file that is not given."""
    history = CommandHistory(register, reference_files)
    open_commands: dict[str, Message] = {}
    head = identity.CHAIN_START
    for record in records:
        head = history.heads[record.offset] = _chained(head, record)
        ce_id = _text(header(record.headers, "ce_id"))
        if not ce_id or len(ce_id) > 256 or any(_is_control(c) for c in ce_id) or ce_id in history.verdicts:
            continue
        verdict = history.verdicts[ce_id] = Verdict(_text(header(record.headers, "ce_type")) or "")
        try:
            message = _judge_proposal(history, record, verdict.command_type, ce_id)
            if isinstance(message.data, contract.Approved):
                command = _judge_approval(history, message, message.data, open_commands)
                del open_commands[command.ce_id]
                verdict.verdict, verdict.command_offset = "effective", record.offset
                _settle(history, command, record.offset)
            elif not history.adopted("officers"):  # the founding, which needs no approval
                _settle(history, message, record.offset)
            else:
                open_commands[ce_id] = message
        except Refused as refused:
            verdict.verdict, verdict.reason = "refused", str(refused)
    return history


class Refused(Exception):
    """Why a command has no effect."""


def _judge_proposal(history: CommandHistory, record: LogRecord, ce_type: str, ce_id: str) -> Message:
    """What can be said of a message by itself, at its own offset."""
    value = record.value or b""
    try:
        data = contract.parse(ce_type, strict_json.loads(value))
    except (strict_json.RefusedJSON, contract.InvalidCommand) as error:
        data, fault = None, str(error)
    officers = history.officers(record.offset)
    if not history.adopted("officers"):  # the founding: who may sign stands in the file itself
        if not isinstance(data, contract.Adopted) or data.kind != "officers":
            raise Refused("no officers")
        officers = _readable_officers(history, data.sha256)
    officer = officers.get(_text(header(record.headers, OFFICER_HEADER)) or "")
    if officer is None:
        raise Refused("officer")
    signed = identity.command_signing_bytes(history.register, ce_type, ce_id, value)
    if not verifies(officer.key, header(record.headers, SIGNATURE_HEADER), signed):
        raise Refused("signature")
    if data is None:
        raise Refused(f"malformed: {fault}")
    if not isinstance(data, contract.Approved) and contract.PROPOSER_ROLE[ce_type] not in officer.roles:
        raise Refused("role")
    return Message(record.offset, ce_type, ce_id, officer, value, data)


def _judge_approval(
    history: CommandHistory, approval: Message, data: contract.Approved, open_commands: dict[str, Message]
) -> Message:
    """The command that is approved. Raises Refused where the approval does not qualify."""
    if "approver" not in approval.officer.roles:
        raise Refused("role")
    command = open_commands.get(data.command_id)
    if command is None:
        raise Refused("no open command")
    if data.command_sha256 != identity.sha256_hex(command.value):
        raise Refused("command_sha256")
    if approval.officer.name == command.officer.name or approval.officer.key == command.officer.key:
        raise Refused("same officer")
    proposer = history.officers(approval.offset).get(command.officer.name)
    role = contract.PROPOSER_ROLE[command.ce_type]
    if proposer is None or proposer.key != command.officer.key or role not in proposer.roles:
        raise Refused("proposer no longer in force")
    return command


def _settle(history: CommandHistory, command: Message, offset: int) -> None:
    """A command was approved at `offset`: it takes effect, or is refused."""
    verdict = history.verdicts[command.ce_id]
    try:
        _take_effect(history, command, offset)
    except Refused as refused:
        verdict.verdict, verdict.reason = "refused", str(refused)
        return
    if not isinstance(command.data, contract.Finalised):
        verdict.verdict, verdict.command_offset = "effective", offset


def _take_effect(history: CommandHistory, command: Message, offset: int) -> None:
    data = command.data
    if isinstance(data, contract.Adopted):
        if data.kind == "model" and history.adopted("model"):
            raise Refused("the model of a running register cannot be changed yet")
        _require_readable(history, data.kind, data.sha256)
        history.adoptions.append((offset, data.kind, data.sha256))
    elif isinstance(data, contract.CutOff):
        if not history.has_all_kinds():
            raise Refused("reference data missing")
        if data.epoch != len(history.cut_offs) + 1:
            raise Refused("epoch")
        history.cut_offs[data.epoch] = offset
    elif isinstance(data, contract.Decided):
        history.decisions.append(DecisionMade(offset, command.ce_id, _pair(data.pair), data))
    elif isinstance(data, contract.Reversed):
        pair = _pair(data.pair)
        on_pair = [made for made in history.decisions if made.pair == pair]
        if not on_pair or on_pair[-1].decided is None:
            raise Refused("nothing to reverse")
        history.decisions.append(DecisionMade(offset, command.ce_id, pair, None))
    elif isinstance(data, contract.Finalised):
        history.finalise_requests.append(FinaliseRequest(offset, command.ce_id, data))


def _readable_officers(history: CommandHistory, sha256: str) -> dict[str, Officer]:
    _require_readable(history, "officers", sha256)
    return files.officers(history.files[sha256])


def _require_readable(history: CommandHistory, kind: str, sha256: str) -> None:
    try:
        files.READERS[kind](history.files[sha256])
    except files.UnreadableFile:
        raise Refused("unreadable file") from None


def _pair(versions: list[contract.Version]) -> Pair:
    one, other = ((version.registration_id, version.digest) for version in versions)
    return one, other


def _chained(head: bytes, record: LogRecord) -> bytes:
    names = ("ce_type", "ce_id", OFFICER_HEADER, SIGNATURE_HEADER)
    ce_type, ce_id, officer, signature = (header(record.headers, name) or b"" for name in names)
    return identity.chain(head, record.timestamp, ce_type, ce_id, officer, signature, record.value or b"")


def _text(raw: bytes | None) -> str | None:
    try:
        return raw.decode("utf-8") if raw is not None else None
    except UnicodeDecodeError:
        return None


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"


def verifies(key: bytes, signature: bytes | None, signed: bytes) -> bool:
    """Whether a signature header (base64) is made with that key (32 raw bytes) over `signed`."""
    try:
        raw = base64.b64decode(signature or b"", validate=True)
        Ed25519PublicKey.from_public_bytes(key).verify(raw, signed)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return base64.b64encode(raw) == signature
