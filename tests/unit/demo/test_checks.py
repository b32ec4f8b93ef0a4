"""The demo fails when anything is not as promised."""

from typing import Any

import pytest

from demo.checks import MOVED, SHOWN, broken_promises
from demo.measure import class_table
from demo.watch import note, samples
from shared.process.metrics import METRICS
from simulator import DEMO_RATES, generate_stream

GOOD: dict[str, Any] = {
    "unaccounted": 0,
    "wrong_outcome": 0,
    "people_on_two_lists": 0,
    "precision": 0.9,
    "recall": 0.8,
    "lists": 3,
    "verified": 3,
    "metrics_not_moved": [],
}


def test_a_demo_that_keeps_its_promises_is_good() -> None:
    assert broken_promises(GOOD) == []


@pytest.mark.parametrize(
    "figures",
    [
        {"unaccounted": 1},
        {"wrong_outcome": 1},
        {"people_on_two_lists": 1},
        {"precision": 0.89},
        {"recall": 0.79},
        {"verified": 2},
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
