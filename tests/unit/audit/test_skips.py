"""A foreign record that two officers had passed over is shown, and breaks nothing."""

from typing import Any, cast

import pytest

from audit import commands, messages
from audit.log import LogRecord
from audit.look import Look, Settled
from audit.report import Report
from audit.skips import fingerprint
from shared.contracts.topics import Topic
from shared.runtime import record as service
from tests.reference.builder_commands import CommandBuilder

FOREIGN = LogRecord(0, 99, 0, None, None, (), "undecodable_batch", 99, unread_bytes=7)


@pytest.mark.parametrize(
    "record",
    [
        FOREIGN,
        LogRecord(1, 3, 0, b"k", b"v", (("a", b"x"), ("b", None), ("\udcff", b"")), "headers"),
        LogRecord(1, 3, 0, None, b"", ()),
    ],
)
def test_services_and_audit_mean_the_same_record(record: LogRecord) -> None:
    """They share no code."""
    read = service.Record(
        *("t", record.partition, record.offset, 0, record.key, record.value, record.headers),
        fault=record.fault,
        last_offset=record.last_offset,
        wire_bytes=record.unread_bytes,
    )
    assert fingerprint(record) == service.fingerprint(read)


@pytest.mark.parametrize(
    ("changes", "approver", "broken"),
    [
        ({}, "approver", {}),
        ({}, None, {"foreign": 1}),
        ({"offset": 98}, "approver", {"foreign": 1}),
        ({"partition": 1}, "approver", {"foreign": 1}),
        ({"record_sha256": "0" * 64}, "approver", {"foreign": 1}),
        ({"topic": Topic.ACCEPTED.value}, "approver", {"foreign": 1}),
        ({"offset": None}, "approver", {"foreign": 1}),
    ],
)
def test_only_the_record_that_two_officers_name_is_passed_over(
    changes: dict[str, Any], approver: str | None, broken: dict[str, int]
) -> None:
    data = {
        "topic": Topic.CHECKED.value,
        "partition": 0,
        "offset": 99,
        "record_sha256": fingerprint(FOREIGN),
        "reason": "a stranger wrote it",
    }
    builder = CommandBuilder().found()
    ce_id = builder.command(messages.SKIPPED, {**data, **changes}, approver=approver)
    history = commands.fold(builder.register, builder.founding, builder.commands, builder.files)
    report = Report()
    look = Look(report, history, cast(Any, None), {}, Settled(), {}, {})
    look.foreign(Topic.CHECKED, FOREIGN, "it cannot be read")
    assert report.broken_of == broken
    assert report.passed_over == ([] if broken else [(f"{Topic.CHECKED.value}/0/99", ce_id)])
    assert len(report.document()["passed_over"]) == len(report.passed_over)
