"""The accepted record of the contract, made of the event and the history before it alone. Pure."""

from collections.abc import Mapping
from typing import Any

from services.registration.history import Version
from shared.contracts.normalise import normalise_voter
from shared.contracts.timestamps import rfc3339
from shared.reference.files import Place


def accepted_record(
    version: Version, data: Mapping[str, Any], place: Place | None, first_accepted: int
) -> dict[str, Any]:
    """The record for `registration.accepted.v1`; `place` is None for a removal.

    `first_accepted` is the broker's time stamp of the registration's first accepted event, in milliseconds.
    """
    record: dict[str, Any] = {
        "registration_id": data["registration_id"],
        "revision": version.revision,
        "status": version.status,
        "capture": data["capture"],
        "event_source": version.event_source,
        "event_id": version.event_id,
        "epoch": version.epoch,
        "digest": version.digest,
        "first_accepted_at": rfc3339(first_accepted),
        "source": {"partition": version.partition, "offset": version.offset},
    }
    if place is None:
        record["removal_reason"] = data["reason"]
        return record
    record["voter"] = {**data["voter"], "normalised": normalise_voter(data["voter"])}
    record["residence"] = {
        "province": place.province,
        "district": place.district,
        "commune": place.commune,
        "village": place.village,
    }
    record["polling_station"] = data.get("polling_station")
    return record
