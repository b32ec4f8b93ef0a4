"""The reference model's outcome of every event, one promise of the contract each."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.contracts.cloudevents import encode
from shared.contracts.events import EventType
from shared.contracts.topics import partition_for
from tests.reference.builder import (
    STATIONS,
    LogBuilder,
    capture_data,
    json_bytes,
    registration,
    removal,
)
from tests.reference.log import LogRecord
from tests.reference.model import Result, replay

ONE = "010203-1"


def run(builder: LogBuilder) -> Result:
    return replay(builder.log(), builder.files, [], [])


def outcome(builder: LogBuilder, record: LogRecord | None = None) -> str:
    record = record or builder.events[-1]
    found = run(builder).outcomes[record.partition, record.offset]
    return found.outcome if found.reason is None else f"{found.outcome}: {found.reason}"


def founded() -> LogBuilder:
    return LogBuilder().found()


def test_nothing_is_judged_before_all_reference_data_are_there() -> None:
    builder = LogBuilder()
    builder.register_voter(ONE)
    assert run(builder).outcomes == {}


def test_a_whole_life_is_accepted() -> None:
    builder = founded()
    builder.register_voter(ONE)
    builder.correct(ONE, 2, born="1991-01-01")
    builder.transfer(ONE, 3, village="01020401")
    builder.remove(ONE, 1003, "moved")
    builder.reinstate(ONE, 1004)
    result = run(builder)
    assert {found.outcome for found in result.outcomes.values()} == {"accepted"}
    records = [json.loads(raw) for raw in result.accepted.values()]
    assert [record["status"] for record in records] == ["active"] * 3 + ["removed", "active"]
    assert {record["first_accepted_at"] for record in records} == {"2026-09-21T14:13:29.000Z"}
    assert records[3]["digest"] == records[2]["digest"] != records[4]["digest"]
    assert "voter" not in records[3] and records[3]["removal_reason"] == "moved"


Act = Callable[[LogBuilder], LogRecord]


def event(ce_type: str, data: Any, **how: Any) -> Act:
    return lambda builder: builder.event(ce_type, data, **how)


REJECTIONS: list[tuple[str, str, Act]] = [
    ("key_mismatch", "", event(EventType.REGISTERED, registration(ONE, 1), key="010203-2")),
    (
        "key_mismatch",
        "",
        lambda builder: builder.raw_event(0, None, b"[]", encode("s", "i", EventType.REGISTERED)),
    ),
    (
        "wrong_partition",
        "",
        event(EventType.REGISTERED, registration(ONE, 1), partition=1 - partition_for(ONE.encode(), 2)),
    ),
    ("unknown_type", "", event("rollstream.registration.registered.v2", registration(ONE, 1))),
    ("invalid", "revision", event(EventType.REGISTERED, registration(ONE, 2))),
    ("invalid", "", event(EventType.CORRECTED, [1], key="x")),
    ("invalid", "voter", event(EventType.REGISTERED, registration(ONE, 1, shoe_size=38))),
    ("invalid", "voter.date_of_birth", event(EventType.REGISTERED, registration(ONE, 1, precision="month"))),
    ("unknown_registration", "registration_id", event(EventType.CORRECTED, registration(ONE, 2))),
    ("unknown_registration", "registration_id", event(EventType.REMOVED, removal(ONE, 2))),
    (
        "unknown_place",
        "residence.village_code",
        event(EventType.REGISTERED, registration(ONE, 1, village="01020399")),
    ),
    (
        "unknown_station",
        "polling_station",
        event(EventType.REGISTERED, registration(ONE, 1, station="nowhere")),
    ),
    (
        "unknown_station",
        "polling_station",
        event(EventType.REGISTERED, registration(ONE, 1, station="010204-01")),
    ),
    *(
        (
            "implausible_birth_date",
            "voter.date_of_birth",
            event(EventType.REGISTERED, registration(ONE, 1, born=born, precision=precision)),
        )
        for born, precision in [
            ("2026-10-21", "day"),
            ("2011-10-21", "day"),
            ("1906-10-19", "day"),
            ("2011-11-01", "month"),
            ("1905-01-01", "year"),
        ]
    ),
]


@pytest.mark.parametrize(("reason", "path", "act"), REJECTIONS)
def test_a_wrong_event_is_rejected_for_the_first_reason_that_applies(
    reason: str, path: str, act: Act
) -> None:
    builder = founded()
    record = act(builder)
    assert outcome(builder) == f"rejected: {reason}"
    told = json.loads(run(builder).rejected[record.partition, record.offset])
    assert told["reason"] == reason
    assert [error["path"] for error in told["errors"]] == [path]
    assert told["source"] == {
        "topic": "registration.events.v1",
        "partition": record.partition,
        "offset": record.offset,
    }


@pytest.mark.parametrize(
    ("born", "precision"),
    [
        ("2011-10-20", "day"),
        ("1906-10-20", "day"),
        ("2011-10-01", "month"),
        ("2011-01-01", "year"),
        ("1906-01-01", "year"),
    ],
)
def test_the_most_favourable_day_decides_whether_an_age_is_plausible(born: str, precision: str) -> None:
    builder = founded()
    builder.register_voter(ONE, born=born, precision=precision)
    assert outcome(builder) == "accepted"


def test_the_leap_day_has_its_birthday_on_the_first_of_march() -> None:
    for day, expected in (("2027-02-28", "rejected: implausible_birth_date"), ("2027-03-01", "accepted")):
        builder = founded()
        builder.register_voter(ONE, born="2012-02-29", capture={"captured_at": f"{day}T08:00:00+07:00"})
        assert outcome(builder) == expected


def test_a_resend_is_ignored_and_an_accepted_id_with_other_data_refused() -> None:
    builder = founded()
    first = builder.register_voter(ONE)
    builder.resend(first)
    assert outcome(builder) == "ignored"
    builder.event(EventType.REGISTERED, registration(ONE, 1, born="1980-01-01"), ce_id="event-1")
    assert outcome(builder) == "rejected: id_reused"
    other_order = dict(reversed(registration(ONE, 1).items()))
    builder.event(EventType.REGISTERED, other_order, ce_id="event-1")
    assert outcome(builder) == "ignored", "data are compared by value, not by bytes"
    builder.event(EventType.REGISTERED, registration(ONE, 1), ce_id="event-1", source="elsewhere")
    assert outcome(builder) == "rejected: state"


def test_a_resend_of_a_rejected_event_is_judged_anew() -> None:
    builder = founded()
    early = builder.correct(ONE, 2)
    builder.register_voter(ONE)
    builder.resend(early)
    assert outcome(builder) == "accepted"


def test_states_and_revisions() -> None:
    builder = founded()
    builder.register_voter(ONE)
    builder.reinstate(ONE, 2)
    assert outcome(builder) == "rejected: state"
    builder.register_voter(ONE)
    assert outcome(builder) == "rejected: state"
    builder.correct(ONE, 1)
    assert outcome(builder) == "rejected: stale_revision"
    builder.correct(ONE, 1002)
    assert outcome(builder) == "rejected: invalid"
    builder.correct(ONE, 1001)
    assert outcome(builder) == "accepted"
    builder.remove(ONE, 1002)
    builder.remove(ONE, 1003)
    assert outcome(builder) == "rejected: state"


def test_after_two_hundred_versions_only_a_removal_is_taken() -> None:
    builder = founded()
    builder.register_voter(ONE)
    for revision in range(2, 201):
        builder.correct(ONE, revision)
    builder.correct(ONE, 201)
    builder.remove(ONE, 201)
    builder.reinstate(ONE, 202)
    last = [found.reason or found.outcome for found in run(builder).outcomes.values()][-4:]
    assert last == ["accepted", "too_many_versions", "accepted", "too_many_versions"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "no_json"),
        (b"\xff", "not_utf8"),
        (b'{"a": 1, "a": 1}', "duplicate_name"),
        (b"NaN", "not_finite"),
        (b" " * 65536, "too_large"),
        (None, "no_json"),
    ],
)
def test_what_cannot_be_decoded_is_dead_lettered(value: bytes | None, reason: str) -> None:
    builder = founded()
    builder.raw_event(0, b"k", value, encode("s", "i", EventType.REGISTERED))
    assert outcome(builder) == f"dead_lettered: {reason}"


def test_both_modes_of_cloudevents_are_one() -> None:
    builder = founded()
    builder.register_voter(ONE)
    whole = {
        "specversion": "1.0",
        "id": "event-1",
        "source": "capture/010203",
        "type": EventType.REGISTERED,
        "data": registration(ONE, 1),
    }
    partition = builder.events[0].partition
    headers = (("content-type", b"application/cloudevents+json"),)
    builder.raw_event(partition, ONE.encode(), json_bytes(whole), headers)
    assert outcome(builder) == "ignored"


def test_markers_number_the_epochs_and_others_are_void() -> None:
    builder = founded()
    offset = builder.cut_off(1, markers=False)
    partition = partition_for(ONE.encode(), 2)
    void = [
        builder.marker(1, offset - 1, partition),
        builder.marker(2, offset, partition),
        builder.marker(1, offset, partition, officer="admin"),
        builder.event(EventType.MARKER, {"epoch": 1, "command_offset": offset}, key="x", partition=partition),
    ]
    first = builder.register_voter(ONE)
    valid = builder.marker(1, offset, partition)
    void.append(builder.marker(1, offset, partition))
    second = builder.correct(ONE, 2)
    assert {outcome(builder, record) for record in void} == {"void_marker"}
    assert outcome(builder, valid) == "marker"
    accepted = run(builder).accepted
    epochs = [json.loads(accepted[record.partition, record.offset])["epoch"] for record in (first, second)]
    assert epochs == [1, 2]


def test_a_later_marker_counts_for_the_epochs_before_it() -> None:
    builder = founded()
    offsets = [builder.cut_off(epoch, markers=False) for epoch in (1, 2)]
    builder.marker(2, offsets[1], 0)
    late = builder.marker(1, offsets[0], 0)
    assert outcome(builder, late) == "void_marker"
    assert run(builder).judged.marked == {0: 2, 1: 0}


def test_stations_of_validation_go_by_epoch() -> None:
    builder = founded()
    builder.adopt("stations", (STATIONS + "010203-03,ច,E,010203,,750\n").encode())
    builder.register_voter(ONE, station="010203-03")
    assert outcome(builder) == "rejected: unknown_station"
    builder.cut_off(1)
    builder.register_voter(ONE, station="010203-03")
    assert outcome(builder) == "accepted"


def test_a_receipt_counts_every_decodable_event_of_its_batch() -> None:
    builder = founded()
    for sequence, village in enumerate(["01020301", "99", "01020301"]):
        capture = capture_data(sequence=sequence)
        builder.register_voter(f"010203-{sequence}", village=village, capture=capture)
    assert run(builder).receipts == {}
    builder.close_batch(0, 3)
    builder.close_batch(0, 4)
    receipt = json.loads(run(builder).receipts["D-1/B-1"])
    assert receipt == {
        "office": "010203",
        "device": "D-1",
        "batch": "B-1",
        "count": 5,
        "received": 3,
        "missing": [3, 4],
        "rejected": [1],
        "complete": False,
    }


def test_a_sequence_beyond_the_places_of_a_batch_is_invalid_and_counts_nowhere() -> None:
    builder = founded()
    builder.register_voter(ONE, capture=capture_data(sequence=100_000))
    assert outcome(builder) == "rejected: invalid"
    builder.close_batch(0, 100_000)
    assert outcome(builder) == "rejected: invalid"
    builder.close_batch(99_999, 99_999)
    assert json.loads(run(builder).receipts["D-1/B-1"])["received"] == 0


def test_a_batch_is_closed_200_times_at_most() -> None:
    builder = founded()
    for _ in range(201):
        builder.close_batch(0, 3)
    found = [f"{each.outcome} {each.reason}" for each in run(builder).outcomes.values()]
    assert found == [*["accepted None"] * 200, "rejected too_many_versions"]


def test_an_event_with_an_id_of_over_256_characters_is_a_dead_letter() -> None:
    builder = founded()
    for longest, expected in (("x" * 256, "accepted"), ("x" * 257, "dead_lettered: id")):
        builder.event(EventType.REGISTERED, registration(longest[-3:] + str(len(longest)), 1), ce_id=longest)
        assert outcome(builder) == expected


def test_a_close_that_does_not_add_up_is_invalid_at_count() -> None:
    builder = founded()
    data = json.loads(builder.close_batch(0, 3).value or b"")
    record = builder.event(EventType.BATCH_CLOSED, {**data, "count": 3})
    told = json.loads(run(builder).rejected[record.partition, record.offset])
    assert (told["reason"], told["errors"]) == ("invalid", [{"path": "count", "rule": "count"}])
    assert (told["registration_id"], told["device"]) == (None, "D-1")
    builder.resend(builder.events[0])
    assert outcome(builder) == "ignored"
