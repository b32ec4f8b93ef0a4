"""The comparison with the reference model finds every kind of difference, and nothing where there is none."""

import copy
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.contracts.cloudevents import encode
from shared.contracts.identity import canonical
from shared.contracts.outputs import OutputType
from shared.contracts.topics import Topic
from tests.reference.builder import LogBuilder, key_of
from tests.reference.compare import compare, first_difference
from tests.reference.log import LogRecord, Topics
from tests.reference.model import Result, replay
from tests.reference.readlog import seen_claims, topics_of


@pytest.fixture(scope="module")
def result() -> Result:
    builder = LogBuilder().found()
    builder.register_voter("010203-A")
    builder.correct("010203-A", 2)
    builder.register_voter("010203-B", village="99")
    builder.raw_event(0, b"k", b"{", ())
    builder.close_batch(0, 0)
    builder.cut_off(1)
    builder.finalise()
    return replay(builder.log(), builder.files, [], [key_of("lists")])


def stored(result: Result) -> dict[str, Any]:
    """What services that do as the log says have stored."""
    return {
        "outcomes": [
            {
                "_id": f"{partition}/{offset}",
                "outcome": outcome.outcome,
                "reason": outcome.reason,
                "event_source": outcome.event_source,
                "event_id": outcome.event_id,
            }
            for (partition, offset), outcome in result.outcomes.items()
            if outcome.outcome != "accepted"
        ],
        "registrations": [
            {
                "_id": registration_id,
                "revision": versions[-1].record.revision,
                "status": versions[-1].record.status,
                "digest": versions[-1].record.digest,
                "history": [{"partition": v.partition, "offset": v.offset} for v in versions],
            }
            for registration_id, versions in result.judged.registrations.items()
        ],
        "capture_batches": [
            {"_id": key, "closes": [{"partition": partition, "offset": offset}]}
            for (partition, offset), key in result.closes.items()
        ],
        "commands": [
            {"_id": ce_id, "verdict": verdict.verdict, "command_offset": verdict.command_offset}
            for ce_id, verdict in result.verdicts.items()
        ],
    }


def sent(result: Result) -> Topics:
    return Topics(
        {source: [value] for source, value in result.accepted.items()},
        {source: [value, value] for source, value in result.rejected.items()},
        dict(result.receipts),
        dict(result.lists),
        dict(result.manifests),
    )


def test_services_that_do_what_the_log_says_differ_in_nothing(result: Result) -> None:
    assert {outcome.outcome for outcome in result.outcomes.values()} == {
        "accepted",
        "rejected",
        "dead_lettered",
        "marker",
    }
    assert compare(result, stored(result), sent(result)) == []


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda store: store["outcomes"].pop(), "nothing for"),
        (lambda store: store["outcomes"].append(store["outcomes"][0]), "2 outcomes"),
        (lambda store: store["outcomes"][0].update(reason="state"), "state for"),
        (lambda store: store["outcomes"][0].update(event_id="other"), "another source or id"),
        (lambda store: store["registrations"][0]["history"].reverse(), "another history"),
        (lambda store: store["registrations"][0].update(status="removed"), "status is removed"),
        (lambda store: store["registrations"].pop(), "not stored"),
        (lambda store: store["capture_batches"].pop(), "nothing for accepted"),
        (lambda store: store["commands"][0].update(verdict="open"), "open"),
        (lambda store: store["commands"].append({"_id": "x", "verdict": "open"}), "for nothing"),
    ],
)
def test_a_store_that_differs_is_told(result: Result, change: Change, said: str) -> None:
    store = copy.deepcopy(stored(result))
    change(store)
    found = compare(result, store, sent(result))
    assert any(said in difference for difference in found), found


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Topics)])
def test_a_topic_that_differs_is_told(result: Result, name: str) -> None:
    whole = sent(result)
    said = "never sent" if name in ("accepted", "rejected") else "not published"
    found = compare(result, stored(result), dataclasses.replace(whole, **{name: {}}))
    assert found and all(difference.endswith(said) for difference in found)
    values = dict(getattr(whole, name))
    key, value = next(iter(values.items()))
    values[key] = [b"{}"] if isinstance(value, list) else b"{}"
    found = compare(result, stored(result), dataclasses.replace(whole, **{name: values}))
    assert len(found) == 1 and "differs at" in found[0]
    extra = {**getattr(whole, name), (9, 9) if isinstance(value, list) else "x": value}
    found = compare(result, stored(result), dataclasses.replace(whole, **{name: extra}))
    assert len(found) == 1 and "should not be" in found[0]


def test_a_difference_is_told_by_its_path_and_never_by_its_value() -> None:
    assert first_difference(b'{"a": [1, {"b": 2}]}', b'{"a": [1, {"b": 3}]}') == "a.1.b"
    assert first_difference(b'{"a": 1}', b"{}") == "a"
    assert first_difference(b'{"a": 1}', b'{"a": true}') == "a"
    assert first_difference(b'{"a": 1}', b'{"a":1}') == "byte 5"
    assert first_difference(b"x", b"y") == "byte 0"


def test_topics_are_read_by_what_they_are_compared_by(result: Result) -> None:
    def record(ce_type: str, key: bytes, value: bytes) -> LogRecord:
        return LogRecord(0, 0, 0, key, value, encode("s", "i", ce_type))

    source, accepted = next(iter(result.accepted.items()))
    checked = {
        **json.loads(accepted),
        "claims": [
            {
                "claim_id": "0" * 64,
                "other": {"registration_id": "010203-0", "digest": "1" * 64},
                "class": "resend",
                "probability": 0.5,
                "weight": 1,
                "evidence": [],
                "model": "2" * 64,
                "epoch": 1,
            }
        ],
    }
    found: dict[Topic, list[LogRecord]] = {topic: [] for topic in Topic}
    found[Topic.ACCEPTED] = [
        record(OutputType.ACCEPTED, b"k", accepted),
        record(OutputType.MARKER, b"!marker/1", b"{}"),
    ]
    found[Topic.LISTS] = [record("t", b"r/s/1", b"old"), record("t", b"r/s/1", b"new")]
    found[Topic.CHECKED] = [
        record(OutputType.CHECKED, b"k", canonical(checked)),
        record(OutputType.MARKER, b"!marker/1", b"{}"),
    ]
    topics = topics_of(found)
    assert topics.accepted == {source: [accepted]} and topics.lists == {"r/s/1": b"new"}
    (claim,) = seen_claims(found[Topic.CHECKED])
    assert claim.pair == (("010203-0", "1" * 64), ("010203-A", checked["digest"]))
