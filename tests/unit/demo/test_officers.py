"""The demo's officers leave each person standing once."""

from hypothesis import given
from hypothesis import strategies as st

from demo.officers import Known, decisions


def known(active: dict[str, bool]) -> dict[str, Known]:
    return {each: Known("0" * 64, "010203", is_active, f"2026-{each}") for each, is_active in active.items()}


def dropped(made: list[dict[str, object]]) -> set[str]:
    gone: set[str] = set()
    for decision in made:
        pair = [version["registration_id"] for version in decision["pair"]]  # type: ignore[attr-defined]
        gone |= {each for each in pair if decision.get("keep") and each != decision["keep"]}
    return gone


def test_two_people_both_stay() -> None:
    made = decisions([("b", "a")], {"a": "1", "b": "2"}, known({"a": True, "b": True}))
    assert [each["decision"] for each in made] == ["different_persons"]
    assert "keep" not in made[0]


def test_of_one_person_the_active_one_is_kept() -> None:
    made = decisions([("a", "b")], {"a": "1", "b": "1"}, known({"a": False, "b": True}))
    assert [each["keep"] for each in made] == ["b"]


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=12),
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("12"), min_size=6, max_size=6),
    st.dictionaries(st.sampled_from("abcdef"), st.booleans(), min_size=6, max_size=6),
)
def test_exactly_one_of_each_connected_group_is_not_dropped(
    pairs: list[tuple[str, str]], people: dict[str, str], active: dict[str, bool]
) -> None:
    pairs = [pair for pair in pairs if pair[0] != pair[1]]
    gone = dropped(decisions(pairs, people, known(active)))
    groups: dict[str, set[str]] = {each: {each} for each in "abcdef"}
    for one, other in pairs:
        if people[one] == people[other]:
            joined = groups[one] | groups[other]
            for each in joined:
                groups[each] = joined
    for group in groups.values():
        assert len(group - gone) == 1
        [kept] = group - gone
        assert active[kept] or not any(active[each] for each in group)
