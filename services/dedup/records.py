"""Reads accepted records and writes checked ones. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from matching.version import Version, version_of
from services.dedup.claims import NamedClaim, written
from shared.commands.markers import is_marker
from shared.contracts.cloudevents import encode, header
from shared.contracts.identity import canonical
from shared.contracts.outputs import MOST_CLAIMS, Accepted, OutputType
from shared.contracts.timestamps import milliseconds
from shared.contracts.topics import Topic
from shared.process.errors import UnreadableRecord
from shared.runtime.record import Output, Record


@dataclass(frozen=True, slots=True)
class AcceptedRecord:
    """What dedup needs of an accepted record; `version` and `commune` are None for a removal.

    `offset` is that of its event; `event_time` the broker's time stamp of the event, in ms since 1970.
    """

    registration_id: str
    offset: int
    epoch: int
    digest: str
    event_time: int
    version: Version | None
    commune: str | None = None
    removal_reason: str | None = None


@dataclass(frozen=True, slots=True)
class MarkerRecord:
    """A record that says that an epoch ends in this partition; whether it does, the commands say."""


@dataclass(frozen=True, slots=True)
class SkippedRecord:
    """A record that cannot be read and that two officers decided to pass over."""


def read(record: Record) -> AcceptedRecord | MarkerRecord:
    """Read a record of `registration.accepted.v1`.

    Raises UnreadableRecord: it is our own topic, and a skipped record would make an epoch falsely complete.
    """
    try:
        if is_marker(record):
            return MarkerRecord()
        if record.fault is not None or record.value is None:
            raise ValueError(record.fault)
        accepted = Accepted.model_validate_json(record.value)
        event_time = header(record.headers, "ce_time")
        return AcceptedRecord(
            registration_id=accepted.registration_id,
            offset=accepted.source.offset,
            epoch=accepted.epoch,
            digest=accepted.digest,
            event_time=milliseconds(event_time.decode()) if event_time else record.timestamp,
            version=_version(accepted),
            commune=accepted.residence.commune if accepted.residence else None,
            removal_reason=accepted.removal_reason,
        )
    except (ValueError, ValidationError):
        raise UnreadableRecord(record.place, "no accepted record") from None


def checked_outputs(
    record: Record, accepted: AcceptedRecord, claims: Iterable[NamedClaim], model: str
) -> Iterator[Output]:
    """The accepted record with its claims and records for those beyond 500, for the same partition number.

    `model` is the model's SHA-256. Claims are cut in the order of their ids.
    """
    if record.value is None:
        raise ValueError("a record that was read has a value")
    ordered = sorted(claims, key=lambda each: each.id)
    # The accepted bytes are passed on as they are: parsing and writing them anew costs 60 µs a record.
    value = record.value[:-1] + b',"claims":' + written(ordered[:MOST_CLAIMS], model) + b"}"
    event_id = (header(record.headers, "ce_id") or b"").decode()
    yield _output(record, value, event_id, OutputType.CHECKED)
    ids = {"registration_id": accepted.registration_id, "digest": accepted.digest}
    source = {"source": {"partition": record.partition, "offset": accepted.offset}}
    for number, start in enumerate(range(MOST_CLAIMS, len(ordered), MOST_CLAIMS), start=1):
        further = written(ordered[start : start + MOST_CLAIMS], model)
        value = b'{"claims":' + further + b"," + canonical({**ids, **source})[1:]
        yield _output(record, value, f"claims/{number}/{event_id}", OutputType.CLAIMS)


def _output(record: Record, value: bytes, event_id: str, output_type: OutputType) -> Output:
    source = (header(record.headers, "ce_source") or b"").decode().replace("/registration/", "/dedup/")
    time = header(record.headers, "ce_time")
    return Output(
        topic=Topic.CHECKED.value,
        partition=record.partition,
        key=record.key,
        value=value,
        headers=(*encode(source, event_id, output_type), *((("ce_time", time),) if time else ())),
    )


def _version(accepted: Accepted) -> Version | None:
    if accepted.voter is None or accepted.residence is None:
        return None
    return version_of(
        registration_id=accepted.registration_id,
        digest=accepted.digest,
        epoch=accepted.epoch,
        normalised=accepted.voter.normalised.model_dump(),
        residence=accepted.residence.model_dump(),
        capture=accepted.capture.model_dump(),
    )
