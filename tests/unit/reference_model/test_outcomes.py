"""The reference model's outcome of every event, one promise of the contract each."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from audit.log import LogRecord
from shared.contracts.cloudevents import encode
from shared.contracts.events import EventType
from shared.contracts.topics import partition_for
from tests.reference.builder import LogBuilder
from tests.reference.captures import json_bytes, registration, removal
from tests.reference.model import Result, replay
from tests.reference.register_files import STATIONS

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


DEEP = b"[" * 64 + b"]" * 64


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"{", "dead_lettered: json"),
        (b"\xff", "dead_lettered: json"),
        (b"\xef\xbb\xbf{}", "dead_lettered: json"),
        (b'{"a": 1, "a": 1}', "dead_lettered: json"),
        (b"NaN", "dead_lettered: json"),
        (b"1e999", "dead_lettered: json"),
        (b'"\\ud800"', "dead_lettered: json"),
        (b'{"\\u001f": 1}', "dead_lettered: json"),
        (b"[" + DEEP + b"]", "dead_lettered: json"),
        (None, "dead_lettered: json"),
        (DEEP, "rejected: invalid"),
        (b'"[[[\\"[[["', "rejected: invalid"),
        (b'"\\u007f"', "rejected: invalid"),
        (b"{}", "rejected: invalid"),
    ],
)
def test_json_with_two_meanings_or_none_is_dead_lettered(value: bytes | None, expected: str) -> None:
    builder = founded()
    partition = partition_for(b"k", 2)
    builder.raw_event(partition, b"k", value, encode("s", "i", EventType.REGISTERED))
    assert outcome(builder) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (("ce_id", b"x" * 256), "accepted"),
        (("ce_id", b"x" * 257), "dead_lettered: envelope"),
        (("ce_id", b""), "dead_lettered: envelope"),
        (("ce_id", None), "dead_lettered: envelope"),
        (("ce_source", b"a\tb"), "dead_lettered: envelope"),
        (("ce_type", "é".encode()), "rejected: unknown_type"),
        (("ce_specversion", b"1.1"), "dead_lettered: envelope"),
        (("content-type", b"text/json"), "dead_lettered: envelope"),
        (("content-type", b"application/json; charset=utf-8"), "accepted"),
        (("content-type", None), "accepted"),
        (("ce_source", b"\xff"), "dead_lettered: headers"),
        (("n\udcff", b""), "dead_lettered: headers"),
        (("note", b"\xff"), "accepted"),
    ],
)
def test_the_envelope_has_to_be_whole_and_the_last_header_of_a_name_counts(
    header: tuple[str, bytes | None], expected: str
) -> None:
    builder = founded()
    record = builder.register_voter(ONE)
    builder.events[-1] = replace(record, headers=(*record.headers, header))
    assert outcome(builder) == expected


@pytest.mark.parametrize(
    ("key", "spare", "expected"),
    [
        (128, 0, "rejected: unknown_type"),
        (128, -1, "dead_lettered: too_large"),
        (129, 100, "dead_lettered: too_large"),
    ],
)
def test_key_value_and_headers_together_are_at_most_64_kib(key: int, spare: int, expected: str) -> None:
    builder = founded()
    headers = encode("s", "i", "t")
    size = key + sum(len(name) + len(content) for name, content in headers) + spare
    partition = partition_for(b"k" * key, 2)
    builder.raw_event(partition, b"k" * key, b'"' + b"x" * (65536 - size - 2) + b'"', headers)
    assert outcome(builder) == expected


def test_an_undecodable_batch_has_one_outcome_for_its_run_of_offsets() -> None:
    builder = founded()
    partition = partition_for(ONE.encode(), 2)
    run_of = builder.undecodable_batch(partition, 3)
    after = builder.register_voter(ONE)
    assert outcome(builder, run_of) == "dead_lettered: undecodable_batch"
    assert run(builder).outcomes[partition, 0].last_offset == 2
    assert (after.offset, outcome(builder, after)) == (3, "accepted")


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


def test_stations_of_validation_go_by_epoch() -> None:
    builder = founded()
    builder.adopt("stations", (STATIONS + "010203-03,ច,E,010203,,750\n").encode())
    builder.register_voter(ONE, station="010203-03")
    assert outcome(builder) == "rejected: unknown_station"
    builder.cut_off(1)
    builder.register_voter(ONE, station="010203-03")
    assert outcome(builder) == "accepted"


def test_a_batch_is_closed_200_times_at_most() -> None:
    builder = founded()
    for _ in range(201):
        builder.close_batch(0, 3)
    found = [f"{each.outcome} {each.reason}" for each in run(builder).outcomes.values()]
    assert found == [*["accepted None"] * 200, "rejected too_many_versions"]


def test_of_many_errors_the_first_twenty_by_code_point_are_told_and_all_are_counted() -> None:
    builder = founded()
    unknown = {f"x{number:02}": 1 for number in range(30)}
    name = {"km": 1, "latin": 1, **unknown}
    document = {"kind": 1, "number": 1, **unknown}
    voter = dict.fromkeys(("sex", "date_of_birth", "date_of_birth_precision", "phone"), 1)
    capture: dict[str, Any] = {member: [] for member in registration(ONE, 1)["capture"]}
    data = {
        "registration_id": ONE,
        "revision": "1",
        "voter": {"family_name": name, "given_name": name, "identity_document": document, **voter, **unknown},
        "residence": {"village_code": 1, **unknown},
        "polling_station": 1,
        "capture": {**capture, **unknown},
        **unknown,
    }
    record = builder.event(EventType.REGISTERED, data, signer=None)
    told = json.loads(run(builder).rejected[record.partition, record.offset])
    # Unknown fields are told by their parent, seven of those; of the others each has a path of its own.
    assert told["errors_total"] == 7 + 2 + 4 + 2 + 4 + 1 + 6
    assert len(told["errors"]) == 20
    assert told["errors"] == sorted(told["errors"], key=lambda each: (each["path"], each["rule"]))
    assert told["errors"][0] == {"path": "", "rule": "unknown_field"}


def test_a_close_that_does_not_add_up_is_invalid_at_count() -> None:
    builder = founded()
    data = json.loads(builder.close_batch(0, 3).value or b"")
    record = builder.event(EventType.BATCH_CLOSED, {**data, "count": 3})
    told = json.loads(run(builder).rejected[record.partition, record.offset])
    assert (told["reason"], told["errors"]) == ("invalid", [{"path": "count", "rule": "count"}])
    assert (told["registration_id"], told["device"]) == (None, "D-1")
    builder.resend(builder.events[0])
    assert outcome(builder) == "ignored"
