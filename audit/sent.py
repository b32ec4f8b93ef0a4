"""What registration and dedup sent, held against the fold."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from audit.claims import ClaimCheck
from audit.differences import first_difference
from audit.letters import is_letter, source_of
from audit.log import LogRecord, PassedOn, SeenClaim, header
from audit.look import Look, event, passed_on, place
from audit.markers import MARKER
from audit.outcomes import Source
from audit.records import Version
from audit.report import Check
from audit.source import Source as Reader
from audit.source import Span, Spans
from shared.contracts.identity import canonical
from shared.contracts.outputs import Checked, FurtherClaims, OutputType
from shared.contracts.topics import Topic, partition_for

UNKNOWN_TYPE = "of a type that no service writes there"


@dataclass(slots=True)
class Arrived:
    """Where each version and marker lies first on a topic, and the broker's time of each version."""

    versions: dict[Source, int] = field(default_factory=dict)
    times: dict[Source, int] = field(default_factory=dict)
    markers: dict[tuple[int, PassedOn], int] = field(default_factory=dict)


async def check_accepted(look: Look, reader: Reader) -> Arrived:
    """`registration.accepted.v1`: answers where everything lies."""
    arrived = Arrived()
    effects: dict[bytes, Source] = {}
    async for record in _read(look, reader, Topic.ACCEPTED):
        ce_type = header(record.headers, "ce_type")
        if ce_type == MARKER.encode():
            _marker(look, Topic.ACCEPTED, record, arrived)
            continue
        told = _told(record) if ce_type == OutputType.ACCEPTED.encode() else None
        source = _source(told)
        if told is None or source is None:
            look.foreign(Topic.ACCEPTED, record, UNKNOWN_TYPE if told is None else "it names no event")
            continue
        _one_effect(look, record, told, source, effects)
        version = _compare(look, "accepted", Topic.ACCEPTED, record, source, record.value or b"")
        if version is not None:
            arrived.versions.setdefault(source, record.offset)
            arrived.times.setdefault(source, record.timestamp)
    for source in look.versions.keys() - arrived.versions.keys():
        look.report.miss("accepted", event(source), "never sent", due=look.due(source))
    _markers(look, Topic.ACCEPTED, arrived, lambda source, _marker: look.due(source))
    return arrived


async def check_checked(look: Look, reader: Reader, accepted: Arrived) -> list[SeenClaim]:
    """`registration.checked.v1`: answers the claims, each once."""
    arrived = Arrived()
    claims = ClaimCheck(look.judged, look.history)
    async for record in _read(look, reader, Topic.CHECKED):
        ce_type = header(record.headers, "ce_type")
        if ce_type == MARKER.encode():
            _marker(look, Topic.CHECKED, record, arrived)
            continue
        further = ce_type == OutputType.CLAIMS.encode()
        known = further or ce_type == OutputType.CHECKED.encode()
        told = _told(record) if known else None
        source = _source(told)
        if told is None or source is None:
            look.foreign(Topic.CHECKED, record, UNKNOWN_TYPE if told is None else "it names no event")
            continue
        _claims(look, record, told, claims, further=further)
        if further:
            continue
        rest = canonical({name: value for name, value in told.items() if name != "claims"})
        if _compare(look, "checked", Topic.CHECKED, record, source, rest) is not None:
            arrived.versions.setdefault(source, record.offset)

    def due(source: Source, at: int | None) -> bool:
        return at is not None and at < look.settled.sent("dedup", source[0])

    for source in look.versions.keys() - arrived.versions.keys():
        lies_at = accepted.versions.get(source)
        look.report.miss("checked", event(source), "never sent", due=due(source, lies_at))
    _markers(
        look,
        Topic.CHECKED,
        arrived,
        lambda source, marker: due(source, accepted.markers.get((source[0], marker))),
    )
    return claims.seen


async def check_rejected(look: Look, reader: Reader) -> None:
    """`registration.rejected.v1`, as far as it is kept."""
    seen: set[Source] = set()
    oldest: dict[int, int] = {}  # time of the first record that is left, of partitions that were cut
    async for record in _read(look, reader, Topic.REJECTED):
        if look.spans[Topic.REJECTED][record.partition].begin > 0:
            oldest.setdefault(record.partition, record.timestamp)
        told = _told(record) if header(record.headers, "ce_type") == OutputType.REJECTED.encode() else None
        source = _source(told)
        if told is None or source is None:
            look.foreign(Topic.REJECTED, record, UNKNOWN_TYPE if told is None else "it names no event")
            continue
        look.report.look("rejected")
        expected = look.judged.rejected.get(source)
        where = place(Topic.REJECTED, record)
        if expected is None:
            look.report.break_("rejected", where, f"{event(source)}: sent, and should not be")
            continue
        seen.add(source)
        bytes_ = canonical(expected)
        if record.value != bytes_:
            path = first_difference(bytes_, record.value or b"")
            look.report.break_("rejected", where, f"{event(source)}: differs at {path}")
        elif (record.key, record.partition) != _home(look, source, expected):
            look.report.break_("rejected", where, f"{event(source)}: under another key or partition")
    for source in look.judged.rejected.keys() - seen:
        _, partition = _home(look, source, look.judged.rejected[source])
        cut = look.spans[Topic.REJECTED].get(partition)
        if cut is not None and cut.begin > 0:
            look.report.counts["rejected_no_longer_kept"] = (
                look.report.counts.get("rejected_no_longer_kept", 0) + 1
            )
        else:
            look.report.miss("rejected", event(source), "never sent", due=look.due(source))


def _home(look: Look, source: Source, rejected: Mapping[str, Any]) -> tuple[bytes | None, int]:
    """Key and partition of a rejection."""
    if rejected["registration_id"] is None:
        return None, source[0]
    key = str(rejected["registration_id"]).encode()
    return key, partition_for(key, look.partitions)


async def check_dead_letters(look: Look, reader: Reader) -> None:
    """`registration.events.v1.dlq`; what operators dropped from its beginning is counted."""
    seen: set[Source] = set()
    first_left: dict[int, int] = {}
    async for record in _read(look, reader, Topic.DEAD_LETTERS):
        source = source_of(record, Topic.EVENTS)
        if source is None:
            look.foreign(Topic.DEAD_LETTERS, record, "no dead letter of an event")
            continue
        look.report.look("dead_letters")
        expected, where = look.judged.dead.get(source), place(Topic.DEAD_LETTERS, record)
        if expected is None:
            look.report.break_("dead_letters", where, f"{event(source)} is no dead letter")
            continue
        seen.add(source)
        first_left[source[0]] = min(source[1], first_left.get(source[0], source[1]))
        if record.partition != source[0] or not is_letter(record, expected):
            look.report.break_("dead_letters", where, f"{event(source)}: it says something else")
    for source in look.judged.dead.keys() - seen:
        span = look.spans[Topic.DEAD_LETTERS].get(source[0])
        if span is not None and span.begin > 0 and source[1] < first_left.get(source[0], source[1] + 1):
            dropped = look.report.counts.get("dead_letters_dropped", 0)
            look.report.counts["dead_letters_dropped"] = dropped + 1
        else:
            look.report.miss("dead_letters", event(source), "no dead letter", due=look.due(source))


async def check_receipts(look: Look, reader: Reader, owed: frozenset[str] | None) -> None:
    """`registration.receipts.v1`; `owed` are the batches whose receipt is yet to be sent, None if unknown."""
    last = await _last_receipts(look, reader, look.spans[Topic.RECEIPTS])
    settled = owed is not None and look.settled.all_sent("registration", look.spans[Topic.EVENTS])
    wanted = {key: canonical(receipt) for key, receipt in look.judged.receipts.items()}
    if settled and any(last.get(key, ("", b""))[1] != value for key, value in wanted.items()):
        # What was sent since the ends were taken is not owed any more; and what was sent after the log went
        # on says more than is known here.
        spans = await reader.spans(Topic.RECEIPTS)
        settled = await reader.spans(Topic.EVENTS) == look.spans[Topic.EVENTS]
        if settled:
            ends = {number: span.end for number, span in look.spans[Topic.RECEIPTS].items()}
            since = {number: Span(ends[number], span.end) for number, span in spans.items()}
            last |= await _last_receipts(look, reader, since)
    for key, value in wanted.items():
        look.report.look("receipts")
        where, told = last.get(key, ("", b""))
        due = settled and owed is not None and key not in owed
        if not where:
            look.report.miss("receipts", f"batch {key}", "never sent", due=due)
        elif told != value:
            path = first_difference(value, told)
            look.report.miss("receipts", where, f"batch {key}: the last one differs at {path}", due=due)


async def _last_receipts(look: Look, reader: Reader, spans: Spans) -> dict[str, tuple[str, bytes]]:
    """Of each batch the last receipt that lies there, and where."""
    last: dict[str, tuple[str, bytes]] = {}
    async for record in _read(look, reader, Topic.RECEIPTS, spans):
        key = (record.key or b"").decode("utf-8", "replace")
        if header(record.headers, "ce_type") != OutputType.RECEIPT.encode():
            look.foreign(Topic.RECEIPTS, record, UNKNOWN_TYPE)
        elif key not in look.judged.receipts or record.partition != partition_for(
            key.encode(), look.partitions
        ):
            look.report.break_("receipts", place(Topic.RECEIPTS, record), "of no batch that was closed")
        else:
            last[key] = place(Topic.RECEIPTS, record), record.value or b""
    return last


async def _read(
    look: Look, reader: Reader, topic: Topic, spans: Spans | None = None
) -> AsyncIterator[LogRecord]:
    """Every record that can be read; the others are foreign: our own clients write none."""
    async for record in reader.records(topic, look.spans[topic] if spans is None else spans):
        if record.fault is None or (topic == Topic.DEAD_LETTERS and record.fault == "headers"):
            yield record
        else:
            look.foreign(topic, record, f"it cannot be read ({record.fault})")


def _told(record: LogRecord) -> dict[str, Any] | None:
    try:
        told = json.loads(record.value or b"")
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _source(told: Mapping[str, Any] | None) -> Source | None:
    source = (told or {}).get("source")
    if not isinstance(source, dict):
        return None
    partition, offset = source.get("partition"), source.get("offset")
    return (partition, offset) if type(partition) is int and type(offset) is int else None


def _compare(
    look: Look, check: Check, topic: Topic, record: LogRecord, source: Source, value: bytes
) -> Version | None:
    """The version that a record tells of, None if there is none."""
    look.report.look(check)
    version, where = look.versions.get(source), place(topic, record)
    if version is None:
        look.report.break_(check, where, f"{event(source)}: sent, and should not be")
        return None
    if value != version.sent:
        path = first_difference(version.sent, value)
        look.report.break_(check, where, f"{event(source)}: differs at {path}")
    elif record.partition != source[0] or record.key != version.record.registration_id.encode():
        look.report.break_(check, where, f"{event(source)}: under another key or partition")
    return version


def _one_effect(
    look: Look, record: LogRecord, told: Mapping[str, Any], source: Source, effects: dict[bytes, Source]
) -> None:
    names = [str(told.get(name)) for name in ("registration_id", "event_source", "event_id")]
    key = hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).digest()[:16]
    look.report.look("one_effect")
    if effects.setdefault(key, source) != source:
        where = place(Topic.ACCEPTED, record)
        look.report.break_("one_effect", where, f"{event(source)} is {event(effects[key])} once more")


def _marker(look: Look, topic: Topic, record: LogRecord, arrived: Arrived) -> None:
    look.report.look("markers")
    marker = passed_on(record)
    if any(marker == each for _, each in look.markers.get(record.partition, ())):
        arrived.markers.setdefault((record.partition, marker), record.offset)
    else:
        look.report.break_("markers", place(topic, record), "a marker that no service passes on")


def _markers(look: Look, topic: Topic, arrived: Arrived, due: Any) -> None:
    """Each marker is there, in its order, and after all that came before it."""
    for partition, markers in look.markers.items():
        last = -1
        for source, marker in markers:
            at = arrived.markers.get((partition, marker))
            where = f"{topic.value}/{partition}"
            if at is None:
                look.report.miss(
                    "markers", where, f"the marker of {event(source)} is missing", due=due(source, marker)
                )
                continue
            if at < last:
                look.report.break_("markers", f"{where}/{at}", "it comes before that of an earlier epoch")
            last = max(last, at)
    _barrier(look, topic, arrived)


def _barrier(look: Look, topic: Topic, arrived: Arrived) -> None:
    """Nothing that came before a marker was sent after it only."""
    of_partition = {
        number: [
            (source[1], at)
            for source, marker in markers
            if (at := arrived.markers.get((number, marker))) is not None
        ]
        for number, markers in look.markers.items()
    }
    for source, offset in arrived.versions.items():
        for marker_source, at in of_partition[source[0]]:
            if source[1] < marker_source and offset > at:
                where = f"{topic.value}/{source[0]}/{offset}"
                look.report.break_("markers", where, f"{event(source)} comes after a later marker")


def _claims(
    look: Look, record: LogRecord, told: Mapping[str, Any], claims: ClaimCheck, *, further: bool
) -> None:
    """The claims of a checked record, or those that it had no room for."""
    where = place(Topic.CHECKED, record)
    try:
        parsed = (FurtherClaims if further else Checked).model_validate(told)
    except ValueError:
        look.report.break_("claims", where, "it has not the shape of the contract")
        return
    for claim in parsed.claims:
        look.report.look("claims")
        for fault in claims.take(SeenClaim(parsed.registration_id, parsed.digest, claim)):
            look.report.break_("claims", where, fault)
