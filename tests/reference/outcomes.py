"""What became of every event: one outcome an offset, judged in the contract's order of reasons."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date

from shared.contracts import cloudevents, events, identity, outputs
from shared.contracts.cloudevents import Event
from shared.contracts.events import EventType
from shared.contracts.topics import partition_for
from tests.reference import files
from tests.reference.ages import birthday, possible_days
from tests.reference.commands import CommandHistory
from tests.reference.identifiers import capture_of
from tests.reference.log import Log, LogRecord
from tests.reference.markers import valid_marker
from tests.reference.records import Rejection, Version, accepted, rejected

MOST_VERSIONS = 200
LARGEST_JUMP = 1000
Source = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an offset; `reason` of a rejection or a dead letter."""

    outcome: str
    reason: str | None = None
    event_source: str | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """An accepted `batch-closed`."""

    partition: int
    offset: int
    event: Event
    event_hash: str | None
    data: events.BatchClosed


@dataclass(slots=True)
class Judged:
    """The fold over the events. `marked` is the highest epoch whose marker each partition has."""

    outcomes: dict[Source, Outcome] = field(default_factory=dict)
    registrations: dict[str, list[Version]] = field(default_factory=lambda: defaultdict(list))
    closes: dict[tuple[str, str], list[Close]] = field(default_factory=lambda: defaultdict(list))
    rejected: dict[Source, outputs.Rejected] = field(default_factory=dict)
    sequences: dict[tuple[str, str], dict[int, set[str]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(set))
    )
    marked: dict[int, int] = field(default_factory=dict)


class Resend(Exception):
    """An event that was accepted before."""


def judge(log: Log, history: CommandHistory) -> Judged:
    """Judge every event. Nothing runs before each kind of reference data was adopted."""
    judged = Judged(marked=dict.fromkeys(range(log.partitions), 0))
    if history.has_all_kinds():
        for record in sorted(log.events, key=lambda record: (record.partition, record.offset)):
            judged.outcomes[record.partition, record.offset] = _outcome(log, history, judged, record)
    return judged


def _outcome(log: Log, history: CommandHistory, judged: Judged, record: LogRecord) -> Outcome:
    try:
        event = cloudevents.decode(record.value, record.headers, record.fault)
    except cloudevents.Undecodable as undecodable:
        return Outcome("dead_lettered", undecodable.reason)
    if event.type == EventType.MARKER:
        epoch = valid_marker(record, event, history)
        if epoch is None or epoch <= judged.marked[record.partition]:
            return Outcome("void_marker", None, event.source, event.id)
        judged.marked[record.partition] = epoch
        return Outcome("marker", None, event.source, event.id)
    outcome, reason = "accepted", None
    try:
        _take_in(log, history, judged, record, event)
    except Resend:
        outcome = "ignored"
    except Rejection as rejection:
        outcome, reason = "rejected", rejection.reason
        judged.rejected[record.partition, record.offset] = rejected(record, event, rejection)
    capture = capture_of(event)
    if capture is not None:
        judged.sequences[capture.device, capture.batch][capture.sequence].add(outcome)
    return Outcome(outcome, reason, event.source, event.id)


def _take_in(log: Log, history: CommandHistory, judged: Judged, record: LogRecord, event: Event) -> None:
    """Accept the event. Raises Resend, or Rejection with the first reason that applies."""
    data = event.data if isinstance(event.data, dict) else {}
    named = data.get("device" if event.type == EventType.BATCH_CLOSED else "registration_id")
    if record.key is None or (isinstance(named, str) and named.encode() != record.key):
        raise Rejection("key_mismatch")
    if partition_for(record.key, log.partitions) != record.partition:
        raise Rejection("wrong_partition")
    event_hash = identity.data_hash(event.type, event.data)
    if event.type == EventType.BATCH_CLOSED:
        _take_in_close(judged, record, event, event_hash)
        return
    versions = judged.registrations.get(named, []) if isinstance(named, str) else []
    for version in versions:
        if (version.record.event_source, version.record.event_id) == (event.source, event.id):
            if event_hash is not None and version.event_hash == event_hash:
                raise Resend
            raise Rejection("id_reused")
    parsed = _parsed(event)
    assert isinstance(parsed, events.Registration | events.Removal)
    _check_history(event.type, parsed, versions)
    epoch = judged.marked[record.partition] + 1
    if isinstance(parsed, events.Registration):
        _check_places(parsed, history, epoch)
        _check_birth_date(parsed.voter, parsed.capture)
    judged.registrations[parsed.registration_id].append(
        accepted(record, event, event_hash, parsed, versions, epoch)
    )


def _take_in_close(judged: Judged, record: LogRecord, event: Event, event_hash: str | None) -> None:
    data = event.data if isinstance(event.data, dict) else {}
    closes = judged.closes.get((str(data.get("device")), str(data.get("batch"))), [])
    for close in closes:
        if (close.event.source, close.event.id) == (event.source, event.id):
            if event_hash is not None and close.event_hash == event_hash:
                raise Resend
            raise Rejection("id_reused")
    parsed = _parsed(event)
    assert isinstance(parsed, events.BatchClosed)
    if len(closes) >= MOST_VERSIONS:
        raise Rejection("too_many_versions")
    judged.closes[parsed.device, parsed.batch].append(
        Close(record.partition, record.offset, event, event_hash, parsed)
    )


def _parsed(event: Event) -> events.EventData:
    if event.type not in events.MODELS:
        raise Rejection("unknown_type")
    try:
        return events.parse(event.type, event.data)
    except events.InvalidData as invalid:
        raise Rejection("invalid", errors=list(invalid.errors)) from None


def _check_history(
    event_type: str, parsed: events.Registration | events.Removal, versions: list[Version]
) -> None:
    last = versions[-1].record if versions else None
    if last is not None and parsed.revision > last.revision + LARGEST_JUMP:
        raise Rejection("invalid", errors=[{"path": "revision", "rule": "jump"}])
    if len(versions) >= MOST_VERSIONS and event_type != EventType.REMOVED:
        raise Rejection("too_many_versions")
    if event_type == EventType.REGISTERED:
        if last is not None:
            raise Rejection("state")
        return
    if last is None:
        raise Rejection("unknown_registration", "registration_id")
    if (last.status == "active") == (event_type == EventType.REINSTATED):
        raise Rejection("state")
    if parsed.revision <= last.revision:
        raise Rejection("stale_revision", "revision")


def _check_places(parsed: events.Registration, history: CommandHistory, epoch: int) -> None:
    place = parsed.residence.village_code
    if place not in files.place_codes(history.of_epoch("gazetteer", epoch)):
        raise Rejection("unknown_place", "residence.village_code")
    if parsed.polling_station is not None:
        station = files.stations(history.of_epoch("stations", epoch)).get(parsed.polling_station)
        if station is None or station.commune != place[:6]:
            raise Rejection("unknown_station", "polling_station")


def _check_birth_date(voter: events.Voter, capture: events.Capture) -> None:
    captured = date.fromisoformat(capture.captured_at[:10])
    if not any(
        birthday(day, 15) <= captured and (day.year + 120 > 9999 or captured <= birthday(day, 120))
        for day in possible_days(voter)
    ):
        raise Rejection("implausible_birth_date", "voter.date_of_birth")
