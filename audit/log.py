"""The log of a register: what lies on its two input topics, as the broker keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.contracts.outputs import Claim

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record. `timestamp` is in milliseconds since 1970, the broker's own if `append_time`.

    Bytes of a header's name that are not UTF-8 are surrogate escapes. `fault` is None, or what a reader could
    not read: `headers`, or `undecodable_batch`, where the record stands for a run of offsets up to and with
    `last_offset`. `unread_bytes` are those of headers that are not told, of a run its size on the wire.
    """

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    fault: str | None = None
    last_offset: int | None = None
    append_time: bool = True
    unread_bytes: int = 0

    @property
    def end(self) -> int:
        """The offset after it."""
        return (self.offset if self.last_offset is None else self.last_offset) + 1


@dataclass(frozen=True, slots=True)
class Log:
    """Both topics, each partition in the order of its offsets, and the number of event partitions.

    `founding` is the SHA-256 in hex of the officers' file that creates the register.
    """

    register: str
    founding: str
    partitions: int
    events: Sequence[LogRecord]
    commands: Sequence[LogRecord]


@dataclass(frozen=True, slots=True)
class SeenClaim:
    """A claim as it lay on `registration.checked.v1`: of a version of one registration with another."""

    registration_id: str
    digest: str
    claim: Claim

    @property
    def pair(self) -> "Pair":
        """The two versions, that of the smaller registration id first."""
        one = (self.registration_id, self.digest)
        other = (self.claim.other.registration_id, self.claim.other.digest)
        return min(one, other), max(one, other)


VersionId = tuple[str, str]
"""A registration's id and the digest of one of its versions."""

Pair = tuple[VersionId, VersionId]
"""Two versions of two registrations, that of the smaller id first."""


@dataclass(frozen=True, slots=True)
class PassedOn:
    """Of a marker all that stays the same when it is passed on."""

    ce_id: bytes | None
    officer: bytes | None
    signature: bytes | None
    value: bytes | None


def header(headers: Headers, name: str) -> bytes | None:
    """The last header of that name, None where there is none."""
    return dict(headers).get(name)
