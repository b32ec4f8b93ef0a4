"""Checked records and registrations made by hand, for tests of the publisher."""

import hashlib
from collections.abc import Iterable
from typing import Any

from services.publisher.registrations import Captured, Registration
from shared.contracts.identity import canonical, claim_id
from shared.contracts.outputs import Checked, OutputType
from shared.contracts.timestamps import rfc3339
from shared.contracts.topics import Topic, partition_for
from shared.runtime.record import Output


def digest_of(label: str) -> str:
    """A digest that stands for the data called `label`."""
    return hashlib.sha256(label.encode()).hexdigest()


def record(
    registration_id: str,
    offset: int,
    *,
    epoch: int = 1,
    data: str = "first",
    removal: str | None = None,
    village: str = "01020304",
    station: str | None = None,
    born: str = "1990-04-12",
    precision: str = "day",
    family: str = "SOK",
    given: str = "SOVANN",
    first_accepted: int = 1_790_000_000_000,
    claims: tuple[tuple[str, str], ...] = (),
    partition: int = 0,
) -> dict[str, Any]:
    """The value of a checked record. `data` names the digest, `claims` are (other id, its data)."""
    mine = (registration_id, digest_of(registration_id + data))
    names = {"km": None, "latin": family}, {"km": None, "latin": given}
    voter = {
        "family_name": names[0],
        "given_name": names[1],
        "sex": "female",
        "date_of_birth": born,
        "date_of_birth_precision": precision,
        "identity_document": None,
        "phone": None,
    }
    residence = {
        "province": village[:2],
        "district": village[:4],
        "commune": village[:6],
        "village": village if len(village) == 8 else None,
    }
    common = {
        "registration_id": registration_id,
        "revision": 1,
        "status": "removed" if removal else "active",
        "capture": {
            "office": "010203",
            "device": "D-1",
            "operator": "OP-1",
            "batch": "B-1",
            "sequence": offset,
            "captured_at": "2026-10-20T08:15:00+07:00",
        },
        "event_source": "devices/D-1",
        "event_id": f"event-{registration_id}-{offset}",
        "epoch": epoch,
        "digest": mine[1],
        "first_accepted_at": rfc3339(first_accepted),
        "source": {"partition": partition, "offset": offset},
        "claims": [claim(mine, (other, digest_of(other + its)), epoch) for other, its in claims],
    }
    if removal:
        return {**common, "removal_reason": removal}
    normalised = {**voter, "identity_document": None, "phone": None}
    return {
        **common,
        "voter": {**voter, "normalised": normalised},
        "residence": residence,
        "polling_station": station,
    }


def claim(one: tuple[str, str], other: tuple[str, str], epoch: int) -> dict[str, Any]:
    return {
        "claim_id": claim_id(one, other),
        "other": {"registration_id": other[0], "digest": other[1]},
        "class": "multiple_registration",
        "probability": 0.99,
        "weight": 12.5,
        "evidence": [],
        "model": "0" * 64,
        "epoch": epoch,
    }


def checked(registration_id: str, offset: int, **members: Any) -> Checked:
    return Checked.model_validate_json(canonical(record(registration_id, offset, **members)))


def checked_output(registration_id: str, offset: int, partitions: int, **members: Any) -> Output:
    """As dedup sends it."""
    key = registration_id.encode()
    partition = partition_for(key, partitions)
    value = canonical(record(registration_id, offset, partition=partition, **members))
    headers = (("ce_type", OutputType.CHECKED.encode()), ("ce_id", f"{partition}/{offset}".encode()))
    return Output(Topic.CHECKED.value, partition, key, value, headers)


def claims_output(
    registration_id: str,
    offset: int,
    others: Iterable[str],
    *,
    epoch: int = 1,
    data: str = "first",
    partition: int = 0,
) -> Output:
    """Claims that the checked record had no room for, to the first versions of `others`."""
    mine = (registration_id, digest_of(registration_id + data))
    value = {
        "registration_id": registration_id,
        "digest": mine[1],
        "claims": [claim(mine, (other, digest_of(other + "first")), epoch) for other in others],
        "source": {"partition": partition, "offset": offset},
    }
    headers = (("ce_type", OutputType.CLAIMS.encode()), ("ce_id", f"{partition}/{offset}/claims/1".encode()))
    return Output(Topic.CHECKED.value, partition, registration_id.encode(), canonical(value), headers)


VERSIONS = ("first", "second", "corrected")
"""What the versions are called that every registration has had."""


def registration(
    registration_id: str,
    *,
    data: str = "first",
    removal: str | None = None,
    village: str = "01020304",
    station: str | None = None,
    born: str = "1990-04-12",
    family: str = "SOK",
    given: str = "SOVANN",
    first_accepted: int = 1_790_000_000_000,
) -> Registration:
    """A registration as an epoch has it."""
    return Registration(
        registration_id,
        digest_of(registration_id + data),
        removal,
        f"event-{registration_id}",
        rfc3339(first_accepted),
        Captured(
            {"km": None, "latin": family},
            {"km": None, "latin": given},
            (family, given),
            "female",
            born,
            "day",
            village,
            station,
        ),
        {digest_of(registration_id + each): village[:6] for each in {*VERSIONS, data}},
    )
