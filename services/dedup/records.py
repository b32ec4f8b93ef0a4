"""Reads accepted records and writes checked ones. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from matching.matcher import Claim
from matching.version import Version, version_of
from shared.commands.markers import is_marker
from shared.contracts.cloudevents import encode, header
from shared.contracts.identity import VersionId, canonical, claim_id
from shared.contracts.outputs import Accepted, OutputType
from shared.contracts.timestamps import milliseconds
from shared.contracts.topics import Topic
from shared.process.errors import StopService
from shared.runtime.record import Output, Record


@dataclass(frozen=True, slots=True)
class AcceptedRecord:
    """What matching needs of an accepted record; `version` is None for a removal.

    `offset` is that of its event; `event_time` the broker's time stamp of the event, in ms since 1970.
    """

    registration_id: str
    offset: int
    epoch: int
    digest: str
    event_time: int
    version: Version | None


@dataclass(frozen=True, slots=True)
class MarkerRecord:
    """A record that says that an epoch ends in this partition; whether it does, the commands say."""


def read(record: Record) -> AcceptedRecord | MarkerRecord:
    """Read a record of `registration.accepted.v1`.

    Raises StopService: it is our own topic, and a skipped record would make an epoch falsely complete.
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
        )
    except (ValueError, ValidationError):
        raise StopService(
            f"{record.topic}/{record.partition}/{record.offset} is no accepted record: "
            "look at who else writes to this topic",
            cause="own_topic",
        ) from None


def checked_output(record: Record, accepted: AcceptedRecord, claims: Sequence[Claim], model: str) -> Output:
    """The accepted record with its claims, for the same partition number. `model` is the model's SHA-256."""
    if record.value is None:
        raise ValueError("a record that was read has a value")
    mine = (accepted.registration_id, accepted.digest)
    members = canonical([claim_member(mine, claim, model) for claim in claims])
    # The accepted bytes are passed on as they are: parsing and writing them anew costs 60 µs a record.
    value = record.value[:-1] + b',"claims":' + members + b"}"
    source = header(record.headers, "ce_source") or b""
    event_id = header(record.headers, "ce_id") or b""
    return Output(
        topic=Topic.CHECKED.value,
        partition=record.partition,
        key=record.key,
        value=value,
        headers=(
            *encode(
                source.decode().replace("/registration/", "/dedup/"), event_id.decode(), OutputType.CHECKED
            ),
            *_time(record),
        ),
    )


def claim_member(mine: VersionId, claim: Claim, model: str) -> dict[str, Any]:
    """A claim as `registration.checked.v1` carries it."""
    other = (claim.registration_id, claim.digest)
    return {
        "claim_id": claim_id(mine, other),
        "other": {"registration_id": claim.registration_id, "digest": claim.digest},
        **claim_facts(claim, model),
    }


def claim_facts(claim: Claim, model: str) -> dict[str, Any]:
    """What both finders of a pair say alike."""
    return {
        "class": claim.class_,
        "probability": claim.score.probability,
        "weight": claim.score.weight,
        "evidence": [
            {"field": each.field, "level": each.level, "weight": each.weight} for each in claim.score.evidence
        ],
        "model": model,
        "epoch": claim.epoch,
    }


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


def _time(record: Record) -> tuple[tuple[str, bytes], ...]:
    time = header(record.headers, "ce_time")
    return (("ce_time", time),) if time else ()
