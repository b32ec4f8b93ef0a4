"""What officers decided, by the two registrations that it is about, whatever their versions. Pure."""

from collections.abc import Sequence

from services.dedup.ledger import Ledger
from shared.commands.state import DecisionChange, PairKey
from shared.contracts.identity import VersionId

Ids = tuple[str, str]
"""Two registrations, the smaller id first."""

STILL_A_PERSON = frozenset({None, "deceased", "disenfranchised"})
"""Removal reasons with which a decision to keep that registration still holds; None: it is active."""


def ids_of(pair: tuple[VersionId, VersionId]) -> Ids:
    """The registrations of a pair of versions."""
    return pair[0][0], pair[1][0]


class Rulings:
    """Follows the log of decisions, which grows in place: every answer is as of the log's present end.

    Two registrations that were once decided to be one person keep a conflict for each pair of their versions,
    so that corrected data ask the question again (the contract's rule 2) also where they no longer score as
    a claim. Once and for all, since what there is of conflicts must not depend on when the log was read.
    """

    def __init__(self, log: Sequence[DecisionChange], ledger: Ledger) -> None:
        self._log = log
        self._ledger = ledger
        self._read = 0
        self._changes: dict[Ids, dict[PairKey, list[DecisionChange]]] = {}
        self._partners: dict[str, dict[str, None]] = {}  # of each registration that a decision names

    def names(self, registration_id: str) -> bool:
        """Whether a decision names the registration, also one that has yet to arrive."""
        self._follow()
        return registration_id in self._partners

    def partners(self, registration_id: str) -> tuple[str, ...]:
        """The registrations with which it was once decided to be one person."""
        self._follow()
        return tuple(self._partners.get(registration_id, ()))

    def were_one_person(self, ids: Ids) -> bool:
        """Whether the two were ever decided to be one person, on whichever versions."""
        self._follow()
        return ids[1] in self._partners.get(ids[0], ())

    def pairs(self, ids: Ids) -> tuple[PairKey, ...]:
        """The pairs of versions of the two that a decision names."""
        self._follow()
        return tuple(self._changes.get(ids, ()))

    def changes(self, pair: PairKey) -> Sequence[DecisionChange]:
        """Every decision on, and reversal of, exactly these versions, also those that do not count."""
        self._follow()
        return self._changes.get(ids_of(pair), {}).get(pair, ())

    def made(self, pair: PairKey) -> list[DecisionChange]:
        """Those that count as made: both versions exist, and their officers named the right communes."""
        communes = [self._ledger.commune(*version) for version in pair]
        return [change for change in self.changes(pair) if list(change.communes) == communes]

    def in_force(self, pair: PairKey) -> DecisionChange | None:
        """The last of those that were made and are not void (the contract's rule 1)."""
        return next((each for each in reversed(self.made(pair)) if not self._is_void(each)), None)

    def last_offset(self, pair: PairKey) -> int:
        """The command offset up to which decisions matter to this pair, -1 if none does.

        Those on other versions of the two matter once they were decided to be one person.
        """
        ids = ids_of(pair)
        pairs = self.pairs(ids) if self.were_one_person(ids) else (pair,)
        return max(
            (changes[-1].command_offset for each in pairs if (changes := self.changes(each))), default=-1
        )

    def are_one_person(self, ids: Ids) -> bool:
        """Whether the last decision or reversal on any versions of the two says that they are one person."""
        in_force = [change for pair in self.pairs(ids) if (change := self.in_force(pair)) is not None]
        last = max(in_force, key=lambda each: each.command_offset, default=None)
        return last is not None and last.decision is not None and last.decision.keep is not None

    def _is_void(self, change: DecisionChange) -> bool:
        """Whether whom it keeps is removed, and not because the person died or lost the vote."""
        keep = change.decision.keep if change.decision else None
        return keep is not None and self._ledger.removal_reason(keep) not in STILL_A_PERSON

    def _follow(self) -> None:
        for change in self._log[self._read :] if self._read < len(self._log) else ():
            one, other = ids_of(change.pair)
            self._changes.setdefault((one, other), {}).setdefault(change.pair, []).append(change)
            of_one, of_other = self._partners.setdefault(one, {}), self._partners.setdefault(other, {})
            if change.decision is not None and change.decision.keep is not None:
                of_one[other] = of_other[one] = None
            self._read += 1
