"""The reference model's reading of markers: which record ends an epoch, whenever it is read."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from audit.log import LogRecord
from shared.contracts.topics import partition_for
from tests.reference.builder import LogBuilder
from tests.reference.model import Result, replay
from tests.reference.register_files import OFFICERS, officers_file

ONE = "010203-1"


def run(builder: LogBuilder) -> Result:
    return replay(builder.log(), builder.files, [], [])


def outcome(builder: LogBuilder, record: LogRecord | None = None) -> str:
    record = record or builder.events[-1]
    return run(builder).outcomes[record.partition, record.offset].outcome


def with_headers(builder: LogBuilder, record: LogRecord, *more: tuple[str, bytes]) -> None:
    builder.events[-1] = replace(record, headers=(*record.headers, *more))


VOID: dict[str, Callable[[LogBuilder, int], object]] = {
    "an offset at which no cut-off took effect": lambda b, at: b.marker(1, at - 1, 0),
    "another epoch": lambda b, at: b.marker(2, at, 0),
    "no marker officer": lambda b, at: b.marker(1, at, 0, officer="admin"),
    "a stranger": lambda b, at: b.marker(1, at, 0, officer="stranger"),
    "too soon": lambda b, at: (
        b.marker(1, at, 0, after_ms=1999)
        and b.events.__setitem__(-1, replace(b.events[-1], timestamp=b.commands[-1].timestamp + 1999))
    ),
    "another head": lambda b, at: b.marker(1, at, 0, changes={"audit_head": "0" * 64}),
    "a head that is none": lambda b, at: b.marker(1, at, 0, changes={"audit_head": "x"}),
    "before its cut-off": lambda b, at: b.marker(1, at, 0, as_of=at - 1),
    "a message that does not exist": lambda b, at: b.marker(1, at, 0, changes={"as_of": at + 1}),
    "a number with a fraction": lambda b, at: b.marker(1, at, 0, changes={"epoch": 1.0}),
    "true for one": lambda b, at: b.marker(1, at, 0, changes={"epoch": True}),
    "an unknown member": lambda b, at: b.marker(1, at, 0, changes={"note": 1}),
    "another key": lambda b, at: b.events.append(
        replace(b.marker(1, at, 0), offset=b.events[-1].offset + 1, key=b"!marker/2")
    ),
    "another id": lambda b, at: with_headers(b, b.marker(1, at, 0), ("ce_id", b"marker/1/1")),
    "the id of another partition": lambda b, at: b.events.append(replace(b.marker(1, at, 1), partition=0)),
    "another mode": lambda b, at: b.events.append(structured(b.marker(1, at, 1))),
}


def structured(record: LogRecord) -> LogRecord:
    """The same marker as a structured event, in partition 0."""
    whole = {
        "specversion": "1.0",
        "id": "marker/1/0",
        "source": "s",
        "type": "rollstream.register.marker.v1",
        "data": json.loads(record.value or b""),
    }
    headers = (*record.headers, ("content-type", b"application/cloudevents+json"))
    return replace(record, partition=0, value=json.dumps(whole).encode(), headers=headers)


@pytest.mark.parametrize("what", VOID)
def test_a_marker_of_which_one_thing_is_wrong_is_void(what: str) -> None:
    builder = LogBuilder().found()
    offset = builder.cut_off(1, markers=False)
    VOID[what](builder, offset)
    assert outcome(builder) == "void_marker"
    assert outcome(builder, builder.marker(1, offset, 0)) == "marker"


def test_two_seconds_after_the_message_that_it_names_are_enough() -> None:
    builder = LogBuilder().found()
    offset = builder.cut_off(1, markers=False)
    marker = builder.marker(1, offset, 0, after_ms=2000)
    assert marker.timestamp - builder.commands[-1].timestamp == 2000
    assert outcome(builder) == "marker"


def test_a_marker_may_name_a_later_message_and_is_signed_by_who_is_in_force_then() -> None:
    builder = LogBuilder().found()
    offset = builder.cut_off(1, markers=False)
    builder.adopt("officers", officers_file({**OFFICERS, "marker-2": ["marker"]}))
    adoption = builder.commands[-1].offset
    early = builder.marker(1, offset, 0, "marker-2", as_of=adoption - 1)
    late = builder.marker(1, offset, 0, "marker-2", as_of=adoption)
    builder.adopt("officers", officers_file({**OFFICERS, "marker": []}))
    without = builder.marker(1, offset, 1)
    before = builder.marker(1, offset, 1, as_of=adoption)
    assert [outcome(builder, each) for each in (early, late, without, before)] == [
        "void_marker",
        "marker",
        "void_marker",
        "marker",
    ]


def test_markers_number_the_epochs() -> None:
    builder = LogBuilder().found()
    offset = builder.cut_off(1, markers=False)
    partition = partition_for(ONE.encode(), 2)
    first = builder.register_voter(ONE)
    marker = builder.marker(1, offset, partition)
    again = builder.marker(1, offset, partition, as_of=offset, after_ms=9000)
    second = builder.correct(ONE, 2)
    assert {outcome(builder, each) for each in (marker, again)} == {"marker"}
    result = run(builder)
    records = [result.accepted[each.partition, each.offset] for each in (first, second)]
    assert [json.loads(record)["epoch"] for record in records] == [1, 2]
    assert list(result.markers) == [(partition, marker.offset)], "a second one is not passed on"


def test_a_later_marker_counts_for_the_epochs_before_it() -> None:
    builder = LogBuilder().found()
    offsets = [builder.cut_off(epoch, markers=False) for epoch in (1, 2)]
    later = builder.marker(2, offsets[1], 0)
    late = builder.marker(1, offsets[0], 0)
    assert outcome(builder, late) == "marker"
    result = run(builder)
    assert result.judged.marked == {0: 2, 1: 0} and list(result.markers) == [(0, later.offset)]
