"""What is to be said of a pair: open, decided or void. Always computed anew, never only set. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from services.dedup.ledger import Ledger
from services.dedup.rulings import Rulings, ids_of
from shared.commands.state import Decision
from shared.contracts.identity import VersionId, claim_id, ordered_pair
from shared.contracts.timestamps import rfc3339

Status = Literal["open", "decided", "void"]


@dataclass(frozen=True, slots=True)
class AsOf:
    """What a conflict was computed from: each part only grows, so a conflict never goes back.

    `command_offset` is that of the last decision or reversal that matters to the pair (-1: none), `sources`
    the offsets of the newest event of both registrations, `finalised` the newest finalised epoch (0: none).
    """

    command_offset: int
    sources: tuple[int, int]
    finalised: int

    def document(self) -> dict[str, Any]:
        """As stored."""
        return {
            "command_offset": self.command_offset,
            "first_source": self.sources[0],
            "second_source": self.sources[1],
            "finalised": self.finalised,
        }


@dataclass(frozen=True, slots=True)
class Conflict:
    """The part of a conflict that changes.

    `communes` are those of the residences of the pair, None for a version that is not known; officers sign
    them with a decision. `found_at` is when the later of the two versions was accepted, the same however
    often the store is rebuilt; None while one of them is not known: officers may decide on what has yet to
    arrive.
    """

    id: str
    pair: tuple[VersionId, VersionId]
    communes: tuple[str | None, str | None]
    status: Status
    decision: dict[str, Any] | None
    found_at: str | None
    as_of: AsOf


def judge(
    one: VersionId,
    other: VersionId,
    ledger: Ledger,
    rulings: Rulings,
    finalised: int,
    is_claim: Callable[[VersionId, VersionId], bool],
) -> Conflict:
    """Compute a conflict from what is known of both registrations and of the decisions.

    A decision that counts as not made is as if it were not there; one that is void leaves the question open,
    unless one before it still holds. The conflict is void when the two versions are in no epoch current
    together, from the newest finalised one on, or when nobody asks: it was kept for a `same_person` on
    earlier versions that is no longer in force.
    """
    pair = ordered_pair(one, other)
    in_force = rulings.in_force(pair)
    decision = in_force.decision if in_force else None
    status: Status = "void"
    if ledger.both_current(*pair, since=finalised):
        if decision:
            status = "decided"
        elif rulings.made(pair) or _is_asked(pair, rulings, is_claim):
            status = "open"
    accepted = [ledger.accepted_at(*version) for version in pair]
    times = [each for each in accepted if each is not None]
    return Conflict(
        id=claim_id(*pair),
        pair=pair,
        communes=(ledger.commune(*pair[0]), ledger.commune(*pair[1])),
        status=status,
        decision=_document(decision) if decision else None,
        found_at=rfc3339(max(times)) if len(times) == len(pair) else None,
        as_of=AsOf(
            command_offset=rulings.last_offset(pair),
            sources=(ledger.latest_offset(pair[0][0]), ledger.latest_offset(pair[1][0])),
            finalised=finalised,
        ),
    )


def _is_asked(
    pair: tuple[VersionId, VersionId], rulings: Rulings, is_claim: Callable[[VersionId, VersionId], bool]
) -> bool:
    """Whether versions on which no decision was made are a question: a claim, or the contract's rule 2.

    Where no decision names them or makes the two one person, only a claim can have brought them here.
    """
    ids = ids_of(pair)
    if not rulings.changes(pair) and not rulings.were_one_person(ids):
        return True
    return rulings.are_one_person(ids) or is_claim(*pair)


def _document(decision: Decision) -> dict[str, Any]:
    return {
        "decision": decision.decision,
        "keep": decision.keep,
        "reason": decision.reason,
        "command_id": decision.ce_id,
        "command_offset": decision.command_offset,
        "officers": list(decision.officers),
    }
