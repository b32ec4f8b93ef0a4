"""Two registrations side by side, as officers compare them. Pure; personal data, for their eyes only."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Names = Callable[[str], str]
"""A place's code → how it is told, by its names where they are known."""


@dataclass(frozen=True, slots=True)
class Row:
    """One fact of both; `differs` where both have it, and not the same."""

    name: str
    left: str
    right: str
    differs: bool


def side_by_side(one: Mapping[str, Any], other: Mapping[str, Any], place: Names) -> Iterator[Row]:
    """What is stored of two registrations, fact by fact; facts that neither has are left out."""
    ones, others = dict(_facts(one, place)), dict(_facts(other, place))
    for name in ones:
        left, right = ones[name], others[name]
        if left or right:
            yield Row(name, left, right, bool(left and right and left != right))


def _facts(stored: Mapping[str, Any], place: Names) -> Iterator[tuple[str, str]]:
    voter = stored.get("voter") or {}
    document = voter.get("identity_document") or {}
    capture = stored.get("capture") or {}
    yield "registration", _text(stored.get("registration_id"))
    for name in ("family_name", "given_name"):
        written = voter.get(name) or {}
        yield name.replace("_", " "), " · ".join(filter(None, (written.get("latin"), written.get("km"))))
    yield "sex", _text(voter.get("sex"))
    yield "date of birth", _birth_date(voter)
    yield "document", " ".join(filter(None, (_text(document.get("kind")), _text(document.get("number")))))
    yield "phone", _text(voter.get("phone"))
    yield from _residence(stored.get("residence") or {}, place)
    yield "station", _text(stored.get("polling_station"))
    yield "status", _status(stored)
    yield "first accepted", _text(stored.get("first_accepted_at"))
    yield "revision", _text(stored.get("revision"))
    yield "captured", _text(capture.get("captured_at"))
    yield "office", place(_text(capture.get("office")))
    yield "device", _text(capture.get("device"))
    yield "operator", _text(capture.get("operator"))
    yield "batch", _text(capture.get("batch"))


def _residence(residence: Mapping[str, Any], place: Names) -> Iterator[tuple[str, str]]:
    for name in ("province", "district", "commune", "village"):
        yield name, place(_text(residence.get(name)))


def _birth_date(voter: Mapping[str, Any]) -> str:
    """As precisely as it is known: what is not known was written 01."""
    date = _text(voter.get("date_of_birth"))
    match voter.get("date_of_birth_precision"):
        case "year":
            return date[:4]
        case "month":
            return date[:7]
        case _:
            return date


def _status(stored: Mapping[str, Any]) -> str:
    reason = stored.get("removal_reason")
    return f"removed ({reason})" if reason else _text(stored.get("status"))


def _text(value: Any) -> str:
    return "" if value is None else str(value)
