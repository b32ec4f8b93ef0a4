"""The reference model's reading of decisions: what counts of two registrations, and who stands by it."""

import pytest

from tests.reference.captures import claim
from tests.unit.reference_model.test_rolls import (
    A,
    B,
    C,
    D,
    excluded,
    refusal,
    registered,
    run,
    stands,
    version,
)


@pytest.mark.parametrize("reason", ["deceased", "disenfranchised", "moved"])
def test_a_decision_that_keeps_who_was_removed_is_void_unless_by_death_or_loss_of_the_vote(
    reason: str,
) -> None:
    builder = registered(A, B, C)
    builder.decide(version(builder, A), version(builder, B), "same_person", keep=A)
    builder.remove(A, 2, reason)
    builder.cut_off(1)
    builder.finalise()
    assert stands(run(builder)) == ([B, C] if reason == "moved" else [C])


def test_a_correction_does_not_undo_a_decision_of_two() -> None:
    for decided_anew in (False, True):
        builder = registered(B, A)  # B came first, and would be the one to stand
        builder.decide(version(builder, A), version(builder, B), "same_person", keep=A)
        builder.correct(B, 2, born="1950-01-01")
        if decided_anew:
            builder.decide(version(builder, A), version(builder, B), "different_persons")
        builder.cut_off(1)
        builder.finalise()
        assert stands(run(builder)) == ([A, B] if decided_anew else [A])


def test_data_corrected_back_find_their_decision_again() -> None:
    builder = registered(A, B)
    decision = builder.decide(version(builder, A), version(builder, B), "same_person", keep=A)
    builder.correct(B, 2, born="1950-01-01")
    builder.correct(B, 3)
    builder.cut_off(1)
    builder.finalise(undecided="refuse")
    assert (stands(run(builder)), excluded(run(builder))) == ([A], {"decided": 1})
    assert run(builder).verdicts[decision].verdict == "effective"


@pytest.mark.parametrize("last", ["reversed", "different"])
def test_of_several_decisions_on_a_pair_the_last_counts(last: str) -> None:
    builder = registered(A, B)
    a, b = version(builder, A), version(builder, B)
    builder.decide(a, b, "same_person", keep=A)
    if last == "different":
        builder.decide(a, b, "different_persons")
    else:
        builder.reverse(a, b)
    builder.cut_off(1)
    ce_id = builder.finalise(undecided="refuse")
    if last == "different":
        assert stands(run(builder, claim(a, b))) == [A, B]
    else:
        assert refusal(builder, ce_id) == ("undecided", [(A, B)])


def test_decisions_after_the_finalised_do_not_touch_it() -> None:
    builder = registered(A, B)
    builder.cut_off(1)
    builder.finalise(undecided="refuse")
    builder.decide(version(builder, A), version(builder, B), "same_person", keep=A)
    assert stands(run(builder)) == [A, B]


def test_connected_by_same_person_is_one_person_of_whom_one_may_stand() -> None:
    builder = registered(A, B, C, D)
    a, b, c, d = (version(builder, each) for each in (A, B, C, D))
    builder.decide(a, b, "same_person", keep=B)
    builder.decide(b, c, "same_person", keep=C)
    builder.cut_off(1)
    ce_id = builder.finalise(undecided="refuse")
    assert stands(run(builder)) == [C, D]
    # A claim to any registration of a person is one to the person.
    assert refusal(builder, ce_id, claim(a, d)) == ("undecided", [(C, D)])


@pytest.mark.parametrize("case", ["none", "several", "different"])
def test_decisions_that_contradict_each_other_refuse_the_roll(case: str) -> None:
    builder = registered(A, B, C)
    a, b, c = (version(builder, each) for each in (A, B, C))
    builder.decide(a, b, "same_person", keep=A)
    if case == "none":
        builder.decide(b, c, "same_person", keep=B)
        builder.decide(a, c, "same_person", keep=C)
    elif case == "several":
        builder.decide(b, c, "same_person", keep=C)
    else:
        builder.decide(b, c, "same_person", keep=B)
        builder.decide(a, c, "different_persons")
    builder.cut_off(1)
    reason, names = refusal(builder, builder.finalise())
    assert reason == "contradictory" and (A, B) in names


def test_a_decision_holds_whoever_of_the_person_is_dead() -> None:
    builder = registered(A, B)
    builder.decide(version(builder, A), version(builder, B), "same_person", keep=A)
    builder.remove(A, 2, "deceased")
    builder.cut_off(1)
    builder.finalise(undecided="refuse")
    assert stands(run(builder)) == []
    assert excluded(run(builder)) == {"deceased": 1, "decided": 1}


@pytest.mark.parametrize("wrong", [A, B])
def test_a_decision_with_a_wrong_commune_counts_as_not_made_and_opens_nothing(wrong: str) -> None:
    builder = registered(A, B)
    a, b = version(builder, A), version(builder, B)
    builder.decide(a, b, "same_person", keep=A, communes={wrong: "010204"})
    builder.cut_off(1)
    finalised = builder.finalise(undecided="refuse")
    assert stands(run(builder)) == [A, B]
    assert refusal(builder, finalised, claim(a, b)) == ("undecided", [(A, B)])


def test_a_decision_on_a_version_that_came_after_the_epoch_counts_as_not_made() -> None:
    builder = registered(A, B)
    builder.cut_off(1)
    builder.correct(A, 2, born="1950-01-01")
    builder.decide(version(builder, A), version(builder, B), "same_person", keep=A)
    builder.cut_off(2)
    builder.finalise(epoch=1)
    builder.finalise(epoch=2)
    assert [stands(run(builder), number) for number in (1, 2)] == [[A, B], [A]]


def test_before_a_decision_that_counts_as_not_made_the_one_before_it_counts() -> None:
    builder = registered(A, B)
    a, b = version(builder, A), version(builder, B)
    builder.decide(a, b, "same_person", keep=A)
    builder.decide(a, b, "different_persons", communes={A: "020101"})
    builder.reverse(a, b, communes={B: "020101"})
    builder.cut_off(1)
    builder.finalise(undecided="refuse")
    assert stands(run(builder)) == [A]


def test_before_a_void_decision_the_one_before_it_counts() -> None:
    builder = registered(A, B, C)
    a, b, c = (version(builder, each) for each in (A, B, C))
    builder.decide(a, c, "same_person", keep=C)
    builder.decide(a, b, "different_persons")
    builder.decide(a, b, "same_person", keep=A)
    builder.remove(A, 2, "moved")
    builder.cut_off(1)
    builder.finalise(undecided="refuse")
    assert stands(run(builder)) == [B, C]


def test_a_void_decision_leaves_its_claim_undecided() -> None:
    builder = registered(A, B, C)
    a, b, c = (version(builder, each) for each in (A, B, C))
    builder.decide(a, c, "same_person", keep=C)  # A and C are one person, of whom C stands
    builder.decide(a, b, "same_person", keep=A)
    builder.remove(A, 2, "moved")
    builder.cut_off(1)
    assert refusal(builder, builder.finalise(undecided="refuse")) == ("undecided", [(B, C)])


def test_a_reversal_on_current_versions_leaves_nobody_preferred() -> None:
    builder = registered(A, B)
    builder.decide(version(builder, A), version(builder, B), "same_person", keep=B)
    builder.correct(B, 2, born="1950-01-01")
    a, b = version(builder, A), version(builder, B)
    builder.decide(a, b, "different_persons")
    builder.reverse(a, b)
    builder.cut_off(1)
    builder.finalise()
    assert stands(run(builder)) == [A]


def test_a_contradiction_names_the_pairs_inside_the_person_and_no_others() -> None:
    builder = registered(A, B, C, D, "E", "F")
    a, b, c, d, e, f = (version(builder, each) for each in (A, B, C, D, "E", "F"))
    builder.decide(a, b, "same_person", keep=A)
    builder.decide(b, c, "same_person", keep=C)
    builder.decide(d, e, "same_person", keep=D)
    builder.decide(e, f, "same_person", keep="F")
    builder.decide(a, d, "different_persons")
    builder.cut_off(1)
    reason, names = refusal(builder, builder.finalise())
    assert reason == "contradictory"
    assert names == [(A, B), (B, C), (D, "E"), ("E", "F")]
