from __future__ import annotations

from datetime import UTC, datetime

import pytest

from client.dead_letters import Letter, cut
from shared.process.errors import StopService
from shared.runtime.dead_letters import DeadLetterLimit, dead_letter
from shared.runtime.record import Record


def test_a_dead_letter_is_the_record_whole_with_our_facts_behind_its_own_headers() -> None:
    record = Record("t", 3, 17, 5, b"k", None, (("a", None), ("a", b"\xff")))
    now = datetime(2026, 10, 20, 1, 2, 3, tzinfo=UTC)
    letter = dead_letter(record, reason="not_json", detail="duplicate_name", service="registration", now=now)
    assert (letter.topic, letter.partition, letter.key, letter.value) == ("t.dlq", 3, b"k", None)
    assert letter.headers == (
        ("a", None),
        ("a", b"\xff"),
        ("rollstream-dlq-reason", b"not_json"),
        ("rollstream-dlq-detail", b"duplicate_name"),
        ("rollstream-dlq-topic", b"t"),
        ("rollstream-dlq-partition", b"3"),
        ("rollstream-dlq-offset", b"17"),
        ("rollstream-dlq-service", b"registration"),
        ("rollstream-dlq-time", b"2026-10-20T01:02:03.000+00:00"),
    )


def test_the_limit_stops_the_service_only_when_too_many_of_the_last_records_are_dead() -> None:
    limit = DeadLetterLimit(most=5, window=100)
    for _ in range(50):
        limit.admit(20, 1)
    limit.admit(20, 1)
    with pytest.raises(StopService, match="6 of the last 100 records") as stopped:
        limit.admit(20, 2)
    assert stopped.value.cause == "dead_letter_limit"


def test_dead_letters_beyond_the_window_are_forgotten() -> None:
    limit = DeadLetterLimit(most=5, window=100)
    limit.admit(10, 5)
    limit.admit(100, 0)
    limit.admit(10, 5)


def letters(*sources: int) -> list[Letter]:
    """Copies on one partition of the dead-letter topic, from its offset 10 on, by their source's offset."""
    return [
        Letter((3, source), {}, Record("t.dlq", 3, offset, 0, None, None, ()))
        for offset, source in enumerate(sources, 10)
    ]


@pytest.mark.parametrize(
    ("copies", "source", "end", "gone"),
    [
        (letters(4, 7, 9), 4, 11, ["3/4"]),
        (letters(4, 7, 9), 7, 12, ["3/4", "3/7"]),
        (letters(4, 7, 9), 9, 13, ["3/4", "3/7", "3/9"]),
        (letters(4, 4, 7), 4, 12, ["3/4"]),
        (letters(4, 7, 4, 7, 9), 7, 14, ["3/4", "3/7"]),
        (letters(4, 7, 4, 7), 4, 11, []),
        (letters(2, 4, 7, 4), 4, 12, ["3/2"]),
    ],
)
def test_no_dead_letter_that_is_newer_goes_with_one_that_is_dropped(
    copies: list[Letter], source: int, end: int, gone: list[str]
) -> None:
    assert cut(copies, (3, source)) == (end, gone)
