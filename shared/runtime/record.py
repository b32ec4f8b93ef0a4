"""Raw records in, raw records out: what the runtime and a service's handler pass to each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the consumed topic, as the broker stored it.

    `timestamp` is in milliseconds since 1970 (LogAppendTime on our topics). `fault` is None, or says in one
    word what the client library could not read, and the record is dead-lettered or stops the service:
    `headers` (a name is not UTF-8; kept here with backslash escapes), `compression` (its batch is corrupt or
    of an unknown codec; key, value and headers are lost).
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """One record to be sent to an explicit partition (see `shared.contracts.topics` for which)."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
