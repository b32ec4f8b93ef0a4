"""What decisions do to a roll: what must hold of those who stand, not how they are found.

Both the reference model and the publisher walk through the five rules in steps. Here the same rolls are seen
from outside, since two step-by-step readings can share a mistake.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from audit.messages import Finalised, OnPair
from tests.reference.model import Result, replay
from tests.reference.strategies import History, life

STILL_A_PERSON = (None, "deceased", "disenfranchised")
NUMBER_OF_HISTORIES = 60


@dataclass(frozen=True)
class Voter:
    digest: str
    removed: str | None
    adult: bool
    accepted: int


Acts = list[OnPair]
"""Decisions and reversals in their order, but those that count as not made."""


@dataclass(frozen=True)
class Roll:
    """One `finalised`: all registrations, what was said of them before, and who stands (None: refused)."""

    request: Finalised
    voters: dict[str, Voter]
    said: Acts
    claims: set[frozenset[str]]
    standing: frozenset[str] | None
    refusal: str | None

    def last_said(self, pair: frozenset[str]) -> tuple[str, str | None]:
        """What counts of a pair: same, different, undecided, held (for the one who is kept), or nothing."""
        acts = [act for act in self.said if {each for each, _ in act.pair} == pair]
        on_current = [act for act in acts if all(self.voters[each].digest == seen for each, seen in act.pair)]
        valid = [act for act in acts if act.keep is None or self.voters[act.keep].removed in STILL_A_PERSON]
        now = [act for act in valid if act in on_current]
        if now:
            names = {"same_person": "same", "different_persons": "different", None: "undecided"}
            return names[now[-1].decision], now[-1].keep
        if valid and valid[-1].keep is not None:
            return "held", valid[-1].keep
        return ("undecided" if on_current else "nothing"), None

    def pairs(self) -> Iterator[frozenset[str]]:
        return map(frozenset, itertools.combinations(sorted(self.voters), 2))


def rolls(history: History, result: Result) -> Iterator[Roll]:
    published = {
        request.ce_id: versions
        for roll, all_versions in result.rolls.versions.items()
        for request, versions in zip(
            [
                each
                for each in result.history.finalise_requests
                if each.data.roll == roll and result.verdicts[each.ce_id].verdict == "effective"
            ],
            all_versions,
            strict=True,
        )
    }
    for request in result.history.finalise_requests:
        verdict = result.verdicts[request.ce_id]
        communes: dict[tuple[str, str], str] = {}
        if verdict.verdict == "open" or verdict.reason in ("no_cut_off", "older_epoch"):
            continue
        voters: dict[str, Voter] = {}
        for registration_id, versions in result.judged.registrations.items():
            known = [version for version in versions if version.epoch <= request.data.epoch]
            if known:
                voter = next(each.voter for each in reversed(known) if each.voter is not None)
                born = voter.date_of_birth
                for each in known:
                    if each.place is not None:
                        communes[registration_id, each.record.digest] = each.place[:6]
                voters[registration_id] = Voter(
                    known[-1].record.digest,
                    known[-1].record.removal_reason,
                    # Where only the month is known its last day counts; the histories know June alone.
                    (born if voter.date_of_birth_precision == "day" else born[:8] + "30")
                    <= str(date.fromisoformat(request.data.election["day"]).replace(year=2027 - 18)),
                    known[0].timestamp,
                )
        said = [
            made.said
            for made in result.history.decisions
            if made.offset < request.offset
            and all(
                communes.get(version) == told
                for version, told in zip(made.pair, made.said.communes, strict=True)
            )
        ]
        claims = {
            frozenset(each for each, _ in claim.pair)
            for claim in history.claims
            if all(each in voters and voters[each].digest == digest for each, digest in claim.pair)
        }
        version = published.get(request.ce_id)
        standing = frozenset(version.seats) if version else None
        yield Roll(request.data, voters, said, claims, standing, verdict.reason)


def same_person_now(roll: Roll) -> dict[frozenset[str], str]:
    """The pairs on which a decision holds, with the registration that it keeps (rules 1 and 2)."""
    found = {}
    for pair in roll.pairs():
        what, keep = roll.last_said(pair)
        if what == "same" and keep is not None:
            found[pair] = keep
    return found


def groups(roll: Roll, same: dict[frozenset[str], str]) -> dict[str, frozenset[str]]:
    group = {each: frozenset([each]) for each in roll.voters}
    for pair in same:
        joined = frozenset().union(*(group[each] for each in pair))
        group.update(dict.fromkeys(joined, joined))
    return group


def open_pairs(roll: Roll, same: dict[frozenset[str], str]) -> dict[frozenset[str], str | None]:
    """Undecided pairs; the value is who is kept meanwhile, if a decision was made on other versions."""
    found: dict[frozenset[str], str | None] = {}
    for pair in roll.pairs():
        what, keep = roll.last_said(pair)
        if what in ("held", "undecided") or (what == "nothing" and pair in roll.claims):
            found[pair] = keep if what == "held" else None
    return found


def contradictory(roll: Roll) -> bool:
    same = same_person_now(roll)
    for group in set(groups(roll, same).values()):
        dropped = {each for pair, keep in same.items() for each in pair if each != keep}
        if len(group - dropped) != 1:
            return True
        for pair in roll.pairs():
            if pair <= group and roll.last_said(pair)[0] == "different":
                return True
    return False


def look(roll: Roll) -> str:
    """Check one roll; answers what it was an example of."""
    if roll.refusal in ("over_full", "no_seat"):
        return str(roll.refusal)
    assert contradictory(roll) == (roll.refusal == "contradictory")
    if roll.refusal == "contradictory":
        return "contradictory"
    same = same_person_now(roll)
    group = groups(roll, same)
    dropped = {each for pair, keep in same.items() for each in pair if each != keep}
    could = {
        each
        for each, voter in roll.voters.items()
        if not voter.removed and voter.adult and each not in dropped
    }
    asked: dict[tuple[str, str], bool] = {}
    for pair, keep in open_pairs(roll, same).items():
        one, other = sorted(pair)
        for mine, theirs in itertools.product(could & group[one], could & group[other]):
            if group[one] != group[other]:
                for first, second, end in ((mine, theirs, other), (theirs, mine, one)):
                    asked[first, second] = asked.get((first, second), False) or keep == end
    # Where the kept one has died, may not vote or is too young, a correction does not bring back the other.
    buried = {
        each
        for pair, keep in open_pairs(roll, same).items()
        if keep is not None and not could & group[keep] and pair - group[keep]
        for each in could & group[next(iter(pair - {keep}))]
    }
    if roll.request.undecided == "refuse":
        assert (roll.refusal == "undecided") == bool(asked or buried)
        assert roll.standing is None or roll.standing == could
        return "refuse"
    assert roll.standing is not None and roll.standing <= could
    assert not buried & roll.standing
    held = could - roll.standing
    for one, other in asked:  # no two who may be one person both stand
        assert not {one, other} <= roll.standing
    order = {each: (roll.voters[each].accepted, each) for each in could}
    for each in (
        held - buried
    ):  # and nobody is held without cause: one who stands and was there first, or is preferred
        others = {theirs: prefers for (mine, theirs), prefers in asked.items() if mine == each}
        assert any(
            (theirs in roll.standing and (order[theirs] < order[each] or prefers))
            or (prefers and order[theirs] > order[each])
            for theirs, prefers in others.items()
        )
    for mine, theirs in asked:  # who was kept by two people is not held for the one whom they dropped
        if (
            asked[mine, theirs]
            and not asked[theirs, mine]
            and mine in roll.standing
            and theirs in held - buried
        ):
            assert any(one == theirs and other != mine for one, other in asked)
    return "buried" if buried else "held" if held else "nobody held"


def test_of_every_history_those_stand_whom_the_rules_let_stand() -> None:
    seen = set()
    for seed in range(NUMBER_OF_HISTORIES):
        history = life(seed, 48)
        result = replay(history.log, history.files, history.claims, history.signing_keys)
        seen |= {look(roll) for roll in rolls(history, result)}
    assert seen >= {"contradictory", "refuse", "held", "nobody held", "buried"}
