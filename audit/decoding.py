"""Records as CloudEvents, read as the contract says and nothing more: both modes, strict JSON."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from audit.log import LogRecord

LARGEST_RECORD = 64 * 1024
LARGEST_KEY = 128
LONGEST_ATTRIBUTE = 256
DEEPEST = 64


class Dead(Exception):
    """The record is no event; the text is the dead letter's reason."""


class RefusedJSON(ValueError):
    """The text is no JSON, or JSON that may mean two things."""


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded event; `binary` says in which mode it came."""

    source: str
    id: str
    type: str
    data: Any
    binary: bool


def decode(record: LogRecord) -> Event:
    """The event. Raises Dead."""
    if record.fault == "undecodable_batch":
        raise Dead("undecodable_batch")
    if too_large(record):
        raise Dead("too_large")
    if record.fault is not None or any(not _utf8(name) for name, _ in record.headers):
        raise Dead("headers")
    headers = dict(record.headers)
    attributes = {name: _text(headers.get(f"ce_{name}")) for name in ("specversion", "id", "source", "type")}
    content_type = _text(headers.get("content-type"))
    kind = "application/json" if content_type is None else content_type.partition(";")[0].strip().lower()
    if kind not in ("application/json", "application/cloudevents+json"):
        raise Dead("envelope")
    try:
        value = loads(record.value or b"")
    except RefusedJSON:
        raise Dead("json") from None
    if kind == "application/json":
        return _event(attributes, value, binary=True)
    if not isinstance(value, dict) or "data_base64" in value:
        raise Dead("envelope")
    return _event(value, value.get("data"), binary=False)


def too_large(record: LogRecord) -> bool:
    """Whether a record is over the limits, which is looked at before all else."""
    key, value = record.key or b"", record.value or b""
    headers = sum(len(_bytes(name)) + len(content or b"") for name, content in record.headers)
    whole = len(key) + len(value) + headers + record.unread_bytes
    return len(key) > LARGEST_KEY or whole > LARGEST_RECORD


def is_attribute(text: object) -> bool:
    """Whether a text may be an event's id, source or type."""
    return (
        isinstance(text, str)
        and 1 <= len(text) <= LONGEST_ATTRIBUTE
        and not any(_is_control(character) for character in text)
    )


def loads(raw: bytes) -> Any:
    """JSON that has one meaning only. Raises RefusedJSON."""
    try:
        text = raw.decode("utf-8")
        if text.startswith("\ufeff") or _depth(text) > DEEPEST:
            raise RefusedJSON
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refused,
            parse_float=lambda digits: _finite(digits, float(digits)),
            parse_int=lambda digits: _finite(digits, int(digits) if len(digits) < 4000 else 0),
        )
    except ValueError:
        raise RefusedJSON from None
    for string in _strings(value):
        if any(_is_control(each) or "\ud800" <= each <= "\udfff" for each in string):
            raise RefusedJSON
    return value


def _event(attributes: dict[str, Any], data: Any, *, binary: bool) -> Event:
    source, ce_id, ce_type = (attributes.get(name) for name in ("source", "id", "type"))
    if attributes.get("specversion") != "1.0" or not all(map(is_attribute, (source, ce_id, ce_type))):
        raise Dead("envelope")
    return Event(str(source), str(ce_id), str(ce_type), data, binary)


def _text(content: bytes | None) -> str | None:
    try:
        return None if content is None else content.decode("utf-8")
    except UnicodeDecodeError:
        raise Dead("headers") from None


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _utf8(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _is_control(character: str) -> bool:
    return character < " "


def _depth(text: str) -> int:
    """How deep arrays and objects are nested, seen before parsing; any depth that is allowed is told as 0."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return 0
    depth = deepest = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise RefusedJSON
    return dict(pairs)


def _refused(_: str) -> Any:
    raise RefusedJSON


def _finite(digits: str, value: Any) -> Any:
    """A number beyond what a double holds is an infinity to whoever reads JSON as JavaScript does."""
    if math.isinf(float(digits)):
        raise RefusedJSON
    return value


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
