"""CloudEvents 1.0 over Kafka, both modes of the protocol binding, read and written.

Source: CloudEvents specification 1.0.2, its JSON format and its Kafka protocol binding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.contracts import strict_json
from shared.contracts.topics import EVENT_LIMIT

STRUCTURED = "application/cloudevents+json"
JSON = "application/json"

LONGEST_ATTRIBUTE = 256
"""Characters that an event's id, source and type may have: histories and lists repeat them."""

Headers = Sequence[tuple[str, bytes | None]]


class Undecodable(ValueError):
    """The record is no event. `reason` is the dead letter's; neither it nor `detail` repeats the input."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


REASONS: Mapping[str, str] = {
    "too_large": "value and headers together are over 64 KiB",
    "headers": "headers that cannot be read",
    "content_type": "neither JSON nor a structured CloudEvent in JSON",
    "no_json": "the value is not JSON",
    "not_utf8": "the value is not UTF-8",
    "duplicate_name": "a JSON object has two members with one name",
    "not_finite": "JSON with NaN, an infinity, or a number beyond what a double holds",
    "surrogate": "JSON with half of a surrogate pair",
    "control_character": "JSON with a control character in a string",
    "too_deep": "JSON nested too deep",
    "no_event": "a structured CloudEvent that is no JSON object",
    "data_base64": "binary data, which Rollstream does not read",
    "specversion": "specversion is missing or not 1.0",
    "id": "the event's id is missing, empty, no string or over 256 characters",
    "source": "the event's source is missing, empty, no string or over 256 characters",
    "type": "the event's type is missing, empty, no string or over 256 characters",
}
"""Why a record is dead-lettered, each with its meaning."""


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded event. `data` is any JSON value; whether it has the right shape is judged later."""

    source: str
    id: str
    type: str
    data: Any


def decode(value: bytes | None, headers: Headers, fault: str | None = None) -> Event:
    """Read one record. `fault` is what the client library could not read of it, if anything.

    Raises Undecodable with one of REASONS.
    """
    size = len(value or b"") + sum(
        len(name.encode("utf-8", "surrogatepass")) + len(content or b"") for name, content in headers
    )
    if size > EVENT_LIMIT:
        raise Undecodable("too_large", f"{size} bytes")
    if fault is not None:
        raise Undecodable("headers", fault)
    attributes = _attributes(headers)
    kind = attributes.pop("content-type", JSON).partition(";")[0].strip().lower()
    if kind == STRUCTURED:
        return _structured(value)
    if kind != JSON and not kind.endswith("+json"):
        raise Undecodable("content_type")
    _require_attributes(attributes)
    return Event(attributes["source"], attributes["id"], attributes["type"], _json(value))


def encode(source: str, event_id: str, event_type: str) -> tuple[tuple[str, bytes], ...]:
    """The headers of an event in binary mode; its value is the data's JSON."""
    return (
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", event_type.encode()),
        ("content-type", JSON.encode()),
    )


def header(headers: Headers, name: str) -> bytes | None:
    """The last header of that name, None where there is none."""
    found = None
    for each, content in headers:
        if each == name:
            found = content
    return found


def _attributes(headers: Headers) -> dict[str, str]:
    """The event's attributes among the headers; foreign headers may hold anything and are not looked at."""
    attributes: dict[str, str] = {}
    for name, content in headers:
        plain = name.lower()
        attribute = plain[3:] if plain.startswith("ce_") else plain
        if plain != "content-type" and attribute not in ("specversion", "id", "source", "type"):
            continue
        if plain == attribute and plain != "content-type":
            continue  # a foreign header that happens to be called `id`
        if content is None:
            continue
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            raise Undecodable("headers", f"{plain} is not UTF-8") from None
        if any(character < " " or "\x7f" <= character <= "\x9f" for character in text):
            raise Undecodable("headers", f"{plain} has a control character")
        attributes[attribute] = text
    return attributes


def _json(value: bytes | None) -> Any:
    try:
        return strict_json.loads(value or b"")
    except strict_json.RefusedJSON as refused:
        raise Undecodable(refused.code) from None


def _structured(value: bytes | None) -> Event:
    event = _json(value)
    if not isinstance(event, dict):
        raise Undecodable("no_event")
    if "data_base64" in event:
        raise Undecodable("data_base64")
    _require_attributes(event)
    return Event(event["source"], event["id"], event["type"], event.get("data"))


def _require_attributes(attributes: Mapping[str, Any]) -> None:
    if attributes.get("specversion") != "1.0":
        raise Undecodable("specversion")
    for name in ("id", "source", "type"):
        content = attributes.get(name)
        if not isinstance(content, str) or not content:
            raise Undecodable(name)
        if len(content) > LONGEST_ATTRIBUTE:
            raise Undecodable(name, f"{len(content)} characters")
