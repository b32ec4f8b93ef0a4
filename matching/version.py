"""What the matching knows of a version: normalised voter, place, and the capture, for the class alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Version:
    """One state of one registration: (registration_id, digest) names it.

    Names, document and phone as the normaliser leaves them, None where not given. `date_of_birth` is
    YYYY-MM-DD in ASCII digits, `captured_at` microseconds since 1970. `epoch` is the one of its record; the
    index keeps the first of a version.
    """

    registration_id: str
    digest: str
    epoch: int
    family_km: str | None
    family_latin: str | None
    given_km: str | None
    given_latin: str | None
    sex: str
    date_of_birth: str
    precision: str
    document_kind: str | None
    document_number: str | None
    phone: str | None
    province: str
    district: str
    commune: str
    village: str | None
    device: str
    batch: str
    sequence: int
    captured_at: int


def version_of(
    *,
    registration_id: str,
    digest: str,
    epoch: int,
    normalised: Mapping[str, Any],
    residence: Mapping[str, Any],
    capture: Mapping[str, Any],
) -> Version:
    """A version from parts of an accepted record: `voter.normalised`, `residence` (resolved), `capture`."""
    document = normalised.get("identity_document") or {}
    return Version(
        registration_id=registration_id,
        digest=digest,
        epoch=epoch,
        family_km=normalised["family_name"].get("km"),
        family_latin=normalised["family_name"].get("latin"),
        given_km=normalised["given_name"].get("km"),
        given_latin=normalised["given_name"].get("latin"),
        sex=normalised["sex"],
        date_of_birth=normalised["date_of_birth"],
        precision=normalised["date_of_birth_precision"],
        document_kind=document.get("kind"),
        document_number=document.get("number"),
        phone=normalised.get("phone"),
        province=residence["province"],
        district=residence["district"],
        commune=residence["commune"],
        village=residence.get("village"),
        device=capture["device"],
        batch=capture["batch"],
        sequence=capture["sequence"],
        captured_at=instant(capture["captured_at"]),
    )


def instant(text: str) -> int:
    """An RFC 3339 time as microseconds since 1970: two offsets can write one instant."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
