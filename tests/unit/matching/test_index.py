"""The index finds every pair whatever its size, and no step of it grows with the number of candidates."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matching import index, postings
from matching.growing import Growing
from matching.index import PAIRS_AT_ONCE, Index
from matching.matcher import CLAIMS_AT_ONCE, Matcher
from matching.model import default_model_bytes, load_model
from matching.postings import Postings
from matching.version import Version
from shared.contracts.model_file import Model
from tests.unit.matching.test_matching import REGISTER, SOK, like


@cache
def model() -> Model:
    return load_model(default_model_bytes())


def crowd(count: int, **changes: Any) -> list[Version]:
    """Registrations of one content, but for their captures."""
    return [
        replace(SOK, registration_id=f"r-{at:06}", digest=f"{at:064x}", device=f"D-{at}", **changes)
        for at in range(count)
    ]


@pytest.mark.parametrize("piece", [1, 7, 1 << 15])
@pytest.mark.parametrize("work", [0, 1, 16])
@pytest.mark.parametrize("size", [1, 3, 50])
def test_postings_find_every_entry_also_in_the_middle_of_a_merge(
    monkeypatch: pytest.MonkeyPatch, size: int, work: int, piece: int
) -> None:
    monkeypatch.setattr(postings, "_PIECE", piece)
    monkeypatch.setattr(postings, "_WORK", work)
    keys = np.random.default_rng(5).integers(0, 40, 500).astype(np.uint64)
    wanted = np.array([7, 39, 7, 1000], np.uint64)
    made = Postings()
    for start in range(0, len(keys), size):
        rows = np.arange(start, min(start + size, len(keys)), dtype=np.uint32)
        made.add(keys[rows], rows)
        if start % 50 == 0 or start + size >= len(keys):
            known = keys[: start + size]
            positions, pieces = made.find(wanted)
            assert all(np.all(np.diff(each.astype(np.int64)) > 0) for each in pieces)
            for position, key in enumerate(wanted):
                found = [
                    row for at, each in zip(positions, pieces, strict=True) if at == position for row in each
                ]
                assert sorted(found) == list(np.flatnonzero(known == key))


def test_an_addition_merges_no_more_than_a_multiple_of_itself_and_runs_stay_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postings, "_PIECE", 64)
    merged: list[int] = []
    go_on = postings._Merge.go_on

    def noted(self: Any) -> int:
        merged.append(go_on(self))
        return merged[-1]

    monkeypatch.setattr(postings._Merge, "go_on", noted)
    made, dice = Postings(), np.random.default_rng(6)
    most_runs = 0
    for start in range(0, 100_000, 100):
        merged.clear()
        rows = np.arange(start, start + 100, dtype=np.uint32)
        made.add(dice.integers(0, 1 << 60, 100).astype(np.uint64), rows)
        assert sum(merged) <= 16 * 100 + 2 * 64
        most_runs = max(most_runs, len(made._runs))
    assert len(made) == 100_000
    assert most_runs < 10


NUMBERED = np.dtype([("number", np.int64), ("twice", np.int64)])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3_000), st.lists(st.tuples(st.integers(0, 2_999), st.integers(0, 2_999)), max_size=30))
def test_a_growing_array_holds_what_was_appended_and_set_at_any_moment(
    count: int, changes: Sequence[tuple[int, int]]
) -> None:
    made, expected = Growing(NUMBERED), []
    for number in range(count):
        made.append((number, 2 * number))
        expected.append([number, 2 * number])
        for when, at in changes:
            if when == number and at <= number:
                made.set(at, "twice", -when)
                expected[at][1] = -when
    assert [list(each) for each in made.view.tolist()] == expected


def test_a_growing_array_never_moves_much_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    moves: list[int] = []
    move = Growing._move

    def noted(self: Growing, records: int) -> None:
        before = self._moved
        move(self, records)
        moves.append(self._moved - before)

    monkeypatch.setattr(Growing, "_move", noted)
    made = Growing(NUMBERED)
    for number in range(50_000):
        made.append((number, 0))
    assert max(moves) <= 1_024
    assert sum(moves) > 50_000


def pairs_of(made: Index, rows: Sequence[int]) -> list[list[tuple[int, int]]]:
    """The slices, each as pairs of (position, other row)."""
    return [
        list(zip(positions.tolist(), others.tolist(), strict=True))
        for _, positions, others in made.pairs(made.look_up(rows))
    ]


@pytest.mark.parametrize("at_once", [1 << 40, 50])
def test_pairs_come_in_bounded_slices_each_pair_once(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(index, "PAIRS_AT_ONCE", at_once)
    monkeypatch.setattr(index, "_BLOCK", 32)
    made = Index(model().blocking)
    for each in (*crowd(150), *REGISTER):
        made.insert(each)
    rows = [0, 151, 3, 161, 3]
    slices = pairs_of(made, rows)
    assert max(map(len, slices)) <= at_once
    flat = [pair for each in slices for pair in each]
    assert len(flat) == len(set(flat))
    assert [position for position, _ in flat] == sorted(position for position, _ in flat)
    registration = made.table.rows["registration"]
    expected = {
        (position, other)
        for position, row in enumerate(rows)
        for other in range(len(made))
        if registration[row] != registration[other] and made.share_a_key(row, other)
    }
    assert set(flat) == expected


def test_what_is_inserted_between_two_slices_breaks_and_misses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index, "PAIRS_AT_ONCE", 40)
    monkeypatch.setattr(index, "_BLOCK", 16)
    people = crowd(300)
    asked, before = people[:3], people[:200]
    quiet, busy = Matcher(model()), Matcher(model())
    for each in before:
        quiet.insert(each)
        busy.insert(each)
    expected = quiet.claims_of(asked)
    late = iter(people[200:])
    found: list[list[str]] = [[], [], []]
    for step in busy.claims(busy.look_up(asked)):
        for each in late:  # the feed goes on reading
            busy.insert(each)
            break
        for at, claim in step.claims:
            found[at].append(claim.digest)
    assert [sorted(each) for each in found] == [[claim.digest for claim in claims] for claims in expected]


def test_a_crowd_is_compared_and_claimed_in_small_steps() -> None:
    matcher = Matcher(model())
    people = crowd(2 * PAIRS_AT_ONCE)
    for each in people:
        matcher.insert(each)
    sizes = [len(step.claims) for step in matcher.claims(matcher.look_up(people[:1]))]
    assert sum(sizes) == len(people) - 1
    assert max(sizes) <= CLAIMS_AT_ONCE


def nameless(number: int, *, family: bool = True, given: bool = True) -> Version:
    """Of a name in a third script nothing is left once it is normalised."""
    gone: dict[str, None] = {}
    if family:
        gone |= {"family_km": None, "family_latin": None}
    if given:
        gone |= {"given_km": None, "given_latin": None}
    return like(number, **gone)


@pytest.mark.parametrize(("family", "given"), [(True, True), (True, False), (False, True)])
def test_a_version_without_a_name_is_compared_with_one_that_has_both_scripts(
    family: bool, given: bool
) -> None:
    matcher = Matcher(model())
    for number in range(100, 200):  # so that no two numbers of names add up to another
        matcher.insert(like(number, family_latin=f"HENG{number}", given_latin=f"DARA{number}"))
    matcher.insert(SOK)
    (claims,) = matcher.claims_of([nameless(2, family=family, given=given)])
    (claim,) = [each for each in claims if each.digest == SOK.digest]
    levels = {each.field: each.level for each in claim.score.evidence}
    assert (levels["family_name"] == "unknown") == family
    assert (levels["given_name"] == "unknown") == given


def test_two_without_a_name_do_not_agree_in_it_and_meet_by_no_key_of_names() -> None:
    one = replace(nameless(2), document_number=None, phone=None)
    other = replace(nameless(3), document_number=None, phone=None, village="02030405", commune="020304")
    other = replace(other, district="0203", province="02")
    made = Index(model().blocking)
    assert not made.share_a_key(made.insert(one), made.insert(other))
