"""Whatever is claimed and decided: nobody stands twice, and no order matters."""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import TypeVar, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from services.publisher.registrations import Registration
from services.publisher.roll import Refusal
from shared.commands.state import Decision, PairKey
from tests.kit.checked_records import VERSIONS, digest_of, registration
from tests.kit.rulings import COMMUNE, Policy, decided, judged, pair, people, standing

Item = TypeVar("Item")

IDS = "abcdef"
registrations = st.builds(
    registration,
    data=st.sampled_from(["first", "second"]),
    removal=st.sampled_from([None, None, None, "deceased", "moved", "duplicate"]),
    born=st.sampled_from(["1990-04-12", "2015-01-01"]),
    first_accepted=st.integers(0, 3),
    registration_id=st.just("?"),
)
populations = st.tuples(*(st.one_of(st.none(), registrations) for _ in IDS)).map(
    lambda found: people(
        *(
            Registration(
                name,
                digest_of(name + _data(each)),
                each.removal_reason,
                "e",
                each.first_accepted_at,
                each.captured,
                {digest_of(name + version): COMMUNE for version in VERSIONS},
            )
            for name, each in zip(IDS, found, strict=True)
            if each is not None
        )
    )
)
pairs = st.tuples(
    st.sets(st.sampled_from(IDS), min_size=2, max_size=2).map(sorted),
    st.sampled_from(["first", "second"]),
    st.sampled_from(["first", "second"]),
).map(lambda found: pair(found[0][0], found[0][1], found[1], found[2]))


def _data(each: Registration) -> str:
    return "second" if each.digest == digest_of("?second") else "first"


@st.composite
def decision_lists(draw: st.DrawFn) -> list[tuple[PairKey, Decision | None]]:
    found: dict[PairKey, Decision | None] = {}
    for offset in range(draw(st.integers(0, 5))):
        key = draw(pairs)
        match draw(st.sampled_from(["same", "same", "different", "reversed"])):
            case "same":
                found[key] = decided(key, draw(st.sampled_from([key[0][0], key[1][0]])), offset)[1]
            case "different":
                found[key] = decided(key, None, offset)[1]
            case _:
                found[key] = None
    return list(found.items())


@settings(max_examples=300, deadline=None)
@given(populations, st.lists(pairs, max_size=6), decision_lists())
def test_nobody_whom_a_decision_or_an_open_claim_joins_stands_twice(
    who: dict[str, Registration], claims: list[PairKey], rulings: list[tuple[PairKey, Decision | None]]
) -> None:
    try:
        stand = standing(who, judged(who, claims, rulings, "hold_later"))
    except Refusal as refusal:
        assert refusal.reason == "contradictory"
        return
    said = dict(rulings)
    for key in {*claims, *said}:
        current = all(each in who and who[each].digest == digest for each, digest in key)
        decision = said.get(key)
        if current and not (decision is not None and decision.keep is None):
            assert not {key[0][0], key[1][0]} <= stand


@settings(max_examples=300, deadline=None)
@given(populations, st.lists(pairs, max_size=6), decision_lists(), st.randoms(use_true_random=False))
def test_the_order_of_what_is_given_does_not_matter(
    who: dict[str, Registration],
    claims: list[PairKey],
    rulings: list[tuple[PairKey, Decision | None]],
    rng: Random,
) -> None:
    def shuffled(items: Iterable[Item]) -> list[Item]:
        found = list(items)
        rng.shuffle(found)
        return found

    def outcome(
        people: Mapping[str, Registration],
        found: Sequence[PairKey],
        decisions: Sequence[tuple[PairKey, Decision | None]],
        policy: Policy,
    ) -> object:
        try:
            return judged(people, found, decisions, policy)
        except Refusal as refusal:
            return refusal.reason, refusal.names

    for policy in get_args(Policy):
        again = outcome(dict(shuffled(who.items())), shuffled(claims), shuffled(rulings), policy)
        assert outcome(who, claims, rulings, policy) == again
