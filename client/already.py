"""What is decided or proposed already on what a command is about. Pure.

Nothing forbids a second proposal: both can be approved, and the last counts. Whoever makes or approves it
should know.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from client.describe import SHORT, describe, ruling
from shared.contracts.command_types import LIFETIME_MS, CommandType

if TYPE_CHECKING:
    # `status` words what is too old, and needs no fold for it.
    from shared.commands.state import PairKey, State, Verdict


def already(state: State, ce_type: str, data: Mapping[str, Any], own_id: str = "") -> list[str]:
    """One sentence each; `own_id` is the proposal's own, which is left out."""
    return [
        *_in_force(state, ce_type, data),
        *_other_communes(state, data),
        *_open(state, ce_type, data, own_id),
    ]


def is_open(verdict: Verdict) -> bool:
    """Whether a proposal waits for an approval that may still come."""
    return _is_unsettled(verdict) and not is_too_old(verdict.timestamp)


def is_expired(verdict: Verdict) -> bool:
    """Whether a proposal is too old, although no approval came that would have recorded it."""
    return _is_unsettled(verdict) and is_too_old(verdict.timestamp)


def is_too_old(proposed_at: int) -> bool:
    """Whether a proposal of that time stamp, in ms, can no longer be approved by this machine's clock.

    Its verdict stays `open` until an approval comes too late, and we send none that would be refused.
    """
    return round(time.time() * 1000) - proposed_at > LIFETIME_MS


def _is_unsettled(verdict: Verdict) -> bool:
    return verdict.signed and verdict.verdict == "open" and verdict.settled is None


def differ_in_communes(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two decisions or reversals on the same versions name different communes: a version has one
    residence, so at most one of the two counts as made."""
    return pair_key(one) == pair_key(other) is not None and _communes(one) != _communes(other)


def _communes(data: Mapping[str, Any] | None) -> list[Any]:
    return [version.get("commune") for version in (data or {}).get("pair") or ()]


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
        case CommandType.REVERSED if (pair := pair_key(data)) and (last := state.last_change_of(pair)):
            if last.decision is None and list(last.communes) == _communes(data):
                yield f"the decision on these versions is taken back already ({last.ce_id[:SHORT]})"
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


def _other_communes(state: State, data: Mapping[str, Any]) -> Iterator[str]:
    last = state.last_change_of(pair) if (pair := pair_key(data)) else None
    if last is not None and list(last.communes) != _communes(data):
        yield (
            f"this names other communes than {last.ce_id[:SHORT]} on the same versions: at most one of the "
            "two counts as made"
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
        case CommandType.SKIPPED:
            return "skip", data.get("topic"), data.get("partition"), data.get("offset")
        case _:
            return None
