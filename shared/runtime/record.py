"""Raw records in, raw records out: what the runtime and a service's handler pass to each other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from shared.contracts.cloudevents import record_size


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the consumed topic, as the broker stored it.

    `timestamp` is in milliseconds since 1970 (LogAppendTime on our topics). `fault` is None, or says in one
    word what the client library could not read, and the record is dead-lettered or stops the service:
    `headers` (a name is not UTF-8; kept here with surrogate escapes), `undecodable_batch` (its whole batch
    cannot be decompressed, is over the contract's limits, or its records cannot be told apart: this one
    record stands for the run of offsets up to and with `last_offset`, without key, value and headers).
    `append_time` is whether the broker gave the time stamp; a producer could have chosen any other.

    `headers` are all, or of a record with very many those that are read here; `left_out` is how many others
    it has. `wire_bytes` is what is not kept: the names and values of those; all of headers that do not end
    with their record, as they lay on the wire; a batch that cannot be read, as it lay there.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    fault: str | None = None
    last_offset: int | None = None
    wire_bytes: int = 0
    append_time: bool = True
    left_out: int = 0

    @property
    def place(self) -> str:
        """Where it lies, in one word."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def following(self) -> int:
        """The offset after it, or after its run."""
        return (self.offset if self.last_offset is None else self.last_offset) + 1

    @property
    def size(self) -> int:
        """Bytes of key, value and headers, as far as they were read."""
        return size_of(self)


@dataclass(frozen=True, slots=True)
class Output:
    """One record to be sent to an explicit partition (see `shared.contracts.topics` for which)."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        return size_of(self)


def fingerprint(record: Record) -> str:
    """SHA-256 in hex of what a record holds, readable or not; with its place it says which one is meant.

    Over key, value, then name and content of each header, each after its length as 4 bytes, null as empty.
    Last come as decimal digits `last_offset`, empty for one record, and `wire_bytes`.
    """
    last = b"" if record.last_offset is None else b"%d" % record.last_offset
    fields = [record.key, record.value]
    for name, content in record.headers:
        fields += [name.encode("utf-8", "surrogateescape"), content]
    digest = hashlib.sha256()
    for each in (*fields, last, b"%d" % record.wire_bytes):
        digest.update(len(each or b"").to_bytes(4, "big") + (each or b""))
    return digest.hexdigest()


def size_of(record: Record | Output) -> int:
    """Bytes of key, value and headers (names and values)."""
    return record_size(record.key, record.value, record.headers)
