"""The log of a register: what lies on its two input topics, as the broker keeps it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.contracts.outputs import Claim

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record. `timestamp` is the broker's, in milliseconds since 1970.

    `fault` is None, or says what a client library could not read of it (see `cloudevents.decode`).
    """

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """Both topics, each partition in the order of its offsets, and the number of event partitions."""

    register: str
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
class Topics:
    """What the services wrote, by key, to be compared with a result.

    `accepted` and `rejected` by (partition, offset) of the source, each with every version that was sent;
    `receipts`, `lists` and `manifests` by message key, the last one sent.
    """

    accepted: Mapping[tuple[int, int], Sequence[bytes]] = field(default_factory=dict)
    rejected: Mapping[tuple[int, int], Sequence[bytes]] = field(default_factory=dict)
    receipts: Mapping[str, bytes] = field(default_factory=dict)
    lists: Mapping[str, bytes] = field(default_factory=dict)
    manifests: Mapping[str, bytes] = field(default_factory=dict)
