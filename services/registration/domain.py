"""What becomes of an event: decided by the log before it alone, never by when it is read. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.registration import birth_dates
from services.registration.accepted import accepted_record
from services.registration.authority import Sender, authorised, voter_hash
from services.registration.history import Close, Status, Version, before, with_id
from services.registration.intake import Incoming
from shared.contracts import events
from shared.contracts.events import BatchClosed, EventType, Registration, Removal
from shared.contracts.fields import FieldError
from shared.contracts.identity import data_hash, digest
from shared.contracts.outputs import MOST_ERRORS
from shared.contracts.outputs import RejectionReason as Reason
from shared.contracts.topics import partition_for
from shared.reference.devices import Devices
from shared.reference.files import Gazetteer, Place, Stations

MOST_VERSIONS = 200
"""Versions of a registration after which only a removal is taken, and closes of a batch."""
LARGEST_JUMP = 1_000
"""Largest step of a revision."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What an epoch's events are judged by; without `devices` anybody may send anything."""

    gazetteer: Gazetteer
    stations: Stations
    devices: Devices | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A new version, and the accepted record of the contract."""

    version: Version
    record: dict[str, Any]
    voter: dict[str, Any] | None
    village_code: str | None


@dataclass(frozen=True, slots=True)
class Closed:
    """A batch is closed."""

    close: Close


@dataclass(frozen=True, slots=True)
class Ignored:
    """The same event was accepted before."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Decodable but wrong. `errors` are the first MOST_ERRORS of `errors_total` distinct ones."""

    reason: Reason
    errors: tuple[FieldError, ...]
    errors_total: int


Judgement = Accepted | Closed | Ignored | Rejected


class _Refusal(Exception):
    """The first reason that applies; never leaves this module."""

    def __init__(self, reason: Reason, path: str = "", errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.errors: tuple[FieldError, ...] = errors or ({"path": path, "rule": reason.value},)


def judge(
    incoming: Incoming,
    versions: Sequence[Version],
    closes: Sequence[Close],
    sender: Sender,
    epoch: int,
    reference: Reference,
    partitions: int,
) -> Judgement:
    """What becomes of an event that is no marker.

    `versions` is the history of its registration and `closes`, for a `batch-closed`, that of its batch, in
    order of offset; what lies at or above the event's own offset is not looked at. `sender` is who sent it,
    by the devices of `reference`, and `epoch` the offset's.
    """
    history = before(versions, incoming.offset)
    event = incoming.event
    try:
        _belongs_here(incoming, partitions)
        closed = before(closes, incoming.offset)
        known: Version | Close | None
        if incoming.closes_batch:
            known = with_id(closed, event.source, event.id)
        else:
            known = with_id(history, event.source, event.id)
        if known is not None:
            return _resent(known, incoming)
        data = _parse(incoming)
        _check_jump(data, history)
        if not authorised(sender, incoming, data, history, epoch):
            raise _Refusal(Reason.NOT_AUTHORISED)
        if isinstance(data, BatchClosed):
            if len(closed) >= MOST_VERSIONS:
                raise _Refusal(Reason.TOO_MANY_VERSIONS)
            return Closed(_close(incoming, data))
        return _version(incoming, data, history, epoch, reference)
    except _Refusal as refusal:
        return Rejected(refusal.reason, refusal.errors[:MOST_ERRORS], len(refusal.errors))


def _belongs_here(incoming: Incoming, partitions: int) -> None:
    key, subject = incoming.key, incoming.subject
    # Data that do not say whose they are contradict no key; they are invalid a few lines on.
    if key is None or (subject is not None and key != subject.encode()):
        raise _Refusal(Reason.KEY_MISMATCH)
    if partition_for(key, partitions) != incoming.partition:
        raise _Refusal(Reason.WRONG_PARTITION)


def _hash(incoming: Incoming) -> str:
    found = data_hash(incoming.event.type, incoming.event.data)
    if found is None:
        raise AssertionError("data that passed the contract have a canonical form")
    return found


def _resent(known: Version | Close, incoming: Incoming) -> Ignored:
    if known.data_sha256 != data_hash(incoming.event.type, incoming.event.data):
        raise _Refusal(Reason.ID_REUSED)
    return Ignored()


def _parse(incoming: Incoming) -> events.EventData:
    event = incoming.event
    if event.type not in events.MODELS:
        raise _Refusal(Reason.UNKNOWN_TYPE)
    try:
        return events.parse(event.type, event.data)
    except events.InvalidData as invalid:
        raise _Refusal(Reason.INVALID, errors=tuple(invalid.errors)) from None


def _close(incoming: Incoming, data: BatchClosed) -> Close:
    return Close(
        event_source=incoming.event.source,
        event_id=incoming.event.id,
        data_sha256=_hash(incoming),
        partition=incoming.partition,
        offset=incoming.offset,
        office=data.office,
        first_sequence=data.first_sequence,
        last_sequence=data.last_sequence,
        count=data.count,
        closed_at=data.closed_at,
    )


def _version(
    incoming: Incoming,
    data: Registration | Removal,
    history: Sequence[Version],
    epoch: int,
    reference: Reference,
) -> Accepted:
    event = incoming.event
    last = history[-1] if history else None
    _check_against_history(event.type, data, history)
    place: Place | None = None
    status: Status
    if isinstance(data, Registration):
        place = _check_facts(data, reference)
        voter, residence = event.data["voter"], event.data["residence"]
        version_digest, status = digest(voter, residence), "active"
        commune, voter_sha256 = place.commune, voter_hash(voter)
    else:
        if last is None:
            raise AssertionError("a removal without a history was refused before")
        voter, version_digest, status = None, last.digest, "removed"
        commune, voter_sha256 = last.commune, last.voter_sha256
    version = Version(
        event_source=event.source,
        event_id=event.id,
        data_sha256=_hash(incoming),
        partition=incoming.partition,
        offset=incoming.offset,
        timestamp=incoming.timestamp,
        type=event.type,
        revision=data.revision,
        status=status,
        digest=version_digest,
        commune=commune,
        voter_sha256=voter_sha256,
        epoch=epoch,
    )
    first = history[0] if history else version
    record = accepted_record(version, event.data, place, first.timestamp)
    village_code = data.residence.village_code if isinstance(data, Registration) else None
    return Accepted(version, record, voter, village_code)


def _check_jump(data: events.EventData, history: Sequence[Version]) -> None:
    if history and not isinstance(data, BatchClosed) and data.revision - history[-1].revision > LARGEST_JUMP:
        raise _Refusal(Reason.INVALID, errors=({"path": "revision", "rule": "jump"},))


def _check_against_history(event_type: str, data: Registration | Removal, history: Sequence[Version]) -> None:
    last = history[-1] if history else None
    if len(history) >= MOST_VERSIONS and event_type != EventType.REMOVED:
        raise _Refusal(Reason.TOO_MANY_VERSIONS)
    if last is None:
        if event_type != EventType.REGISTERED:
            raise _Refusal(Reason.UNKNOWN_REGISTRATION, "registration_id")
        return
    expected: Status = "removed" if event_type == EventType.REINSTATED else "active"
    if event_type == EventType.REGISTERED or last.status != expected:
        raise _Refusal(Reason.STATE)
    if data.revision <= last.revision:
        raise _Refusal(Reason.STALE_REVISION, "revision")


def _check_facts(data: Registration, reference: Reference) -> Place:
    place = reference.gazetteer.resolve(data.residence.village_code)
    if place is None:
        raise _Refusal(Reason.UNKNOWN_PLACE, "residence.village_code")
    if data.polling_station is not None:
        station = reference.stations.by_code.get(data.polling_station)
        if station is None or station.commune != place.commune:
            raise _Refusal(Reason.UNKNOWN_STATION, "polling_station")
    voter = data.voter
    if not birth_dates.plausible(
        voter.date_of_birth, voter.date_of_birth_precision, data.capture.captured_at
    ):
        raise _Refusal(Reason.IMPLAUSIBLE_BIRTH_DATE, "voter.date_of_birth")
    return place
