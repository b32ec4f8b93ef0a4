"""The demo fails when anything is not as promised."""

from typing import Any

import pytest

from demo.checks import MOVED, SHOWN, broken_promises
from demo.measure import class_table, standing_twice
from demo.report import in_words
from demo.watch import note, samples
from shared.process.metric_table import METRICS
from simulator import DEMO_RATES, generate_stream

GOOD: dict[str, Any] = {
    "events": 5000,
    "open_conflicts": 1,
    "unaccounted": 0,
    "wrong_outcome": 0,
    "people_on_two_lists": 2,
    "people_missed": 2,
    "precision": 0.9,
    "recall": 0.8,
    "lists": 3,
    "verified": 3,
    "audit_broken": 0,
    "metrics_not_moved": [],
}


def test_a_demo_that_keeps_its_promises_is_good() -> None:
    assert broken_promises(GOOD) == []


@pytest.mark.parametrize(
    "figures",
    [
        {"unaccounted": 1},
        {"wrong_outcome": 1},
        {"audit_broken": 1},
        {"people_on_two_lists": 3},
        {"precision": 0.89},
        {"recall": 0.79},
        {"verified": 2},
        {"open_conflicts": 0},
        {"lists": 0, "verified": 0},
        {"metrics_not_moved": ["dedup: x"]},
    ],
    ids=str,
)
def test_one_broken_promise_is_told(figures: dict[str, Any]) -> None:
    assert len(broken_promises(GOOD | figures)) == 1


OF_FAULTS = {
    "rollstream_batch_retries_total",
    "rollstream_waiting",
    "rollstream_service_stopped",
    "rollstream_unread_records",
    "rollstream_receipts_owed",
    "rollstream_batches_incomplete",
    "rollstream_operations_unrecorded",
}
"""What moves only when something is wrong, or is told by the lag already."""


def test_every_metric_has_to_move_in_a_demo_but_those_of_faults() -> None:
    moved = {metric.removesuffix("_count") for metrics in MOVED.values() for metric in metrics}
    assert moved | set(SHOWN) == {metric.name for metric in METRICS} - OF_FAULTS


def test_a_gauge_that_is_back_at_0_has_moved() -> None:
    highest: dict[tuple[str, str], float] = {}
    for value in (0, 2, 0):
        text = f'# TYPE g gauge\ng{{kind="a"}} {value}\ng{{kind="b"}} 0\n'
        note(highest, "dedup", samples(text))
    note(highest, "publisher", samples("# TYPE g gauge\ng 0\n"))
    assert highest == {("dedup", "g"): 2, ("publisher", "g"): 0}


PEOPLE = {"a1": "a", "a2": "a", "a3": "a", "b1": "b", "b2": "b", "c1": "c"}


def test_a_person_whom_matching_missed_is_on_two_lists_and_missed() -> None:
    twice = standing_twice(["a1", "b1", "b2", "c1"], PEOPLE, [("a1", "a2")])
    assert (twice.people, twice.missed) == ({"b"}, {"b"})


def test_a_person_who_was_claimed_and_stands_twice_is_on_two_lists_and_not_missed() -> None:
    """Also where only a third registration connects the two."""
    twice = standing_twice(["a1", "a3"], PEOPLE, [("a1", "a2"), ("a2", "a3")])
    assert (twice.people, twice.missed) == ({"a"}, set())


def test_a_claim_between_two_people_joins_nobody() -> None:
    twice = standing_twice(["b1", "b2"], PEOPLE, [("b1", "c1"), ("b2", "c1")])
    assert (twice.people, twice.missed) == ({"b"}, {"b"})


@pytest.mark.parametrize(
    ("on_two_lists", "missed", "told"),
    [
        (0, 0, ["Matching missed nobody who is on the lists", "Nobody about whom officers decided"]),
        (3, 3, ["3 people are on two lists because matching missed", "Nobody about whom officers decided"]),
        (4, 3, ["3 people are on two lists because matching missed", "1 people are on two lists although"]),
    ],
)
def test_people_on_two_lists_are_told_by_why(on_two_lists: int, missed: int, told: list[str]) -> None:
    figures = {"people_on_two_lists": on_two_lists, "people_missed": missed}
    said = in_words({**figures, "second_epoch": 200, "open_conflicts": 40})[0]
    for each in told:
        assert each in said


def test_precision_and_recall_of_each_class_are_told_by_the_truth() -> None:
    stream = generate_stream(events=2000, seed=3, rates=DEMO_RATES)
    resends = [(pair.one, pair.other) for pair in stream.duplicates if pair.kind == "resend"]
    twice = [(pair.one, pair.other) for pair in stream.duplicates if pair.kind != "resend"]
    strangers = [(pair.one, pair.other) for pair in stream.lookalikes][:1]
    claimed = dict.fromkeys([*twice[1:], *strangers, resends[0]], "multiple_registration")
    claimed |= dict.fromkeys(resends[1:], "resend")
    right, found = len(twice) - 1, len(twice) + 1
    assert class_table(stream, claimed) == [
        ("resend", len(resends), len(resends) - 1, 1.0, round((len(resends) - 1) / len(resends), 4)),
        (
            "multiple_registration",
            len(twice),
            found,
            round(right / found, 4),
            round(right / len(twice), 4),
        ),
    ]
