"""What is decided or proposed already on what a command is about. Pure.

Nothing forbids a second proposal: both can be approved, and the last counts. Whoever makes or approves it
should know.
"""

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from client.describe import SHORT, describe, ruling
from shared.commands.state import PairKey, State, Verdict
from shared.contracts.commands import CommandType


def already(state: State, ce_type: str, data: Mapping[str, Any], own_id: str = "") -> list[str]:
    """One sentence each; `own_id` is the proposal's own, which is left out."""
    return [*_in_force(state, ce_type, data), *_open(state, ce_type, data, own_id)]


def is_open(verdict: Verdict) -> bool:
    """Whether a proposal waits for an approval."""
    return verdict.signed and verdict.verdict == "open" and verdict.settled is None


def pair_key(data: Mapping[str, Any] | None) -> PairKey | None:
    """The two versions that a decision or reversal is about; None where the data name none."""
    match data:
        case {"pair": [{"registration_id": a, "digest": b}, {"registration_id": c, "digest": d}]}:
            return (a, b), (c, d)
        case _:
            return None


def _in_force(state: State, ce_type: str, data: Mapping[str, Any]) -> Iterator[str]:
    match ce_type:
        case CommandType.DECIDED if pair := pair_key(data):
            if decision := state.decision_of(pair):
                said = {"decision": decision.decision, "keep": decision.keep}
                yield (
                    f"these versions are decided on already: {ruling(CommandType.DECIDED, said)}, by "
                    f"{' and '.join(decision.officers)} ({decision.ce_id[:SHORT]}); the last decision counts"
                )
        case CommandType.ADOPTED:
            if state.reference_at(data["kind"], state.next_offset) == data["sha256"]:
                yield "this file is in force already"
        case CommandType.FINALISED:
            for request in state.finalise_requests:
                if (request.data.roll, request.data.epoch) == (data["roll"], data["epoch"]):
                    yield (
                        f"{data['roll']} of epoch {data['epoch']} was approved already "
                        f"({request.command_id[:SHORT]}): this makes one more version"
                    )


def _open(state: State, ce_type: str, data: Mapping[str, Any], own_id: str) -> Iterator[str]:
    about = _about(ce_type, data)
    for other in state.verdicts.values():
        same = (
            other.data is not None and about is not None and _about(other.command_type, other.data) == about
        )
        if same and is_open(other) and other.ce_id != own_id:
            yield (
                f"{other.proposed_by} has a proposal on the same, which waits for approval: "
                f"{describe(other.command_type, other.data)} ({other.ce_id[:SHORT]})"
            )


def _about(ce_type: str, data: Mapping[str, Any]) -> Hashable | None:
    """Equal for commands on the same."""
    match ce_type:
        case CommandType.DECIDED | CommandType.REVERSED:
            return pair_key(data)
        case CommandType.ADOPTED:
            return "adopt", data.get("kind")
        case CommandType.CUT_OFF:
            return "cut-off", data.get("epoch")
        case CommandType.FINALISED:
            return "finalise", data.get("roll"), data.get("epoch")
        case _:
            return None
