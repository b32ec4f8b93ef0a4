"""Who stands in a roll: the contract's rules in their order."""

import pytest

from services.publisher.registrations import Registration
from services.publisher.roll import Refusal, Ruling, absence, rule
from shared.commands.state import Decision, DecisionChange, PairKey
from tests.kit.checked_records import registration
from tests.kit.rulings import DAY, decided, judged, pair, people, standing, three


def test_who_is_in_no_question_stands_if_active_and_18() -> None:
    assert absence(registration("a"), Ruling(), DAY) is None
    assert absence(registration("a", born="2009-06-07"), Ruling(), DAY) == ("age", None)
    assert absence(registration("a", removal="moved"), Ruling(), DAY) == ("moved", "event-a")


def test_of_two_registrations_of_one_person_the_kept_one_stands() -> None:
    who = three()
    ruling = judged(who, [pair("a", "b")], [decided(pair("a", "b"), "b")])
    assert standing(who, ruling) == {"b", "c"}
    assert absence(who["a"], ruling, DAY) == ("decided", "decision-10")


def test_the_last_decision_that_drops_someone_is_named() -> None:
    who = three()
    ruling = judged(
        who,
        [],
        [
            decided(pair("a", "b"), "b", 20),
            decided(pair("a", "c"), "c", 30),
            decided(pair("b", "c"), "c", 10),
        ],
    )
    assert ruling.dropped == {"a": "decision-30", "b": "decision-10"}


def test_different_persons_both_stand() -> None:
    who = three()
    assert standing(who, judged(who, [pair("a", "b")], [decided(pair("a", "b"), None)])) == {"a", "b", "c"}


@pytest.mark.parametrize("reason", ["moved", "duplicate", "erroneous"])
def test_a_decision_whose_kept_registration_was_removed_is_void(reason: str) -> None:
    who = three() | people(registration("a", removal=reason))
    ruling = judged(who, [pair("a", "b")], [decided(pair("a", "b"), "a")])
    assert standing(who, ruling) == {"b", "c"}


def test_the_claim_of_a_void_decision_is_undecided_between_the_persons_behind_it() -> None:
    who = three() | people(registration("a", removal="duplicate"))
    rulings = [decided(pair("a", "b"), "a"), decided(pair("a", "c"), "c")]
    with pytest.raises(Refusal) as caught:
        judged(who, [], rulings)
    assert (caught.value.reason, caught.value.names) == ("undecided", [("b", "c")])


def test_before_a_void_decision_the_one_before_it_counts() -> None:
    who = three() | people(registration("a", removal="moved"))
    rulings = [decided(pair("a", "b"), "b", 10), decided(pair("a", "b"), "a", 20)]
    ruling = judged(who, [], rulings)
    assert ruling.dropped == {"a": "decision-10"}
    different = [decided(pair("a", "b"), None, 10), decided(pair("a", "b"), "a", 20)]
    rest = [decided(pair("a", "c"), "c")]
    assert standing(who, judged(who, [pair("a", "b")], [*different, *rest])) == {"b", "c"}


@pytest.mark.parametrize("communes", [("010203", "999999"), ("999999", "010203")])
def test_a_decision_that_names_another_commune_counts_as_not_made(communes: tuple[str, str]) -> None:
    who = three()
    wrong = decided(pair("a", "b"), "b", 20, communes)
    assert standing(who, judged(who, [], [wrong])) == {"a", "b", "c"}
    with pytest.raises(Refusal) as caught:
        judged(who, [pair("a", "b")], [wrong])
    assert caught.value.reason == "undecided"
    before = decided(pair("a", "b"), "a", 10)
    assert judged(who, [], [before, wrong]).dropped == {"b": "decision-10"}


def test_a_reversal_that_names_another_commune_counts_as_not_made() -> None:
    who = three()
    key = pair("a", "b")
    _, decision = decided(key, "a")
    reversal = DecisionChange(key, None, 20, "reversal", ("010203", "999999"))
    made = DecisionChange(key, decision, 10, decision.ce_id, decision.communes)
    assert rule(who, [], {key: [made, reversal]}, DAY, "refuse").dropped == {"b": "decision-10"}


def test_a_decision_on_a_version_that_comes_after_the_epoch_counts_as_not_made() -> None:
    who = three()
    later = decided(pair("a", "b", "later"), "a")
    assert standing(who, judged(who, [], [later])) == {"a", "b", "c"}
    nobody = decided(pair("a", "x"), "x")
    assert standing(who, judged(who, [], [nobody])) == {"a", "b", "c"}


def test_a_reversal_on_earlier_versions_ends_what_was_decided_on_still_earlier_ones() -> None:
    who = three() | people(registration("b", data="corrected"))
    rulings = [
        decided(pair("a", "b"), "b", 0),
        decided(pair("a", "b", others="second"), "b", 1),
        (pair("a", "b", others="second"), None),
    ]
    assert standing(who, judged(who, [], rulings[:2], "hold_later")) == {"b", "c"}
    assert standing(who, judged(who, [], rulings)) == {"a", "b", "c"}


def test_after_a_reversal_on_the_current_versions_nobody_is_preferred() -> None:
    who = three() | people(registration("b", data="corrected", first_accepted=9))
    old = decided(pair("a", "b"), "b", 10)
    reversed_ = (pair("a", "b", others="corrected"), None)
    assert judged(who, [], [old], "hold_later").held == {"a"}
    assert judged(who, [], [old, reversed_], "hold_later").held == {"b"}


@pytest.mark.parametrize("reason", ["deceased", "disenfranchised"])
def test_who_was_dropped_does_not_stand_again_because_the_kept_one_died(reason: str) -> None:
    who = three() | people(registration("a", removal=reason))
    assert standing(who, judged(who, [], [decided(pair("a", "b"), "a")])) == {"c"}


def test_who_was_dropped_does_not_stand_because_the_kept_one_is_too_young() -> None:
    who = three() | people(registration("a", born="2015-01-01"))
    assert standing(who, judged(who, [], [decided(pair("a", "b"), "a")])) == {"c"}


def test_a_correction_reopens_a_decision_whatever_the_score() -> None:
    who = three() | people(registration("b", data="corrected"))
    with pytest.raises(Refusal) as caught:
        judged(who, [], [decided(pair("a", "b"), "b")])
    assert (caught.value.reason, caught.value.names) == ("undecided", [("a", "b")])


def test_until_it_is_decided_anew_the_kept_one_is_kept_even_if_accepted_later() -> None:
    who = three() | people(registration("b", data="corrected", first_accepted=9))
    ruling = judged(who, [], [decided(pair("a", "b"), "b")], "hold_later")
    assert ruling.held == {"a"}


def test_a_decision_on_the_corrected_versions_counts_instead() -> None:
    who = three() | people(registration("b", data="corrected"))
    old = decided(pair("a", "b"), "b", 10)
    assert standing(
        who, judged(who, [], [old, decided(pair("a", "b", others="corrected"), None, 20)])
    ) == set(who)


def test_data_corrected_back_meet_the_decision_that_was_made_on_them() -> None:
    who = three()
    rulings = [decided(pair("a", "b"), "b", 10), decided(pair("a", "b", others="corrected"), None, 20)]
    assert standing(who, judged(who, [], rulings)) == {"b", "c"}


def test_a_correction_of_different_persons_leaves_no_question_without_a_claim() -> None:
    who = three() | people(registration("b", data="corrected"))
    assert standing(who, judged(who, [], [decided(pair("a", "b"), None)])) == set(who)
    with pytest.raises(Refusal):
        judged(who, [pair("a", "b", others="corrected")], [decided(pair("a", "b"), None)])


def test_a_reversed_decision_leaves_the_question_open() -> None:
    who = three()
    with pytest.raises(Refusal) as caught:
        judged(who, [], [(pair("a", "b"), None)])
    assert (caught.value.reason, caught.value.names) == ("undecided", [("a", "b")])


def test_a_person_of_three_registrations_stands_once() -> None:
    who = three()
    rulings = [decided(pair("a", "b"), "b", 10), decided(pair("b", "c"), "c", 20)]
    assert standing(who, judged(who, [pair("a", "c")], rulings)) == {"c"}


@pytest.mark.parametrize(
    "rulings",
    [
        [decided(pair("a", "b"), "a", 1), decided(pair("b", "c"), "c", 2)],
        [decided(pair("a", "b"), "a", 1), decided(pair("b", "c"), "b", 2), decided(pair("a", "c"), "c", 3)],
        [decided(pair("a", "b"), "a", 1), decided(pair("b", "c"), "b", 2), decided(pair("a", "c"), None, 3)],
    ],
    ids=["several", "none", "different persons inside"],
)
def test_contradictory_decisions_are_refused_with_their_pairs(
    rulings: list[tuple[PairKey, Decision | None]],
) -> None:
    with pytest.raises(Refusal) as caught:
        judged(three(), [], rulings, "hold_later")
    assert caught.value.reason == "contradictory"
    assert caught.value.names == sorted((key[0][0], key[1][0]) for key, _ in rulings)


def test_an_undecided_claim_between_two_who_would_stand_is_refused_or_the_later_one_held() -> None:
    who = three()
    with pytest.raises(Refusal) as caught:
        judged(who, [pair("b", "c")])
    assert (caught.value.reason, caught.value.names) == ("undecided", [("b", "c")])
    assert judged(who, [pair("b", "c")], policy="hold_later").held == {"c"}


def test_a_claim_between_versions_that_are_not_current_does_not_count() -> None:
    who = three()
    assert standing(who, judged(who, [pair("a", "b", others="old")])) == set(who)


@pytest.mark.parametrize(
    "other", [registration("b", removal="deceased"), registration("b", born="2015-01-01")]
)
def test_a_claim_to_one_who_does_not_stand_is_no_question(other: Registration) -> None:
    who = three() | people(other)
    assert standing(who, judged(who, [pair("a", "b")])) == {"a", "c"}


def test_a_claim_to_a_dropped_registration_is_one_to_its_person() -> None:
    who = three()
    rulings = [decided(pair("a", "b"), "a")]
    with pytest.raises(Refusal) as caught:
        judged(who, [pair("b", "c")], rulings)
    assert caught.value.names == [("a", "c")]
    assert judged(who, [pair("b", "c")], rulings, "hold_later").held == {"c"}


def test_holding_walks_by_first_acceptance_then_id_and_only_the_kept_ones_hold() -> None:
    who = three()
    chain = [pair("a", "b"), pair("b", "c")]
    assert judged(who, chain, policy="hold_later").held == {"b"}
    at_once = people(*(registration(each, first_accepted=5) for each in "cba"))
    assert judged(at_once, chain, policy="hold_later").held == {"b"}
    b_first = people(registration("b", first_accepted=1), registration("a"), registration("c"))
    assert judged(b_first, chain, policy="hold_later").held == {"a", "c"}


@pytest.mark.parametrize(
    "kept",
    [
        registration("a", removal="deceased"),
        registration("a", removal="disenfranchised"),
        registration("a", born="2010-01-01"),
    ],
)
def test_a_correction_does_not_bring_back_who_was_dropped_for_one_who_cannot_stand(
    kept: Registration,
) -> None:
    who = people(kept, registration("b", data="corrected"))
    rulings = [decided(pair("a", "b"), "a")]
    assert absence(who["b"], judged(who, (), rulings, "hold_later"), DAY) == ("held", None)
    with pytest.raises(Refusal) as refused:
        judged(who, (), rulings)
    assert (refused.value.reason, refused.value.names) == ("undecided", [("a", "b")])
    answered = [*rulings, decided(pair("a", "b", others="corrected"), None, 11)]
    assert standing(who, judged(who, (), answered)) == {"b"}


def test_nobody_is_held_for_one_who_is_held_for_a_dead_person() -> None:
    who = people(
        registration("a", removal="deceased"), registration("b", data="corrected"), registration("c")
    )
    ruling = judged(who, [pair("b", "c", "corrected")], [decided(pair("a", "b"), "a")], "hold_later")
    assert standing(who, ruling) == {"c"}


def test_one_dropped_for_a_registration_that_was_an_error_comes_back() -> None:
    who = people(registration("a", removal="erroneous"), registration("b", data="corrected"))
    assert standing(who, judged(who, (), [decided(pair("a", "b"), "a")])) == {"b"}
