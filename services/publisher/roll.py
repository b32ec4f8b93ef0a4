"""Who is on a roll: the contract's rules on decisions, age and undecided claims, in their order. Pure.

Registrations are looked at only as far as claims or decisions touch them; all others stand or not by
themselves (`absence`).
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, islice
from typing import Any, Literal

from services.publisher.ages import may_vote
from services.publisher.persons import Persons
from services.publisher.registrations import Registration
from shared.commands.state import Decision, DecisionChange, PairKey

Ids = tuple[str, str]
"""A pair of registration ids, the smaller first."""

STILL_A_PERSON = frozenset({None, "deceased", "disenfranchised"})
"""Removal reasons with which a decision to keep that registration still holds; None: it is active."""


MOST_NAMES = 1_000
"""Names kept with a refusal; how many there are is told besides."""


SORTED_AT_ONCE = 10_000


class Refusal(Exception):
    """A `finalised` that is not allowed: `names` are the ids, pairs of ids or stations concerned.

    The first of them are kept, all of them (`named`) are counted.
    """

    def __init__(self, reason: str, names: Iterable[str | Ids] = ()) -> None:
        super().__init__(reason)
        left = iter(names)
        self.reason = reason
        self.names = list(islice(left, MOST_NAMES))
        self.named = len(self.names) + sum(1 for _ in left)


@dataclass(slots=True)
class Questions:
    """What decisions settle and what they leave open, by pairs of registrations."""

    same: dict[Ids, Decision] = field(default_factory=dict)
    different: set[Ids] = field(default_factory=set)
    undecided: set[Ids] = field(default_factory=set)
    preferred: dict[Ids, str] = field(default_factory=dict)
    """Of undecided pairs that were decided on other versions: which registration is kept meanwhile."""

    def decided(self, ids: Ids) -> bool:
        """Whether a claim on the pair's current versions is answered."""
        return ids in self.same or ids in self.different


@dataclass(slots=True)
class Between:
    """Undecided claims between two who would both stand; in lists, since there may be millions."""

    claimed: dict[str, list[str]] = field(default_factory=dict)
    """With whom each has one; perhaps the same one twice."""
    kept: dict[str, list[str]] = field(default_factory=dict)
    """Of these, who is kept meanwhile (rule 2)."""

    def pairs(self) -> Iterator[Ids]:
        """Each pair once, in order."""
        for one in _in_order(self.claimed, str):
            for other in sorted({each for each in self.claimed[one] if one < each}):
                yield one, other


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whom decisions drop (with the ce_id of the last that does) and who is held."""

    dropped: Mapping[str, str] = field(default_factory=dict)
    held: frozenset[str] = frozenset()


def rule(
    people: Mapping[str, Registration],
    claims: Iterable[Ids],
    changes: Mapping[PairKey, Sequence[DecisionChange]],
    day: date,
    policy: Literal["refuse", "hold_later"],
) -> Ruling:
    """Apply the rules to the registrations of an epoch that claims or decisions name.

    `claims` are those up to the epoch of which both versions are current, the smaller id first. `changes` are
    the decisions and reversals of each pair of versions up to the `finalised`, oldest first. Raises Refusal
    `contradictory` or `undecided` with the pairs. Millions of claims take seconds: not for the event loop.
    """
    questions = _questions(people, _made(people, changes))
    persons = Persons(questions.same)
    dropped = _dropped(questions.same)
    _refuse_contradictions(questions, persons, dropped)
    candidates = [
        each
        for each in people
        if people[each].removal_reason is None and each not in dropped and _of_age(people[each], day)
    ]
    standing = {persons.of(each): each for each in candidates}  # one each: nothing is contradictory
    undecided = chain(questions.undecided, (ids for ids in claims if not questions.decided(ids)))
    between = _between_standing(undecided, questions.preferred, persons, standing)
    barred = _barred(questions, persons, standing)
    if policy == "refuse" and (between.claimed or barred):
        barring = sorted((min(pair), max(pair)) for pair in barred.items())
        raise Refusal("undecided", heapq.merge(between.pairs(), barring))
    return Ruling(dropped, _held(people, between, barred))


def absence(registration: Registration, ruling: Ruling, day: date) -> tuple[str, str | None] | None:
    """Why a registration is not on the roll, and by which event or command; None if it is."""
    if registration.removal_reason is not None:
        return registration.removal_reason, registration.event_id
    decided = ruling.dropped.get(registration.registration_id)
    if decided is not None:
        return "decided", decided
    if not _of_age(registration, day):
        return "age", None
    if registration.registration_id in ruling.held:
        return "held", None
    return None


def _of_age(registration: Registration, day: date) -> bool:
    return may_vote(registration.captured.date_of_birth, registration.captured.precision, day)


def _made(
    people: Mapping[str, Registration], changes: Mapping[PairKey, Sequence[DecisionChange]]
) -> dict[PairKey, list[DecisionChange]]:
    """What counts as made on each pair of versions, oldest first.

    Not one that names another commune than that of a version's residence, or a version that does not exist up
    to the epoch.
    """
    made = {pair: [each for each in of_pair if _is_made(each, people)] for pair, of_pair in changes.items()}
    return {pair: of_pair for pair, of_pair in made.items() if of_pair}


def _is_made(change: DecisionChange, people: Mapping[str, Registration]) -> bool:
    return all(
        each in people and people[each].communes.get(digest) == commune
        for (each, digest), commune in zip(change.pair, change.communes, strict=True)
    )


def _questions(
    people: Mapping[str, Registration], made: Mapping[PairKey, Sequence[DecisionChange]]
) -> Questions:
    """Rules 1 and 2."""
    questions = Questions()
    by_ids: dict[Ids, dict[PairKey, Sequence[DecisionChange]]] = {}
    for pair, changes in made.items():
        by_ids.setdefault(_ids(pair), {})[pair] = changes
    for ids, of_ids in by_ids.items():
        _settle(questions, people, ids, of_ids)
    return questions


def _settle(
    questions: Questions,
    people: Mapping[str, Registration],
    ids: Ids,
    made: Mapping[PairKey, Sequence[DecisionChange]],
) -> None:
    """What the decisions on all versions of two registrations come to for their current versions."""
    in_force = {pair: last for pair, changes in made.items() if (last := _last_not_void(changes, people))}
    current = next((pair for pair in made if is_current(pair, people)), None)
    if current in in_force:
        decision = in_force[current].decision
        if decision is None:
            questions.undecided.add(ids)  # reversed: the question is open again
        elif decision.keep is None:
            questions.different.add(ids)
        else:
            questions.same[ids] = decision
        return
    last = max(in_force.values(), key=lambda each: each.command_offset, default=None)
    if last is not None and last.decision is not None and last.decision.keep is not None:
        questions.undecided.add(ids)  # rule 2
        questions.preferred[ids] = last.decision.keep
    elif current is not None:
        questions.undecided.add(ids)  # all that was decided on these versions is void


def _last_not_void(
    changes: Sequence[DecisionChange], people: Mapping[str, Registration]
) -> DecisionChange | None:
    """Rule 1: whom a decision keeps may be dead or barred, and must not be removed otherwise."""
    for change in reversed(changes):
        keep = change.decision.keep if change.decision else None
        if keep is None or people[keep].removal_reason in STILL_A_PERSON:
            return change
    return None


def is_current(pair: PairKey, people: Mapping[str, Registration]) -> bool:
    """Whether both versions are what their registrations are now."""
    return all(each in people and people[each].digest == digest for each, digest in pair)


def _ids(pair: PairKey) -> Ids:
    return pair[0][0], pair[1][0]


def _dropped(same: Mapping[Ids, Decision]) -> dict[str, str]:
    dropped: dict[str, str] = {}
    for ids, decision in sorted(same.items(), key=lambda item: item[1].command_offset):
        for each in ids:
            if each != decision.keep:
                dropped[each] = decision.ce_id  # the last one stays
    return dropped


def _refuse_contradictions(questions: Questions, persons: Persons, dropped: Mapping[str, str]) -> None:
    """Rule 3: of each person exactly one registration may stand, and nobody said that two of them differ."""
    wrong = {
        person
        for person, members in persons.groups().items()
        if len([each for each in members if each not in dropped]) != 1
    }
    wrong |= {persons.of(one) for one, other in questions.different if persons.of(one) == persons.of(other)}
    if wrong:
        pairs = [
            ids
            for ids in (*questions.same, *questions.different)
            if persons.of(ids[0]) in wrong and persons.of(ids[1]) in wrong
        ]
        raise Refusal("contradictory", sorted(pairs))


def _between_standing(
    undecided: Iterable[Ids], preferred: Mapping[Ids, str], persons: Persons, standing: Mapping[str, str]
) -> Between:
    """Undecided claims between two persons who would both be on the roll, by the registrations that would."""
    between = Between()
    for ids in undecided:
        first, second = persons.of(ids[0]), persons.of(ids[1])
        if first == second or first not in standing or second not in standing:
            continue
        kept = preferred.get(ids)
        for mine, theirs, their_id in ((first, second, ids[1]), (second, first, ids[0])):
            between.claimed.setdefault(standing[mine], []).append(standing[theirs])
            if kept == their_id:
                between.kept.setdefault(standing[mine], []).append(standing[theirs])
    return between


def _barred(questions: Questions, persons: Persons, standing: Mapping[str, str]) -> dict[str, str]:
    """Those who would be on the roll, but were dropped on earlier versions for someone dead, barred or too
    young.

    Each with that one: to correct the data of a dead person's second registration does not bring it back.
    """
    barred: dict[str, str] = {}
    for ids, kept in sorted(questions.preferred.items()):
        dropped = ids[0] if kept == ids[1] else ids[1]
        mine, theirs = persons.of(dropped), persons.of(kept)
        if mine != theirs and mine in standing and theirs not in standing:
            barred.setdefault(standing[mine], kept)
    return barred


def _held(people: Mapping[str, Registration], between: Between, barred: Mapping[str, str]) -> frozenset[str]:
    """Rule 5: walk by first acceptance, then id, and hold who has an undecided claim with one already kept.

    One whom a decision kept counts as kept before the walk reaches it: nobody undoes a decision of two by a
    correction.
    """
    kept: set[str] = set()
    held = set(barred)
    for each in _in_order(
        between.claimed.keys() - held, lambda candidate: (people[candidate].first_accepted_at, candidate)
    ):
        claimed_with_kept = any(theirs in kept for theirs in between.claimed[each])
        if claimed_with_kept or any(theirs not in held for theirs in between.kept.get(each, ())):
            held.add(each)
        else:
            kept.add(each)
    return frozenset(held)


def _in_order(names: Iterable[str], key: Callable[[str], Any]) -> Iterator[str]:
    """Sorted in pieces: no other thread runs while `sorted` does, for seconds with a million names."""
    left = iter(names)
    pieces = iter(lambda: sorted(islice(left, SORTED_AT_ONCE), key=key), [])
    return heapq.merge(*pieces, key=key)
