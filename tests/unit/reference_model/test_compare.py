"""The comparison with the reference model finds every kind of difference, and nothing where there is none."""

import copy
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from audit.compare import compare, told_of
from audit.differences import first_difference
from audit.log import LogRecord, PassedOn, Topics
from tests.reference.model import Result, replay
from audit.readlog import CLAIMS, seen_claims, topics_of
from shared.contracts.cloudevents import encode
from shared.contracts.identity import canonical
from shared.contracts.outputs import OutputType
from shared.contracts.topics import Topic
from tests.reference.builder import LogBuilder
from tests.reference.register_files import key_of


@pytest.fixture(scope="module")
def result() -> Result:
    builder = LogBuilder().found()
    builder.register_voter("010203-A")
    builder.correct("010203-A", 2)
    builder.register_voter("010203-B", village="99")
    builder.raw_event(0, b"k", b"{", ())
    builder.undecodable_batch(1, 2)
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
                "last_offset": outcome.last_offset,
                **(rejected(result, (partition, offset)) if outcome.outcome == "rejected" else {}),
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
        "commands": [{"_id": ce_id, **told_of(verdict)} for ce_id, verdict in result.verdicts.items()],
    }


def rejected(result: Result, source: tuple[int, int]) -> dict[str, Any]:
    """What the outcome of a rejected event repeats of the answer."""
    told = json.loads(result.rejected[source])
    return {name: told[name] for name in ("errors", "errors_total")}


def sent(result: Result) -> Topics:
    markers: dict[int, list[PassedOn]] = {}
    for (partition, _), marker in result.markers.items():
        markers.setdefault(partition, []).extend([marker, marker])
    return Topics(
        {source: [value] for source, value in result.accepted.items()},
        {source: [value, value] for source, value in result.rejected.items()},
        {key: [b"{}", value] for key, value in result.receipts.items()},
        {key: [b"{}", value] for key, value in result.lists.items()},
        {key: [value, b"{}"] for key, value in result.manifests.items()},
        markers,
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
        (lambda store: store["outcomes"][0].update(last_offset=7), "another last offset"),
        (lambda store: [each.update(errors_total=7) for each in store["outcomes"]], "other errors_total"),
        (lambda store: store["commands"][1].update(approved_by="admin"), "approved_by is admin"),
        (lambda store: store["commands"][1].update(settled_at=None), "settled_at is None"),
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


@pytest.mark.parametrize("name", ["accepted", "rejected", "receipts", "lists", "manifests"])
def test_a_topic_that_differs_is_told(result: Result, name: str) -> None:
    whole = sent(result)
    found = compare(result, stored(result), dataclasses.replace(whole, **{name: {}}))
    expected = "never sent" if name in ("accepted", "rejected") else "not published"
    assert found and all(difference.endswith(expected) for difference in found)
    values = dict(getattr(whole, name))
    key = next(iter(values))
    found = compare(result, stored(result), dataclasses.replace(whole, **{name: {**values, key: [b"{}"]}}))
    signed = name in ("lists", "manifests")  # what does not verify is passed over
    assert found and all(expected in each if signed else "differs at" in each for each in found)
    extra = {**values, (9, 9) if isinstance(key, tuple) else "x": values[key]}
    found = compare(result, stored(result), dataclasses.replace(whole, **{name: extra}))
    assert len(found) == (0 if signed else 1) and all("should not be" in each for each in found)


def test_a_roll_that_should_not_be_published_is_told(result: Result) -> None:
    unpublished = dataclasses.replace(result, lists={}, manifests={})
    found = compare(unpublished, stored(result), sent(result))
    assert len(found) == len(result.lists) + len(result.manifests)
    assert all(difference.endswith("published, and should not be") for difference in found)


def test_a_marker_that_was_changed_left_out_or_invented_is_told(result: Result) -> None:
    whole = sent(result)
    (marker, *_), number = whole.markers[0], 0
    for markers in (
        {1: whole.markers[1]},
        {**whole.markers, number: [dataclasses.replace(marker, value=b"{}")]},
        {**whole.markers, 7: [marker]},
    ):
        found = compare(result, stored(result), dataclasses.replace(whole, markers=markers))
        assert len(found) == 1 and found[0].startswith("markers of partition")


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
    assert topics.accepted == {source: [accepted]} and topics.lists == {"r/s/1": [b"old", b"new"]}
    assert topics.markers == {0: [PassedOn(b"i", None, None, b"{}")]}
    (claim,) = seen_claims(found[Topic.CHECKED])
    rest = {name: checked[name] for name in ("registration_id", "digest", "claims", "source")}
    found[Topic.CHECKED].append(record(CLAIMS, b"k", canonical(rest)))
    assert seen_claims(found[Topic.CHECKED]) == [claim, claim]
    assert claim.pair == (("010203-0", "1" * 64), ("010203-A", checked["digest"]))
