"""Accepted records and a correction made by hand, for tests of what comes after registration."""

from collections.abc import Mapping
from typing import Any

from shared.contracts.cloudevents import encode
from shared.contracts.events import EventType
from shared.contracts.identity import canonical, digest
from shared.contracts.normalise import normalise_voter
from shared.contracts.outputs import Accepted, OutputType
from shared.contracts.timestamps import rfc3339
from shared.contracts.topics import Topic
from shared.runtime.record import Output


def voter(number: int) -> dict[str, Any]:
    """A person who shares nothing with the others but the country."""
    letters = "".join(chr(ord("A") + (number // 26**at) % 26) for at in range(4))
    return {
        "family_name": {"km": None, "latin": f"FAM{letters}"},
        "given_name": {"km": None, "latin": f"GIVEN{letters[::-1]}"},
        "sex": "female",
        "date_of_birth": f"{1950 + number % 50}-{1 + number % 12:02}-{1 + number % 28:02}",
        "date_of_birth_precision": "day",
        "identity_document": {"kind": "national_id", "number": f"{100000000 + 7919 * number}"},
        "phone": None,
    }


def accepted(
    registration_id: str, person: dict[str, Any], *, partition: int, offset: int, device: str = "D-1"
) -> Output:
    """A first version, as registration would send it."""
    residence = {"village_code": "01020101"}
    record = {
        "registration_id": registration_id,
        "revision": 1,
        "status": "active",
        "voter": {**person, "normalised": normalise_voter(person)},
        "residence": {"province": "01", "district": "0102", "commune": "010201", "village": "01020101"},
        "polling_station": None,
        "capture": {
            "office": "010201",
            "device": device,
            "operator": "OP-1",
            "batch": f"{device}-1",
            "sequence": offset % 10_000,
            "captured_at": f"2026-10-20T08:{offset % 60:02}:00+07:00",
        },
        "event_source": "tests",
        "event_id": registration_id,
        "epoch": 1,
        "digest": digest(person, residence),
        "first_accepted_at": rfc3339(1_790_000_000_000 + offset),
        "source": {"partition": partition, "offset": offset},
    }
    Accepted.model_validate(record)
    return Output(
        Topic.ACCEPTED.value,
        partition,
        registration_id.encode(),
        canonical(record),
        encode("rollstream/registration/tests", f"{partition}/{offset}", OutputType.ACCEPTED),
    )


def correction(document: Mapping[str, Any]) -> Output:
    """The event that makes of a registration, as it is stored, another person, whom nothing likens to it."""
    data = {
        "registration_id": document["_id"],
        "revision": document["revision"] + 1,
        "voter": voter(int(document["digest"][:8], 16)),
        "residence": {"village_code": document["residence"]["village_code"]},
        "polling_station": None,
        "capture": document["capture"],
    }
    return Output(
        Topic.EVENTS.value,
        document["partition"],
        document["_id"].encode(),
        canonical(data),
        encode("tests", f"correction-{document['_id']}", EventType.CORRECTED),
    )
