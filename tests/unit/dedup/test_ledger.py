"""Which versions are current in which epoch."""

from hypothesis import given
from hypothesis import strategies as st

from services.dedup.ledger import Appearance, Ledger


def at(offset: int, epoch: int, digest: str) -> Appearance:
    return Appearance(offset, epoch, digest, accepted_at=1000 + offset)


def ledger(**registrations: list[Appearance]) -> Ledger:
    made = Ledger()
    for registration_id, appearances in registrations.items():
        for appearance in appearances:
            made.add(registration_id, appearance)
    return made


def test_two_versions_are_current_together_until_one_is_corrected_in_a_later_epoch() -> None:
    made = ledger(a=[at(0, 1, "x"), at(5, 3, "y")], b=[at(1, 1, "z")])
    assert made.both_current(("a", "x"), ("b", "z"), since=0)
    assert made.both_current(("a", "x"), ("b", "z"), since=2)
    assert not made.both_current(("a", "x"), ("b", "z"), since=3)
    assert made.both_current(("a", "y"), ("b", "z"), since=3)


def test_a_version_corrected_in_its_own_epoch_was_never_current() -> None:
    made = ledger(a=[at(0, 1, "x"), at(5, 1, "y")], b=[at(1, 1, "z")])
    assert not made.both_current(("a", "x"), ("b", "z"), since=0)


def test_a_version_corrected_back_is_current_again() -> None:
    made = ledger(a=[at(0, 1, "x"), at(5, 2, "y"), at(9, 4, "x")], b=[at(1, 1, "z")])
    assert not made.both_current(("a", "y"), ("b", "z"), since=4)
    assert made.both_current(("a", "x"), ("b", "z"), since=4)


def test_versions_that_were_current_in_different_epochs_never_met() -> None:
    made = ledger(a=[at(0, 1, "x"), at(5, 2, "y")], b=[at(1, 2, "z")])
    assert not made.both_current(("a", "x"), ("b", "z"), since=0)


def test_an_unknown_registration_is_current_nowhere() -> None:
    assert not ledger(a=[at(0, 1, "x")]).both_current(("a", "x"), ("b", "z"), since=0)


appearances = st.lists(st.tuples(st.integers(1, 3), st.sampled_from("xyz")), min_size=1, max_size=6).map(
    lambda rows: [at(n, sum(e for e, _ in rows[: n + 1]), d) for n, (_, d) in enumerate(rows)]
)


@given(appearances, st.randoms(use_true_random=False))
def test_order_and_repetition_of_reading_leave_no_trace(rows: list[Appearance], random: object) -> None:
    shuffled = rows + rows
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    straight, mixed = ledger(a=rows, b=[at(0, 1, "z")]), ledger(a=shuffled, b=[at(0, 1, "z")])
    assert straight.latest_offset("a") == mixed.latest_offset("a")
    for digest in "xyz":
        for since in range(8):
            assert straight.both_current(("a", digest), ("b", "z"), since) == mixed.both_current(
                ("a", digest), ("b", "z"), since
            )
        assert straight.accepted_at("a", digest) == mixed.accepted_at("a", digest)
