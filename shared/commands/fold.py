"""The pure fold over `roll.commands.v1`: what each message does depends only on the messages before it.

Reference files are bound by their hash, so their content is part of the message that adopts them.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from shared.commands.message import Message, shown
from shared.commands.state import (
    Adoption,
    Change,
    CutOffTaken,
    Decision,
    DecisionChange,
    FinaliseRequest,
    PairKey,
    State,
    Verdict,
)
from shared.contracts import strict_json
from shared.contracts.commands import (
    MODELS,
    PROPOSER_ROLE,
    Adopted,
    Approved,
    Command,
    CommandType,
    CutOff,
    Decided,
    Finalised,
    InvalidCommand,
    Reversed,
    Role,
    parse,
)
from shared.contracts.identity import sha256_hex
from shared.reference.files import InvalidReference, validate
from shared.reference.officers import Officer, parse_officers, signed_by

__all__ = [
    "REASONS",
    "Decision",
    "DecisionChange",
    "FinaliseRequest",
    "Message",
    "PairKey",
    "Resolve",
    "State",
    "Verdict",
    "apply",
    "empty",
    "fold",
    "foresee",
]

Resolve = Callable[[str, str], bytes]
"""kind, SHA-256 → the file's bytes. Raises shared.reference.files.MissingReference."""

REASONS = {
    "unknown_type": "no such command",
    "no_officers": "the register has no officers yet: their first adoption founds it",
    "unknown_officer": "no officer of that name is in force",
    "signature": "the signature is not that officer's over this message",
    "role": "the officer does not hold the role that this takes",
    "invalid": "the data break the contract",
    "unknown_command": "there is no such proposal before this approval",
    "settled": "the proposal is settled already",
    "same_officer": "a second officer must approve: another name and another key",
    "other_bytes": "command_sha256 is not that of the proposal",
    "proposer": "the proposer is no longer in force with that key and role",
    "invalid_file": "the adopted file cannot be read",
    "model_fixed": "the model of a running register cannot be changed yet",
    "reference": "reference data of some kind were never adopted",
    "epoch": "cut-offs are numbered 1, 2, … without a gap",
    "no_decision": "no decision on that pair is in force",
}
"""Why a message is refused by the fold; `finalised` has reasons of its own, given by the publisher."""


class _Refused(Exception):
    """The message has no effect, for one of REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def empty(register: str) -> State:
    """The state before the first message."""
    return State(register)


def fold(register: str, messages: Iterable[Message], resolve: Resolve) -> State:
    """The state after all messages."""
    state = empty(register)
    for message in messages:
        apply(state, message, resolve)
    return state


def apply(state: State, message: Message, resolve: Resolve) -> State:
    """Extend the state by the next message and answer it; a message that it holds already changes nothing.

    Raises what `resolve` raises, and then nothing has changed.
    """
    if message.offset < state.next_offset:
        return state
    verdicts, change = _judge(state, message, resolve)
    state.record(message.offset, message.timestamp, message.chained(state.audit_head), verdicts, change)
    return state


def foresee(state: State, message: Message, resolve: Resolve) -> str | None:
    """Why the next message would be refused, or what it approves: one of REASONS; None if neither would be.

    A proposal is judged as if it were approved at once. Nothing changes. Raises what `resolve` raises.
    """
    verdicts, _ = _judge(state, message, resolve)
    for verdict in verdicts:
        if verdict.verdict == "refused":
            return verdict.reason
        if verdict.settled_at is None:
            try:
                _change(
                    state, verdict, parse(verdict.command_type, verdict.data), message.offset, "", resolve
                )
            except _Refused as refused:
                return refused.reason
    return None


def _judge(state: State, message: Message, resolve: Resolve) -> tuple[tuple[Verdict, ...], Change | None]:
    if not message.can_be_named or message.ce_id in state.verdicts:
        return (), None
    mine = Verdict(
        ce_id=message.ce_id,
        command_type=shown(message.ce_type),
        verdict="open",
        reason=None,
        offset=message.offset,
        settled_at=None,
        command_offset=None,
        proposed_by=shown(message.officer),
        approved_by=None,
        data=None,
        value_sha256=sha256_hex(message.value),
    )
    try:
        officers = state.officers_at(message.offset)
        if not officers:
            return _found(state, message, mine, resolve)
        command = _signed_command(state.register, message, officers.get(message.officer))
        mine = replace(mine, data=command.model_dump(mode="json"))
        if isinstance(command, Approved):
            return _approve(state, message.offset, mine, command, officers, resolve)
    except _Refused as refused:
        return (_refuse(mine, refused.reason, message.offset),), None
    return (mine,), None


def _refuse(verdict: Verdict, reason: str, offset: int, by: str | None = None) -> Verdict:
    return replace(verdict, verdict="refused", reason=reason, settled_at=offset, approved_by=by)


def _signed_command(register: str, message: Message, officer: Officer | None) -> Command:
    """The command, if its officer may send it. Raises _Refused."""
    if message.ce_type not in MODELS:
        raise _Refused("unknown_type")
    if officer is None:
        raise _Refused("unknown_officer")
    if not signed_by(officer, register, message.ce_type, message.ce_id, message.value, message.signature):
        raise _Refused("signature")
    if not officer.may(_role_for(message.ce_type)):
        raise _Refused("role")
    return _parsed(message)


def _role_for(ce_type: str) -> Role:
    return "approver" if ce_type == CommandType.APPROVED else PROPOSER_ROLE[ce_type]


def _parsed(message: Message) -> Command:
    try:
        return parse(message.ce_type, strict_json.loads(message.value))
    except (strict_json.RefusedJSON, InvalidCommand):
        raise _Refused("invalid") from None


def _found(
    state: State, message: Message, mine: Verdict, resolve: Resolve
) -> tuple[tuple[Verdict, ...], Change | None]:
    """The first adoption of officers needs no approval: an administrator whom the file names signs it."""
    if message.ce_type != CommandType.ADOPTED:
        raise _Refused("no_officers")
    command = _parsed(message)
    if not isinstance(command, Adopted) or command.kind != "officers":
        raise _Refused("no_officers")
    adoption = _adoption(command, message.offset, resolve)
    _signed_command(state.register, message, (adoption.officers or {}).get(message.officer))
    return (_effective(mine, command, message.offset, None),), adoption


def _effective(verdict: Verdict, command: Command, offset: int, by: str | None) -> Verdict:
    return replace(
        verdict,
        verdict="effective",
        settled_at=offset,
        command_offset=offset,
        approved_by=by,
        data=command.model_dump(mode="json"),
    )


def _approve(
    state: State,
    offset: int,
    mine: Verdict,
    approval: Approved,
    officers: Mapping[str, Officer],
    resolve: Resolve,
) -> tuple[tuple[Verdict, ...], Change | None]:
    """A qualified approval settles its proposal: it takes effect now, or is refused now for good."""
    proposal = state.verdicts.get(approval.command_id)
    if proposal is None or proposal.command_type == CommandType.APPROVED:
        raise _Refused("unknown_command")
    if proposal.settled_at is not None:
        raise _Refused("settled")
    if proposal.value_sha256 != approval.command_sha256:
        raise _Refused("other_bytes")
    proposer = state.officers_at(proposal.offset)[proposal.proposed_by]
    approver = officers[mine.proposed_by]
    if approver.name == proposer.name or approver.public_key == proposer.public_key:
        raise _Refused("same_officer")
    now = officers.get(proposer.name)
    if now is None or now.public_key != proposer.public_key or not now.may(_role_for(proposal.command_type)):
        raise _Refused("proposer")

    approved = _effective(mine, approval, offset, None)
    command = parse(proposal.command_type, proposal.data)
    try:
        change = _change(state, proposal, command, offset, approver.name, resolve)
    except _Refused as refused:
        return (approved, _refuse(proposal, refused.reason, offset, approver.name)), None
    if isinstance(change, FinaliseRequest):
        return (approved, replace(proposal, settled_at=offset, approved_by=approver.name)), change
    return (approved, _effective(proposal, command, offset, approver.name)), change


def _change(
    state: State, proposal: Verdict, command: Command, offset: int, approver: str, resolve: Resolve
) -> Change:
    """What an approved command does. Raises _Refused if it may not."""
    match command:
        case Adopted():
            if command.kind == "model" and state.adoptions["model"]:
                raise _Refused("model_fixed")
            return _adoption(command, offset, resolve)
        case CutOff():
            if state.missing_kinds():
                raise _Refused("reference")
            if command.epoch != state.last_cut_off + 1:
                raise _Refused("epoch")
            return CutOffTaken(command.epoch, offset)
        case Decided():
            pair = _pair(command)
            decision = Decision(
                pair,
                command.decision,
                command.keep,
                proposal.ce_id,
                offset,
                (proposal.proposed_by, approver),
                command.reason,
            )
            return DecisionChange(pair, decision, offset)
        case Reversed():
            pair = _pair(command)
            if state.decision_of(pair) is None:
                raise _Refused("no_decision")
            return DecisionChange(pair, None, offset)
        case Finalised():
            return FinaliseRequest(proposal.ce_id, command, offset, proposal.proposed_by, approver)
        case Approved():
            raise _Refused("unknown_command")


def _pair(command: Decided | Reversed) -> PairKey:
    one, other = command.pair
    return (one.registration_id, one.digest), (other.registration_id, other.digest)


def _adoption(command: Adopted, offset: int, resolve: Resolve) -> Adoption:
    """A file is read once, here: what nobody could use is not adopted. Raises _Refused."""
    raw = resolve(command.kind, command.sha256)
    try:
        validate(command.kind, raw)
    except InvalidReference:
        raise _Refused("invalid_file") from None
    adoption = Adoption(command.kind, command.version, command.sha256, offset)
    match command.kind:
        case "officers":
            return replace(adoption, officers=parse_officers(raw))
        case "signing_key":
            return replace(adoption, signing_key=raw)
        case _:
            return adoption
