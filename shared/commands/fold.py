"""The pure fold over `roll.commands.v1`: what each message does depends only on the messages before it.

Reference files are bound by their hash, so their content is part of the message that adopts them. Everyone
who may write to the topic may write anything: what is not validly signed changes nothing, blocks nothing,
and leaves its id to the first message that is validly signed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from shared.commands.changes import Change, Outcome
from shared.commands.effects import Resolve, adoption, effect
from shared.commands.message import Message, shown
from shared.commands.refusals import REASONS, Refused
from shared.commands.state import (
    Decision,
    DecisionChange,
    FinaliseRequest,
    PairKey,
    Settled,
    State,
    Verdict,
)
from shared.contracts import strict_json
from shared.contracts.command_types import LIFETIME_MS
from shared.contracts.commands import (
    MODELS,
    PROPOSER_ROLE,
    Adopted,
    Approved,
    Command,
    CommandType,
    Decided,
    InvalidCommand,
    Reversed,
    Role,
    Withdrawn,
    parse,
)
from shared.contracts.identity import sha256_hex
from shared.reference.officers import Officer, signed_by

__all__ = [
    "LIFETIME_MS",
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

_Judgement = tuple[tuple[Verdict, ...], Change | None]


def empty(register: str, founding: str) -> State:
    """The state before the first message; `founding` is the SHA-256 of the founding officers' file."""
    return State(register, founding)


def fold(register: str, founding: str, messages: Iterable[Message], resolve: Resolve) -> State:
    """The state after all messages."""
    state = empty(register, founding)
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
    dated = [replace(verdict, as_of=message.offset) for verdict in verdicts]
    state.record(message.offset, message.timestamp, message.chained(state.audit_head), dated, change)
    return state


def foresee(state: State, message: Message, resolve: Resolve) -> str | None:
    """Why the next message would be refused, or what it approves: one of REASONS; None if neither would be.

    A proposal is judged as if it were approved at once. Nothing changes. Raises what `resolve` raises.
    """
    verdicts, _ = _judge(state, message, resolve)
    for verdict in verdicts:
        if verdict.verdict == "refused":
            return verdict.reason
        if verdict.settled is None:
            try:
                effect(state, verdict, parse(verdict.command_type, verdict.data), message.offset, "", resolve)
            except Refused as refused:
                return refused.reason
    return None


def _judge(state: State, message: Message, resolve: Resolve) -> _Judgement:
    known = state.verdicts.get(message.ce_id)
    if not message.can_count or (known is not None and known.signed):
        return (), None
    mine = Verdict(
        ce_id=message.ce_id,
        command_type=shown(message.ce_type),
        verdict="open",
        reason=None,
        offset=message.offset,
        timestamp=message.timestamp,
        as_of=message.offset,
        proposed_by=shown(message.officer),
        value_sha256=sha256_hex(message.value),
    )
    officers = state.officers_at(message.offset)
    try:
        if not officers:
            return _found(state, message, mine, resolve)
        officer = _signer(state.register, message, officers)
    except Refused as refused:
        # Of several that are nobody's the first is kept: it keeps the id from nobody.
        return ((_refuse(mine, mine, refused.reason),) if known is None else ()), None
    mine = replace(mine, signed=True)
    try:
        command = _command(message, officer)
        mine = replace(mine, data=_as_sent(command))
        match command:
            case Approved():
                return _approve(state, mine, command, officers, resolve)
            case Withdrawn():
                return _withdraw(state, mine, command, officers), None
            case _:
                _require_area(officer, command)
    except Refused as refused:
        return (_refuse(mine, mine, refused.reason),), None
    return (mine,), None


def _signer(register: str, message: Message, officers: Mapping[str, Officer]) -> Officer:
    """The officer who signed exactly this message. Raises Refused if it is nobody's."""
    officer = officers.get(message.officer)
    if officer is None:
        raise Refused("unknown_officer")
    if not signed_by(officer, register, message.ce_type, message.ce_id, message.value, message.signature):
        raise Refused("signature")
    return officer


def _command(message: Message, officer: Officer) -> Command:
    """The command, if its officer may send it. Raises Refused."""
    if message.ce_type not in MODELS:
        raise Refused("unknown_type")
    role = _role_for(message.ce_type)
    if role is not None and not officer.may(role):
        raise Refused("role")
    return _parsed(message)


def _role_for(ce_type: str) -> Role | None:
    """Who may send it; a withdrawal is anybody's, of what they proposed."""
    return "approver" if ce_type == CommandType.APPROVED else PROPOSER_ROLE.get(ce_type)


def _parsed(message: Message) -> Command:
    try:
        return parse(message.ce_type, strict_json.loads(message.value))
    except (strict_json.RefusedJSON, InvalidCommand):
        raise Refused("invalid") from None


def _require_area(officer: Officer, command: Command) -> None:
    """Officers with areas act on pairs that touch them, and on nothing else. Raises Refused."""
    pair = command.pair if isinstance(command, Decided | Reversed) else []
    if not officer.reaches([version.commune for version in pair]):
        raise Refused("area")


def _found(state: State, message: Message, mine: Verdict, resolve: Resolve) -> _Judgement:
    """The register's creation: exactly the pinned officers' file, signed by an administrator whom it names.

    Nothing else that anybody adopts is looked for: a register is not to wait for a stranger's file.
    """
    try:
        command = _parsed(message)
    except Refused:
        raise Refused("no_officers") from None
    if not isinstance(command, Adopted) or (command.kind, command.sha256) != ("officers", state.founding):
        raise Refused("no_officers")
    founding = adoption(command, message.offset, resolve)
    officer = _signer(state.register, message, founding.officers or {})
    if not officer.may("administrator"):
        raise Refused("role")
    mine = replace(mine, signed=True, data=_as_sent(command))
    return (_effective(mine, mine),), founding


def _approve(
    state: State, mine: Verdict, approval: Approved, officers: Mapping[str, Officer], resolve: Resolve
) -> _Judgement:
    """A qualified approval settles its proposal: it takes effect now, or is refused or expired for good."""
    proposal = state.proposal(approval.command_id)
    if proposal is None:
        raise Refused("unknown_command")
    if proposal.value_sha256 != approval.command_sha256:
        raise Refused("other_bytes")
    _require_open(proposal)
    proposer = _proposer(state, proposal)
    command = parse(proposal.command_type, proposal.data)
    _require_another(officers[mine.proposed_by], proposer)
    now, role = officers.get(proposer.name), PROPOSER_ROLE[proposal.command_type]
    if now is None or now.public_key != proposer.public_key or not now.may(role):
        raise Refused("proposer")
    _require_area(officers[mine.proposed_by], command)

    if mine.timestamp - proposal.timestamp > LIFETIME_MS:
        return (_refuse(mine, mine, "expired"), _settle(proposal, mine, "expired")), None
    approved = _effective(mine, mine)
    proposal = replace(proposal, approved_by=mine.proposed_by)
    try:
        change = effect(state, proposal, command, mine.offset, mine.proposed_by, resolve)
    except Refused as refused:
        return (approved, _refuse(proposal, mine, refused.reason)), None
    match change:
        case FinaliseRequest():
            return (approved, _settle(proposal, mine, "open")), change
        case DecisionChange():
            return (approved, *_superseded(state, change), _effective(proposal, mine)), change
        case _:
            return (approved, _effective(proposal, mine)), change


def _superseded(state: State, change: DecisionChange) -> tuple[Verdict, ...]:
    last = state.last_change_of(change.pair)
    return () if last is None else (replace(state.verdicts[last.ce_id], superseded_by=change.ce_id),)


def _withdraw(
    state: State, mine: Verdict, withdrawal: Withdrawn, officers: Mapping[str, Officer]
) -> tuple[Verdict, ...]:
    """The proposer takes it back, or an approver who might approve it returns it."""
    sender, proposal = officers[mine.proposed_by], state.proposal(withdrawal.command_id)
    proposer = None if proposal is None else _proposer(state, proposal)
    own = proposer is not None and (sender.name, sender.public_key) == (proposer.name, proposer.public_key)
    if not own and not sender.may("approver"):
        raise Refused("role")
    if proposal is None or proposer is None:
        raise Refused("unknown_command")
    _require_open(proposal)
    if own:
        return _effective(mine, mine), _settle(proposal, mine, "withdrawn")
    command = parse(proposal.command_type, proposal.data)
    if isinstance(command, Adopted) and command.kind == "officers":
        raise Refused("role")  # an approver must not be able to keep themselves in office
    _require_another(sender, proposer)
    _require_area(sender, command)
    return _effective(mine, mine), _settle(proposal, mine, "returned")


def _require_open(proposal: Verdict) -> None:
    if proposal.settled is not None:
        raise Refused("settled")


def _proposer(state: State, proposal: Verdict) -> Officer:
    """Who proposed it, as they were then."""
    return state.officers_at(proposal.offset)[proposal.proposed_by]


def _require_another(officer: Officer, proposer: Officer) -> None:
    if officer.name == proposer.name or officer.public_key == proposer.public_key:
        raise Refused("same_officer")


def _as_sent(command: Command) -> Mapping[str, object]:
    return command.model_dump(mode="json", exclude_unset=True)


def _settle(verdict: Verdict, by: Verdict, outcome: Outcome) -> Verdict:
    """The verdict as the message `by` settles it."""
    return replace(verdict, verdict=outcome, settled=Settled(by.proposed_by, by.offset, by.timestamp))


def _effective(verdict: Verdict, by: Verdict) -> Verdict:
    return replace(_settle(verdict, by, "effective"), command_offset=by.offset)


def _refuse(verdict: Verdict, by: Verdict, reason: str) -> Verdict:
    return replace(_settle(verdict, by, "refused"), reason=reason)
