"""A dead letter repeats its original where that fits, and otherwise says what it was and where it lies."""

import hashlib
from datetime import UTC, datetime

import pytest

from shared.contracts.topics import DEAD_LETTER_LIMIT
from shared.runtime.dead_letters import dead_letter
from shared.runtime.record import Output, Record

TIME = datetime(2026, 10, 20, 1, 2, 3, 4_000, tzinfo=UTC)
_TOLD = {
    "rollstream-dlq-reason": b"json",
    "rollstream-dlq-detail": b"no_json",
    "rollstream-dlq-topic": b"t",
    "rollstream-dlq-partition": b"3",
    "rollstream-dlq-offset": b"41",
    "rollstream-dlq-service": b"registration",
    "rollstream-dlq-time": b"2026-10-20T01:02:03.004+00:00",
}


def letter(record: Record, detail: str = "no_json") -> Output:
    return dead_letter(record, reason="json", detail=detail, service="registration", now=TIME)


def test_a_letter_has_key_value_and_headers_as_they_were_and_says_where_they_lay() -> None:
    record = Record("t", 3, 41, 7, b"k", b"{", (("a", None), ("a", b"\xff")))
    sent = letter(record)
    assert (sent.topic, sent.partition, sent.key, sent.value) == ("t.dlq", 3, b"k", b"{")
    assert sent.headers == (("a", None), ("a", b"\xff"), *_TOLD.items())


def test_a_null_key_and_value_stay_null() -> None:
    sent = letter(Record("t", 3, 41, 7, None, None, ()))
    assert (sent.key, sent.value, dict(sent.headers)) == (None, None, _TOLD)


def test_a_header_whose_name_is_not_utf8_is_left_out_and_the_detail_says_so() -> None:
    record = Record("t", 3, 41, 7, b"k", b"{", (("x-\udcff", b"1"), ("ក", b"2"), ("\udcfe", b"3")))
    sent = letter(record)
    told = {**_TOLD, "rollstream-dlq-detail": b"no_json; 2 left out"}
    assert sent.headers == (("ក", b"2"), *told.items())
    assert dict(letter(record, "").headers)["rollstream-dlq-detail"] == b"2 left out"


@pytest.mark.parametrize("spare", [0, 1])
def test_of_more_than_256_kib_nothing_is_repeated_and_size_and_hash_are_told(spare: int) -> None:
    value = b"v" * (DEAD_LETTER_LIMIT - len(b"keyxhead") + spare)
    record = Record("t", 3, 41, 7, b"key", value, (("x", b"head"),))
    sent = letter(record)
    if spare == 0:
        assert (sent.key, sent.value, sent.headers[0]) == (b"key", value, ("x", b"head"))
        assert "rollstream-dlq-bytes" not in dict(sent.headers)
    else:
        assert (sent.key, sent.value) == (None, None)
        assert dict(sent.headers) == {
            **_TOLD,
            "rollstream-dlq-bytes": str(DEAD_LETTER_LIMIT + 1).encode(),
            "rollstream-dlq-sha256": hashlib.sha256(value).hexdigest().encode(),
        }


def test_headers_that_could_not_be_read_count_with_their_bytes() -> None:
    record = Record("t", 3, 41, 7, b"key", b"v", (), "headers", wire_bytes=DEAD_LETTER_LIMIT)
    sent = letter(record)
    assert (sent.key, sent.value) == (None, None)
    assert dict(sent.headers)["rollstream-dlq-bytes"] == str(DEAD_LETTER_LIMIT + 4).encode()


def test_a_run_of_offsets_that_could_not_be_read_says_where_it_ends_and_its_size_on_the_wire() -> None:
    sent = letter(Record("t", 3, 41, 7, None, None, (), "undecodable_batch", 57, 9_000), "")
    assert (sent.key, sent.value) == (None, None)
    assert dict(sent.headers) == {
        **_TOLD,
        "rollstream-dlq-detail": b"",
        "rollstream-dlq-bytes": b"9000",
        "rollstream-dlq-last-offset": b"57",
    }
