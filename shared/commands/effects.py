"""What an approved command does. Pure; reference files are bound by their hash and come by `Resolve`."""

from collections.abc import Callable
from dataclasses import replace

from shared.commands.changes import (
    Adoption,
    Change,
    CutOffTaken,
    Decision,
    DecisionChange,
    FinaliseRequest,
    PairKey,
    SkipDecided,
    Verdict,
)
from shared.commands.refusals import Refused
from shared.commands.state import State
from shared.contracts.commands import (
    Adopted,
    Approved,
    Command,
    CutOff,
    Decided,
    Finalised,
    Reversed,
    Skipped,
    Withdrawn,
)
from shared.reference.files import InvalidReference, validate
from shared.reference.officers import parse_officers

Resolve = Callable[[str, str], bytes]
"""kind, SHA-256 → the file's bytes. Raises shared.reference.files.MissingReference."""


def effect(
    state: State, proposal: Verdict, command: Command, offset: int, approver: str, resolve: Resolve
) -> Change:
    """What a proposal does that is approved at `offset`. Raises Refused if it may not, and what `resolve`
    raises: only what would take effect waits for its file."""
    match command:
        case Adopted():
            if command.kind == "model" and state.adoptions["model"]:
                raise Refused("model_fixed")
            return adoption(command, offset, resolve)
        case CutOff():
            if command.epoch != state.last_cut_off + 1:
                raise Refused("epoch")
            if state.missing_kinds():
                raise Refused("reference")
            return CutOffTaken(command.epoch, offset)
        case Decided():
            pair, communes = _pair(command), _communes(command)
            decision = Decision(
                pair,
                command.decision,
                command.keep,
                proposal.ce_id,
                offset,
                (proposal.proposed_by, approver),
                command.reason,
                communes,
            )
            return DecisionChange(pair, decision, offset, proposal.ce_id, communes)
        case Reversed():
            pair = _pair(command)
            # Only `finalised` knows the right communes: a reversal that names false ones must stop no other.
            if state.last_change_of(pair) is None:
                raise Refused("no_decision")
            return DecisionChange(pair, None, offset, proposal.ce_id, _communes(command))
        case Finalised():
            return FinaliseRequest(proposal.ce_id, command, offset, proposal.proposed_by, approver)
        case Skipped():
            return SkipDecided((command.topic, command.partition, command.offset, command.record_sha256))
        case Approved() | Withdrawn():
            raise Refused("unknown_command")


def adoption(command: Adopted, offset: int, resolve: Resolve) -> Adoption:
    """A file is read once, here: what nobody could use is not adopted. Raises Refused, and what `resolve`
    raises."""
    raw = resolve(command.kind, command.sha256)
    try:
        validate(command.kind, raw)
    except InvalidReference:
        raise Refused("invalid_file") from None
    adopted = Adoption(command.kind, command.version, command.sha256, offset)
    match command.kind:
        case "officers":
            return replace(adopted, officers=parse_officers(raw))
        case "signing_key":
            return replace(adopted, signing_key=raw, lost=command.lost)
        case _:
            return adopted


def _pair(command: Decided | Reversed) -> PairKey:
    one, other = command.pair
    return (one.registration_id, one.digest), (other.registration_id, other.digest)


def _communes(command: Decided | Reversed) -> tuple[str, str]:
    one, other = command.pair
    return one.commune, other.commune
