"""What became of every event: one outcome an offset, judged in the contract's order of reasons."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from audit import authority, decoding, files
from audit.ages import birthday, possible_days
from audit.authority import Devices
from audit.decoding import Event
from audit.files import Device
from audit.history import CommandHistory
from audit.letters import Letter, letter_of
from audit.log import Log, LogRecord
from audit.markers import MARKER, valid_marker
from audit.receipts import Batches, receipts
from audit.records import Rejection, Version, accepted, rejected
from shared.contracts import events, identity
from shared.contracts.events import EventType
from shared.contracts.topics import partition_for

MOST_VERSIONS = 200
LARGEST_JUMP = 1000
Source = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an offset; `reason` of a rejection or a dead letter.

    Of an undecodable batch it is that of the run of offsets up to and with `last_offset`.
    """

    outcome: str
    reason: str | None = None
    event_source: str | None = None
    event_id: str | None = None
    last_offset: int | None = None


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
    """The fold over the events.

    `marked` is the highest epoch whose marker each partition has; `passed_on` the markers that ended an
    epoch, by their offsets; `batches` what arrived of each.
    """

    outcomes: dict[Source, Outcome] = field(default_factory=dict)
    registrations: dict[str, list[Version]] = field(default_factory=lambda: defaultdict(list))
    closes: dict[tuple[str, str], list[Close]] = field(default_factory=lambda: defaultdict(list))
    rejected: dict[Source, dict[str, Any]] = field(default_factory=dict)
    batches: Batches = field(default_factory=Batches)
    dead: dict[Source, Letter] = field(default_factory=dict)
    marked: dict[int, int] = field(default_factory=dict)
    passed_on: dict[Source, LogRecord] = field(default_factory=dict)

    @property
    def receipts(self) -> dict[str, dict[str, Any]]:
        """The last receipt of each closed batch, by message key."""
        return receipts({batch: closes[-1].data for batch, closes in self.closes.items()}, self.batches)


class Resend(Exception):
    """An event that was accepted before."""


def judge(log: Log, history: CommandHistory) -> Judged:
    """Judge every event."""
    judged = begin(log.partitions)
    for record in sorted(log.events, key=lambda record: (record.partition, record.offset)):
        judge_next(judged, history, record)
    return judged


def begin(partitions: int) -> Judged:
    """Before any event."""
    return Judged(marked=dict.fromkeys(range(partitions), 0))


def judge_next(judged: Judged, history: CommandHistory, record: LogRecord) -> None:
    """Judge an event after all before it in its partition.

    Nothing runs before the first of each kind of reference data was adopted.
    """
    if history.has_all_kinds():
        judged.outcomes[record.partition, record.offset] = _outcome(history, judged, record)


def _outcome(history: CommandHistory, judged: Judged, record: LogRecord) -> Outcome:
    try:
        event = decoding.decode(record)
    except decoding.Dead as dead:
        judged.dead[record.partition, record.offset] = letter_of(record, str(dead))
        return Outcome("dead_lettered", str(dead), last_offset=record.last_offset)
    if event.type == MARKER:
        return Outcome(_mark(history, judged, record, event), None, event.source, event.id)
    epoch = judged.marked[record.partition] + 1
    outcome, reason = "accepted", None
    devices = _devices(history, epoch)
    signer = None if devices is None else authority.signer(history.register, devices, record, event)
    try:
        _take_in(history, judged, record, event, epoch, signer, by_devices=devices is not None)
    except Resend:
        outcome = "ignored"
    except Rejection as rejection:
        outcome, reason = "rejected", rejection.reason
        judged.rejected[record.partition, record.offset] = rejected(record, event, rejection)
    if devices is None or signer is not None:
        judged.batches.arrived(history.register, event, outcome)
    return Outcome(outcome, reason, event.source, event.id)


def _mark(history: CommandHistory, judged: Judged, record: LogRecord, event: Event) -> str:
    epoch = valid_marker(record, event, history)
    if epoch is None:
        return "void_marker"
    if epoch > judged.marked[record.partition]:
        judged.marked[record.partition] = epoch
        judged.passed_on[record.partition, record.offset] = record
    return "marker"


def _devices(history: CommandHistory, epoch: int) -> Devices | None:
    """The devices of an epoch, None where anyone may send anything."""
    raw = history.of_epoch("devices", epoch)
    return None if raw is None else files.devices(raw)


def _take_in(
    history: CommandHistory,
    judged: Judged,
    record: LogRecord,
    event: Event,
    epoch: int,
    signer: Device | None,
    *,
    by_devices: bool,
) -> None:
    """Accept the event. Raises Resend, or Rejection with the first reason that applies.

    `by_devices`: devices are in force, and `signer` is the one that signed.
    """
    data = event.data if isinstance(event.data, dict) else {}
    named = data.get("device" if event.type == EventType.BATCH_CLOSED else "registration_id")
    if record.key is None or (isinstance(named, str) and named.encode() != record.key):
        raise Rejection("key_mismatch")
    if partition_for(record.key, len(judged.marked)) != record.partition:
        raise Rejection("wrong_partition")
    event_hash = identity.data_hash(event.type, event.data)
    closes = judged.closes.get((str(data.get("device")), str(data.get("batch"))), [])
    versions = judged.registrations.get(named, []) if isinstance(named, str) else []
    if event.type == EventType.BATCH_CLOSED:
        known = [(each.event.source, each.event.id, each.event_hash) for each in closes]
    else:
        known = [(each.record.event_source, each.record.event_id, each.event_hash) for each in versions]
    for source, ce_id, its_hash in known:
        if (source, ce_id) == (event.source, event.id):
            raise Resend if event_hash is not None and its_hash == event_hash else Rejection("id_reused")
    parsed = _parsed(event)
    if not isinstance(parsed, events.BatchClosed):
        _check_revision(parsed, versions)
    if by_devices and (
        signer is None
        or (
            not isinstance(parsed, events.BatchClosed)
            and not authority.may(signer, event, parsed, versions, epoch)
        )
    ):
        raise Rejection("not_authorised")
    if isinstance(parsed, events.BatchClosed):
        if len(closes) >= MOST_VERSIONS:
            raise Rejection("too_many_versions")
        close = Close(record.partition, record.offset, event, event_hash, parsed)
        judged.closes[parsed.device, parsed.batch].append(close)
        return
    _check_history(event.type, parsed, versions)
    if isinstance(parsed, events.Registration):
        _check_places(parsed, history, epoch)
        _check_birth_date(parsed.voter, parsed.capture)
    version = accepted(record, event, event_hash, parsed, versions, epoch)
    judged.registrations[parsed.registration_id].append(version)


def _parsed(event: Event) -> events.EventData:
    if event.type not in events.MODELS:
        raise Rejection("unknown_type")
    try:
        return events.parse(event.type, event.data)
    except events.InvalidData as invalid:
        errors = [(error["path"], error["rule"]) for error in invalid.errors]
        raise Rejection("invalid", errors=errors) from None


def _check_revision(parsed: events.Registration | events.Removal, versions: list[Version]) -> None:
    if versions and parsed.revision > versions[-1].record.revision + LARGEST_JUMP:
        raise Rejection("invalid", errors=[("revision", "jump")])


def _check_history(
    event_type: str, parsed: events.Registration | events.Removal, versions: list[Version]
) -> None:
    last = versions[-1].record if versions else None
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
    if place not in files.place_codes(history.file_of_epoch("gazetteer", epoch)):
        raise Rejection("unknown_place", "residence.village_code")
    if parsed.polling_station is not None:
        station = files.stations(history.file_of_epoch("stations", epoch)).get(parsed.polling_station)
        if station is None or station.commune != place[:6]:
            raise Rejection("unknown_station", "polling_station")


def _check_birth_date(voter: events.Voter, capture: events.Capture) -> None:
    captured = date.fromisoformat(capture.captured_at[:10])
    if not any(
        birthday(day, 15) <= captured and (day.year + 120 > 9999 or captured <= birthday(day, 120))
        for day in possible_days(voter)
    ):
        raise Rejection("implausible_birth_date", "voter.date_of_birth")
