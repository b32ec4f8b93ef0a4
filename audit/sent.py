"""What registration and dedup sent, held against the fold."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audit.claims import ClaimCheck
from audit.differences import first_difference
from audit.log import LogRecord, PassedOn, SeenClaim, header
from audit.look import Look, event, passed_on, place
from audit.markers import MARKER
from audit.outcomes import Source
from audit.reading import UNKNOWN_TYPE, read, source_in, told_by
from audit.records import Version
from audit.report import Check
from audit.source import Source as Reader
from shared.contracts.identity import canonical
from shared.contracts.outputs import Checked, FurtherClaims, OutputType
from shared.contracts.topics import Topic


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
    async for record in read(look, reader, Topic.ACCEPTED):
        ce_type = header(record.headers, "ce_type")
        if ce_type == MARKER.encode():
            _marker(look, Topic.ACCEPTED, record, arrived)
            continue
        told = told_by(record) if ce_type == OutputType.ACCEPTED.encode() else None
        source = source_in(told)
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
    async for record in read(look, reader, Topic.CHECKED):
        ce_type = header(record.headers, "ce_type")
        if ce_type == MARKER.encode():
            _marker(look, Topic.CHECKED, record, arrived)
            continue
        further = ce_type == OutputType.CLAIMS.encode()
        known = further or ce_type == OutputType.CHECKED.encode()
        told = told_by(record) if known else None
        source = source_in(told)
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
