"""CloudEvents 1.0 over Kafka, both modes of the protocol binding, read and written.

Source: CloudEvents specification 1.0.2, its JSON format and its Kafka protocol binding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.contracts import strict_json
from shared.contracts.topics import EVENT_LIMIT, KEY_LIMIT

STRUCTURED = "application/cloudevents+json"
JSON = "application/json"

LONGEST_ATTRIBUTE = 256
"""Characters that an event's id, source and type may have: histories and lists repeat them."""

Headers = Sequence[tuple[str, bytes | None]]
"""Names and contents; a name that is not UTF-8 has surrogate escapes, so that its bytes are kept."""


class Reason(StrEnum):
    """Why a record is dead-lettered, the first that applies in this order."""

    TOO_LARGE = "too_large"
    UNDECODABLE_BATCH = "undecodable_batch"
    HEADERS = "headers"
    JSON = "json"
    ENVELOPE = "envelope"


REASONS: Mapping[Reason, str] = {
    Reason.TOO_LARGE: "key, value and headers together are over 64 KiB, or the key is over 128 bytes",
    Reason.UNDECODABLE_BATCH: "a batch that cannot be read or is over its limits: one letter for its run",
    Reason.HEADERS: "a header's name, or an attribute in a header, is not UTF-8",
    Reason.JSON: "the value is no JSON, or JSON that Rollstream refuses",
    Reason.ENVELOPE: "another content-type, binary data, or an attribute that is missing or cannot be used",
}
"""The reasons with their meaning; a dead letter's detail says more."""


class Undecodable(ValueError):
    """The record is no event. Neither `reason` nor `detail`, words of ours, repeats the input."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded event. `data` is any JSON value; whether it has the right shape is judged later."""

    source: str
    id: str
    type: str
    data: Any


def decode(
    value: bytes | None, headers: Headers, fault: str | None = None, key: bytes | None = None, unread: int = 0
) -> Event:
    """Read one record. Raises Undecodable.

    `fault` is what the consumer could not read of it (see `shared.runtime.record`), `unread` the bytes of
    headers that it left out.
    """
    if fault == Reason.UNDECODABLE_BATCH:
        raise Undecodable(Reason.UNDECODABLE_BATCH)
    _require_size(key, value, headers, unread)
    if fault is not None or not all(map(is_utf8, (name for name, _ in headers))):
        raise Undecodable(Reason.HEADERS, "cannot be read" if unread else "a name is not UTF-8")
    content_type = _text(headers, "content-type")
    kind = JSON if content_type is None else content_type.partition(";")[0].strip().lower()
    attributes = {name: _text(headers, f"ce_{name}") for name in _ATTRIBUTES}
    if kind not in (JSON, STRUCTURED):
        raise Undecodable(Reason.ENVELOPE, "content-type")
    try:
        content = strict_json.loads(value or b"")
    except strict_json.RefusedJSON as refused:
        raise Undecodable(Reason.JSON, refused.code) from None
    return _structured(content) if kind == STRUCTURED else _event(attributes, content)


def record_size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """Bytes of key, value and headers, names and contents."""
    size = len(key or b"") + len(value or b"")
    for name, content in headers:
        raw = name if name.isascii() else name.encode("utf-8", "surrogateescape")
        size += len(raw) + len(content or b"")
    return size


def is_utf8(name: str) -> bool:
    """Whether the name of a header is UTF-8 where it lies."""
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)


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


_ATTRIBUTES = ("specversion", "id", "source", "type")


def _require_size(key: bytes | None, value: bytes | None, headers: Headers, unread: int) -> None:
    """Looked at before anything else is done with a record."""
    if len(key or b"") > KEY_LIMIT:
        raise Undecodable(Reason.TOO_LARGE, f"key of {len(key or b'')} bytes")
    if (size := record_size(key, value, headers) + unread) > EVENT_LIMIT:
        raise Undecodable(Reason.TOO_LARGE, f"{size} bytes")


def _text(headers: Headers, name: str) -> str | None:
    """What the last header of that name says; foreign headers may hold anything and are not looked at."""
    content = header(headers, name)
    if content is None:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise Undecodable(Reason.HEADERS, f"{name} is not UTF-8") from None


def _structured(event: Any) -> Event:
    if not isinstance(event, dict):
        raise Undecodable(Reason.ENVELOPE, "no object")
    if "data_base64" in event:
        raise Undecodable(Reason.ENVELOPE, "data_base64")
    return _event(event, event.get("data"))


def _event(attributes: Mapping[str, Any], data: Any) -> Event:
    if attributes.get("specversion") != "1.0":
        raise Undecodable(Reason.ENVELOPE, "specversion")
    for name in ("id", "source", "type"):
        content = attributes.get(name)
        if not isinstance(content, str) or not content:
            raise Undecodable(Reason.ENVELOPE, name)
        if len(content) > LONGEST_ATTRIBUTE:
            raise Undecodable(Reason.ENVELOPE, f"{name} of {len(content)} characters")
        if any(character < " " for character in content):
            raise Undecodable(Reason.ENVELOPE, f"{name} has a control character")
    return Event(attributes["source"], attributes["id"], attributes["type"], data)
