"""What devices capture, and what matching claims of it, as data."""

import json
from typing import Any

from audit.log import SeenClaim
from shared.contracts.identity import claim_id, ordered_pair, sha256_hex
from shared.contracts.outputs import Claim
from tests.reference.register_files import MODEL


def json_bytes(value: Any) -> bytes:
    """JSON as a capture system may write it."""
    return json.dumps(value, ensure_ascii=False).encode()


def registration(
    registration_id: str,
    revision: int,
    *,
    village: str = "01020301",
    station: str | None = None,
    family: dict[str, str | None] | None = None,
    given: dict[str, str | None] | None = None,
    born: str = "1990-04-12",
    precision: str = "day",
    capture: dict[str, Any] | None = None,
    **voter: Any,
) -> dict[str, Any]:
    """The data of a registration; keywords replace single members, `capture` some of the capture's."""
    data: dict[str, Any] = {
        "registration_id": registration_id,
        "revision": revision,
        "voter": {
            "family_name": family or {"km": "សុខ", "latin": "SOK"},
            "given_name": given or {"latin": f"SOVANN {registration_id}"},
            "sex": "female",
            "date_of_birth": born,
            "date_of_birth_precision": precision,
            **voter,
        },
        "residence": {"village_code": village},
        "capture": capture_data(**(capture or {})),
    }
    return data if station is None else {**data, "polling_station": station}


def removal(registration_id: str, revision: int, reason: str = "deceased", **capture: Any) -> dict[str, Any]:
    """The data of a removal."""
    return {
        "registration_id": registration_id,
        "revision": revision,
        "reason": reason,
        "capture": capture_data(**capture),
    }


def capture_data(**changes: Any) -> dict[str, Any]:
    """The data of a capture with changes."""
    return {
        "office": "010203",
        "device": "D-1",
        "operator": "OP-1",
        "batch": "B-1",
        "sequence": 0,
        "captured_at": "2026-10-20T08:15:00+07:00",
        **changes,
    }


def claim(
    one: tuple[str, str],
    other: tuple[str, str],
    epoch: int = 1,
    class_: str = "multiple_registration",
    weight: float = 12.5,
) -> SeenClaim:
    """A claim between two versions as the finder of `one` writes it."""
    told = {
        "claim_id": claim_id(*ordered_pair(one, other)),
        "other": {"registration_id": other[0], "digest": other[1]},
        "class": class_,
        "probability": 0.987654,
        "weight": weight,
        "evidence": [{"field": "date_of_birth", "level": "equal", "weight": weight}],
        "model": sha256_hex(MODEL.encode()),
        "epoch": epoch,
    }
    return SeenClaim(one[0], one[1], Claim.model_validate(told))
