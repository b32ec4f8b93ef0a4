"""How often things happen, and where the figures come from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rates:
    """How often things happen, as shares of the voters; each happens at least once however few they are.

    `duplicates` are registrations too many, `technical` the share of them that is one capture sent under two
    ids. Cambodia's first digital roll had 19,000 in 6.9 million (0.28 %), 80 % of them technical; Sierra
    Leone 0.37 %, 92 % technical. The other rates are round guesses.
    """

    duplicates: float = 0.0028
    technical: float = 0.8
    twins: float = 0.004
    namesakes: float = 0.004
    corrections: float = 0.02
    transfers: float = 0.012
    removals: float = 0.01
    reinstatements: float = 0.002
    refused: float = 0.0006
    """Of each kind of capture that an honest office gets wrong: unknown place, too young, wrong state, ..."""
    resends: float = 0.012
    """Events that a capture system sends again because it missed the acknowledgement."""
    lost: float = 0.0006
    faults: float = 0.00015
    """Of each kind of broken record."""

    def voters_for(self, lines: int) -> int:
        """About how many voters make that many lines, resends included."""
        changes = self.corrections + self.transfers + self.removals + self.reinstatements
        # One voter in twenty closes a batch; there are about 40 kinds of refused captures, 145 of faults.
        each = 1.05 + self.duplicates + changes + self.resends + 40 * self.refused + 145 * self.faults
        return int((lines - 50) / each)


DEMO_RATES = Rates(duplicates=0.04, technical=0.35)
"""Duplicates enough for statistics in a few thousand events."""


def at_least_one(share: float, of: int) -> int:
    """That share, but never none."""
    return max(1, round(share * of))
