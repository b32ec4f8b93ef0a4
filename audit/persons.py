"""Who stands in a roll: the contract's five rules on decisions, age and undecided claims, in their order."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date

from audit.ages import birthday, possible_days
from audit.history import DecisionMade, FinaliseRequest
from audit.log import Pair, SeenClaim
from audit.records import Version
from shared.contracts.events import Voter

Ids = tuple[str, str]


class Refusal(Exception):
    """No roll comes of a `finalised`: why, and the ids, pairs or stations concerned."""

    def __init__(self, reason: str, names: Iterable[object] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.names = list(names)


@dataclass(frozen=True, slots=True)
class Registered:
    """A registration as an epoch has it: its last version, and the last that had a voter in it."""

    last: Version
    captured: Version
    first_accepted: int
    communes: dict[str, str]  # of each digest that it had

    @property
    def digest(self) -> str:
        """The digest that is current."""
        return self.last.record.digest

    @property
    def removal(self) -> str | None:
        """The reason of its removal, None while it is active."""
        return self.last.record.removal_reason

    @property
    def voter(self) -> Voter:
        """As last captured."""
        assert self.captured.voter is not None
        return self.captured.voter

    @property
    def place(self) -> str:
        """The village (eight digits) or commune (six) where the voter last lived."""
        assert self.captured.place is not None
        return self.captured.place


Population = dict[str, Registered]
"""By registration id."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Who stands, and of everyone else why not: reason and `ce_id` of what did it, if anything."""

    ids: list[str]
    absent: dict[str, tuple[str, str | None]]
    persons: dict[str, str]  # registration id to the smallest one of the same person


def population(registrations: dict[str, list[Version]], epoch: int) -> Population:
    """Every registration as it is at the end of an epoch."""
    found: Population = {}
    for registration_id, versions in registrations.items():
        known = [version for version in versions if version.epoch <= epoch]
        if known:
            captured = [version for version in known if version.voter is not None]
            communes = {each.record.digest: each.place[:6] for each in captured if each.place is not None}
            found[registration_id] = Registered(known[-1], captured[-1], known[0].timestamp, communes)
    return found


def decide(
    people: Population, claims: Iterable[SeenClaim], made: list[DecisionMade], request: FinaliseRequest
) -> Standing:
    """Apply the rules. Raises Refusal."""
    known = [each for each in made if each.offset < request.offset and _counts_as_made(people, each)]
    said = _what_decisions_say(people, known)
    for claim in claims:
        ids = _ids(claim.pair)
        holds = claim.claim.epoch <= request.data.epoch and _is_current(people, claim.pair)
        if holds and ids not in said.same and ids not in said.different:
            said.undecided.add(ids)

    person = _persons(people, said.same)  # rule 3
    dropped = _dropped(said)
    _refuse_contradictions(person, said, dropped)

    absent: dict[str, tuple[str, str | None]] = {}
    day = date.fromisoformat(request.data.election["day"])
    for registration_id, registered in people.items():  # rule 4
        if registered.removal is not None:
            absent[registration_id] = (registered.removal, registered.last.record.event_id)
        elif registration_id in dropped:
            absent[registration_id] = ("decided", dropped[registration_id])
        elif birthday(possible_days(registered.voter)[-1], 18) > day:
            absent[registration_id] = ("age", None)
    candidates = sorted(people.keys() - absent.keys())

    between = _between_standing(candidates, person, said)  # rule 5
    barred = _kept_out(candidates, person, said)
    if request.data.undecided == "refuse" and (between or barred):
        raise Refusal("undecided", sorted({(min(pair), max(pair)) for pair in [*between, *barred]}))
    out = {each for each, _ in barred}
    for held in [*out, *_held(people, [each for each in candidates if each not in out], between, out)]:
        absent[held] = ("held", None)
    return Standing([each for each in candidates if each not in absent], absent, person)


@dataclass(slots=True)
class _Said:
    """What the decisions amount to, by pair of ids.

    `preferred` names the kept one of a pair that was decided `same_person` before its data changed.
    """

    same: dict[Ids, DecisionMade] = field(default_factory=dict)
    different: set[Ids] = field(default_factory=set)
    undecided: set[Ids] = field(default_factory=set)
    preferred: dict[Ids, str] = field(default_factory=dict)


def _counts_as_made(people: Population, made: DecisionMade) -> bool:
    """Whether both versions exist by then and lay in the communes that the officers named."""
    return all(
        registration_id in people and people[registration_id].communes.get(digest) == commune
        for (registration_id, digest), commune in zip(made.pair, made.said.communes, strict=True)
    )


def _what_decisions_say(people: Population, known: list[DecisionMade]) -> _Said:
    said = _Said()
    by_ids: dict[Ids, list[DecisionMade]] = defaultdict(list)
    for made in known:
        by_ids[_ids(made.pair)].append(made)
    for ids, on_ids in by_ids.items():
        standing = [made for made in on_ids if not _void(people, made)]  # rule 1
        now = [made for made in standing if _is_current(people, made.pair)]
        if now:
            governing = now[-1]
            if governing.said.decision is None:
                said.undecided.add(ids)
            elif governing.said.keep is None:
                said.different.add(ids)
            else:
                said.same[ids] = governing
        elif standing and standing[-1].said.keep is not None:  # rule 2: of other versions
            said.undecided.add(ids)
            said.preferred[ids] = standing[-1].said.keep
        elif any(_is_current(people, made.pair) for made in on_ids):
            said.undecided.add(ids)  # all that was said of these versions is void
    return said


def _void(people: Population, made: DecisionMade) -> bool:
    """Whether the one whom a decision keeps is gone for another reason than death or loss of the vote."""
    keep = made.said.keep
    return keep is not None and people[keep].removal not in (None, "deceased", "disenfranchised")


def _is_current(people: Population, pair: Pair) -> bool:
    """Whether both versions are the epoch's last."""
    return all(each in people and people[each].digest == digest for each, digest in pair)


def _dropped(said: _Said) -> dict[str, str]:
    """Whom a decision drops, with the `ce_id` of the last one that does."""
    return {
        registration_id: decision.ce_id
        for ids, decision in sorted(said.same.items(), key=lambda item: item[1].offset)
        for registration_id in ids
        if registration_id != decision.said.keep
    }


def _ids(pair: Pair) -> Ids:
    return pair[0][0], pair[1][0]


def _persons(people: Population, same: Collection[Ids]) -> dict[str, str]:
    """Registration id to the smallest id that `same_person` connects it with."""
    person = {registration_id: registration_id for registration_id in people}
    members = {registration_id: [registration_id] for pair in same for registration_id in pair}
    for one, other in same:
        smaller, larger = sorted((person[one], person[other]))
        if smaller != larger:
            for registration_id in members[larger]:
                person[registration_id] = smaller
            members[smaller] += members[larger]
    return person


def _refuse_contradictions(person: dict[str, str], said: _Said, dropped: dict[str, str]) -> None:
    members = defaultdict(list)
    for registration_id, whose in person.items():
        members[whose].append(registration_id)
    wrong = {
        whose for whose, group in members.items() if len([each for each in group if each not in dropped]) != 1
    }
    wrong |= {person[one] for one, other in said.different if person[one] == person[other]}
    if wrong:
        pairs = [
            ids
            for ids in [*said.same, *said.different]
            if person[ids[0]] == person[ids[1]] and person[ids[0]] in wrong
        ]
        raise Refusal("contradictory", sorted(pairs))


def _between_standing(
    candidates: list[str], person: dict[str, str], said: _Said
) -> dict[tuple[str, str], bool]:
    """Undecided claims between two persons who would both stand, each told by the one who stands.

    Both ways round; true where rule 2 prefers the second.
    """
    stands = {person[candidate]: candidate for candidate in candidates}
    between: dict[tuple[str, str], bool] = {}
    for ids in said.undecided:
        one, other = person[ids[0]], person[ids[1]]
        if one == other or one not in stands or other not in stands:
            continue
        for mine, theirs, their_id in ((one, other, ids[1]), (other, one, ids[0])):
            pair = stands[mine], stands[theirs]
            between[pair] = between.get(pair, False) or said.preferred.get(ids) == their_id
    return between


def _kept_out(candidates: list[str], person: dict[str, str], said: _Said) -> list[tuple[str, str]]:
    """Rule 2 where the kept one cannot stand (dead, disenfranchised, too young): the other stays out, too.

    Each with the kept one, the first in order of the pairs.
    """
    stands = {person[candidate]: candidate for candidate in candidates}
    found: dict[str, str] = {}
    for ids in sorted(said.preferred):
        keep = said.preferred[ids]
        for other in ids:
            candidate = stands.get(person[other])
            if other != keep and candidate is not None and person[keep] not in stands:
                found.setdefault(candidate, keep)
    return list(found.items())


def _held(
    people: Population, candidates: list[str], between: dict[tuple[str, str], bool], out: set[str]
) -> Iterable[str]:
    """Walk by first acceptance, then id: who has an undecided claim with one already kept is held.

    `out` are held from the start, and nobody is held for them.
    """
    order = sorted(candidates, key=lambda each: (people[each].first_accepted, each))
    kept: set[str] = set()
    held: set[str] = set(out)
    others: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for (mine, theirs), prefers in between.items():
        others[mine].append((theirs, prefers))
    for each in order:
        if any(theirs in kept or (prefers and theirs not in held) for theirs, prefers in others[each]):
            held.add(each)
        else:
            kept.add(each)
    return held
