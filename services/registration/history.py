"""What is kept of every accepted event: enough to judge any event again from those before it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, TypeVar

Status = Literal["active", "removed"]


@dataclass(frozen=True, slots=True)
class Version:
    """One accepted event of a registration. `timestamp` is the broker's, in milliseconds since 1970.

    `commune` is that of the residence and `voter_sha256` says who the voter is, in a removal those of the
    version before: what later events may do depends on them.
    """

    event_source: str
    event_id: str
    data_sha256: str
    partition: int
    offset: int
    timestamp: int
    type: str
    revision: int
    status: Status
    digest: str
    commune: str
    voter_sha256: str
    epoch: int

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {name: getattr(self, name) for name in _VERSION_FIELDS}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """As it was stored."""
        return cls(**{name: document[name] for name in _VERSION_FIELDS})


@dataclass(frozen=True, slots=True)
class Close:
    """One accepted `batch-closed`."""

    event_source: str
    event_id: str
    data_sha256: str
    partition: int
    offset: int
    office: str
    first_sequence: int
    last_sequence: int
    count: int
    closed_at: str

    @property
    def sequences(self) -> range:
        """The sequences that the batch has, as the close says."""
        return range(self.first_sequence, self.last_sequence + 1)

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """As it was stored."""
        return cls(**document)


_VERSION_FIELDS = tuple(field.name for field in fields(Version))

_Entry = TypeVar("_Entry", Version, Close)


def before(entries: Sequence[_Entry], offset: int) -> Sequence[_Entry]:
    """The entries below `offset`; `entries` are in order of offset, all of one partition."""
    if not entries or entries[-1].offset < offset:
        return entries
    return [entry for entry in entries if entry.offset < offset]


def with_id(entries: Sequence[_Entry], source: str, event_id: str) -> _Entry | None:
    """The entry that came of this event, if there is one."""
    for entry in entries:
        if entry.event_id == event_id and entry.event_source == source:
            return entry
    return None
