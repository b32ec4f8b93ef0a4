"""Dead letters: what is put aside of a record that is no event."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from audit.log import Headers, LogRecord

LARGEST = 256 * 1024
"""Bytes of key, value and headers that a dead letter repeats."""

PREFIX = "rollstream-dlq-"


@dataclass(frozen=True, slots=True)
class Letter:
    """What a dead letter must say, in short: `facts` are headers after the original's, by name.

    `original` is a hash of key, value and the `kept` headers that it repeats.
    """

    original: bytes
    kept: int
    facts: Mapping[str, str]


def letter_of(record: LogRecord, reason: str) -> Letter:
    """The letter of a record."""
    key, value = record.key or b"", record.value or b""
    headers = sum(len(_bytes(name)) + len(content or b"") for name, content in record.headers)
    size = len(key) + len(value) + headers + record.unread_bytes
    facts = {"reason": reason, "partition": str(record.partition), "offset": str(record.offset)}
    if record.last_offset is None and size <= LARGEST:
        kept = tuple(each for each in record.headers if _is_text(each[0]))
        return Letter(_hash(record.key, record.value, kept), len(kept), facts)
    facts["bytes"] = str(size)
    if record.value is not None:
        facts["sha256"] = hashlib.sha256(record.value).hexdigest()
    if record.last_offset is not None:
        facts["last-offset"] = str(record.last_offset)
    return Letter(_hash(None, None, ()), 0, facts)


def fact(record: LogRecord, name: str) -> str | None:
    """What a record on the dead-letter topic says of its original; the last header of a name counts."""
    found = dict(record.headers).get(PREFIX + name)
    return None if found is None else found.decode("utf-8", "replace")


def source_of(record: LogRecord, topic: str) -> tuple[int, int] | None:
    """Partition and offset of the original that it names, None if it names none of that topic."""
    partition, offset = fact(record, "partition") or "", fact(record, "offset") or ""
    if fact(record, "topic") != topic or not (partition.isdecimal() and offset.isdecimal()):
        return None
    return int(partition), int(offset)


def is_letter(record: LogRecord, expected: Letter) -> bool:
    """Whether a record on the dead-letter topic is this letter."""
    ours = record.headers[expected.kept :]
    return (
        _hash(record.key, record.value, record.headers[: expected.kept]) == expected.original
        and all(name.startswith(PREFIX) for name, _ in ours)
        and all(fact(record, name) == value for name, value in expected.facts.items())
    )


def _hash(key: bytes | None, value: bytes | None, headers: Headers) -> bytes:
    return hashlib.sha256(repr((key, value, headers)).encode("utf-8", "surrogateescape")).digest()


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _is_text(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)
