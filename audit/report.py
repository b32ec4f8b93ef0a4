"""What an audit found: each check by name, what it looked at, what is broken, and what is not there yet."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Check = Literal[
    "log",
    "progress",
    "outcomes",
    "one_effect",
    "accepted",
    "rejected",
    "dead_letters",
    "receipts",
    "markers",
    "checked",
    "claims",
    "commands",
    "registrations",
    "capture_batches",
    "conflicts",
    "rolls",
    "lists",
    "manifests",
    "one_list",
    "capacity",
    "two_officers",
    "signatures",
    "chain",
    "operations",
    "foreign",
]

CHECKS: Mapping[Check, str] = {
    "log": "events and commands are there from the first on, and can be read",
    "progress": "no service has settled more than there is",
    "outcomes": "each offset has one stored outcome, that of the fold: accepted + ignored + rejected + dead",
    "one_effect": "no event has a second effect",
    "accepted": "accepted records are those of the fold, byte for byte",
    "rejected": "rejections are those of the fold, byte for byte",
    "dead_letters": "each dead letter repeats its event, and has its outcome",
    "receipts": "the last receipt of each closed batch is that of the fold, byte for byte",
    "markers": "markers are passed on unchanged, none left out and none invented",
    "checked": "checked records are the accepted ones with their claims",
    "claims": "claims name versions that were, and both finders say the same",
    "commands": "verdicts of commands are those of the fold",
    "registrations": "registrations are those of the fold",
    "capture_batches": "capture batches are those of the fold",
    "conflicts": "conflicts are open, decided or void as the fold says",
    "rolls": "versions of rolls are those of the fold",
    "lists": "lists are those of the fold, byte for byte",
    "manifests": "manifests are those of the fold, byte for byte",
    "one_list": "nobody stands on two lists of a version",
    "capacity": "no list has more than 750 entries",
    "two_officers": "no list without the approval of a second officer",
    "signatures": "lists and manifests are signed by a key that was adopted for them",
    "chain": "manifests name the head of the commands' chain",
    "operations": "operational acts form an unbroken chain, each by whom it names",
    "foreign": "nothing lies on the services' topics that no service writes",
}
"""What holds where a check finds nothing, in the order in which they are told."""

OF_STORE: frozenset[Check] = frozenset(
    {"progress", "outcomes", "commands", "registrations", "capture_batches", "conflicts", "rolls"}
)
"""What is not looked at without a store."""

MOST = 100
"""Findings of a check that are kept; the others are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold, or is not there yet: where, and in words. It never repeats a value."""

    check: Check
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.check}: {self.where}: {self.what}"


@dataclass(slots=True)
class Report:
    """The result of an audit.

    `broken` and `not_yet` hold the first findings of each check, `broken_of` and `not_yet_of` how many there
    are; `looked_at` counts what a check compared; `counts` tell of the register; `passed_over` has the place
    of each foreign record that two officers had passed over, and the id of their command.
    """

    with_store: bool = True
    looked_at: Counter[Check] = field(default_factory=Counter)
    broken_of: Counter[Check] = field(default_factory=Counter)
    not_yet_of: Counter[Check] = field(default_factory=Counter)
    broken: list[Finding] = field(default_factory=list)
    not_yet: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    passed_over: list[tuple[str, str]] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Nothing is broken."""
        return not self.broken_of

    def look(self, check: Check, count: int = 1) -> None:
        """So much more was compared."""
        self.looked_at[check] += count

    def break_(self, check: Check, where: str, what: str) -> None:
        """Something does not hold."""
        self.broken_of[check] += 1
        if self.broken_of[check] <= MOST:
            self.broken.append(Finding(check, where, what))

    def wait(self, check: Check, where: str, what: str) -> None:
        """Something is not there yet."""
        self.not_yet_of[check] += 1
        if self.not_yet_of[check] <= MOST:
            self.not_yet.append(Finding(check, where, what))

    def miss(self, check: Check, where: str, what: str, *, due: bool) -> None:
        """Something is missing or old: broken if it is due."""
        (self.break_ if due else self.wait)(check, where, what)

    def pass_over(self, where: str, command_id: str) -> None:
        """Services skip a record, as two officers decided."""
        self.passed_over.append((where, command_id))

    def checks(self) -> Iterable[Check]:
        """Those that were made."""
        return (each for each in CHECKS if self.with_store or each not in OF_STORE)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "holds": self.holds,
            "caught_up": not self.not_yet_of,
            "counts": self.counts,
            "checks": {
                each: {
                    "looked_at": self.looked_at[each],
                    "broken": self.broken_of[each],
                    "not_yet": self.not_yet_of[each],
                }
                for each in self.checks()
            },
            "broken": [_told(each) for each in self.broken],
            "not_yet": [_told(each) for each in self.not_yet],
            "passed_over": [{"where": where, "command": command} for where, command in self.passed_over],
        }


def _told(finding: Finding) -> dict[str, str]:
    return {"check": finding.check, "where": finding.where, "what": finding.what}
