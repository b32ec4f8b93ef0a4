"""Lines of a capture file, and the Kafka records they stand for.

Two forms of line, both JSON objects in UTF-8:

- a structured CloudEvent. It is sent in binary mode (the attributes as `ce_` headers, the data as value) or
  in structured mode (the line as it is); the device's signature, the attribute `rollstreamsignature`, is the
  header `rollstream-signature` in both; its key is `data.registration_id`, for a `batch-closed`
  `data.device`, and the key decides the partition. A line that binary mode cannot carry unchanged
  (no JSON object, a name twice, `data_base64`, ...) is sent in structured mode as it is: it is the
  service's to judge;
- a wrapped record, for what no JSON text can hold or what a well-behaved client would not send:
  `{"raw": {"key": b64 | null, "value": b64 | null, "headers": [[b64 name, b64 value | null], ...],
  "partition": int | null, "compression": null | "gzip" | "snappy" | "lz4" | "zstd"}}`.
  Without a partition the key decides it. A record with a compression is sent in a batch of its own.
"""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any, Literal

STRUCTURED = b"application/cloudevents+json"
SIGNATURE = b"rollstream-signature"
"""Header of the device's signature."""

SIGNATURE_ATTRIBUTE = "rollstreamsignature"
"""The same in a capture file: names of extension attributes have no hyphen."""

BATCH_CLOSED = "rollstream.capture.batch-closed.v1"

Headers = tuple[tuple[bytes, bytes | None], ...]
Mode = Literal["binary", "structured"]


@dataclass(frozen=True, slots=True)
class ProducerRecord:
    """A record to be sent, byte for byte; `partition` None: by the key."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None
    compression: str | None = None


def to_record(line: bytes, mode: Mode = "binary") -> ProducerRecord:
    """The record that a line stands for. Raises ValueError for a wrapped line that is malformed."""
    line = line.rstrip(b"\r\n")
    try:
        event = json.loads(line, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return _as_it_is(line)
    if not isinstance(event, dict):
        return _as_it_is(line)
    if "raw" in event:
        return _unwrap(event["raw"])
    key, signature = _key(event), event.get(SIGNATURE_ATTRIBUTE)
    if mode == "structured":
        return _as_it_is(line, key, signature)
    return _binary(event, key) or _as_it_is(line, key, signature)


def require_capture_line(line: bytes) -> None:
    """Raise ValueError for what no capture file holds, so that no other file goes to where it stays for good.

    Whether an event is right is the service's to judge: it need only be one.
    """
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("no JSON") from None
    if not isinstance(event, dict):
        raise ValueError("no JSON object")
    if "raw" not in event and "specversion" not in event:
        raise ValueError("no CloudEvent: it has no specversion")


def wrap(record: ProducerRecord) -> bytes:
    """The wrapped line of a record; `to_record` reverses it."""
    raw = {
        "key": _encode(record.key),
        "value": _encode(record.value),
        "headers": [[_encode(name), _encode(content)] for name, content in record.headers],
        "partition": record.partition,
        "compression": record.compression,
    }
    return json.dumps({"raw": raw}, separators=(",", ":")).encode()


def _unwrap(raw: Any) -> ProducerRecord:
    try:
        partition, compression = raw["partition"], raw["compression"]
        if not (partition is None or type(partition) is int) or not isinstance(compression, str | None):
            raise TypeError
        return ProducerRecord(
            key=_decode(raw["key"]),
            value=_decode(raw["value"]),
            headers=tuple((b64decode(name), _decode(content)) for name, content in raw["headers"]),
            partition=partition,
            compression=compression,
        )
    except (KeyError, TypeError) as error:
        raise ValueError("a wrapped record needs key, value, headers, partition, compression") from error


def _binary(event: dict[str, Any], key: bytes | None) -> ProducerRecord | None:
    """The event in binary mode, None where that would change it."""
    attributes = {name: content for name, content in event.items() if name != "data"}
    content_type = attributes.pop("datacontenttype", "application/json")
    plain = all(isinstance(content, str) for content in (content_type, *attributes.values()))
    if not plain or "data_base64" in attributes or "data" not in event:
        return None
    try:
        value = json.dumps(event["data"], ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        signature = attributes.pop(SIGNATURE_ATTRIBUTE, None)
        headers = [(f"ce_{name}".encode(), content.encode()) for name, content in attributes.items()]
        headers.append((b"content-type", content_type.encode()))
        headers += [] if signature is None else [(SIGNATURE, signature.encode())]
    except ValueError:  # NaN, or half a surrogate pair
        return None
    return ProducerRecord(key, value, tuple(headers))


def _as_it_is(line: bytes, key: bytes | None = None, signature: Any = None) -> ProducerRecord:
    headers: Headers = ((b"content-type", STRUCTURED),)
    if isinstance(signature, str):
        headers += ((SIGNATURE, signature.encode("utf-8", "replace")),)
    return ProducerRecord(key, line, headers)


def _key(event: dict[str, Any]) -> bytes | None:
    data = event.get("data")
    if not isinstance(data, dict):
        return None
    key = data.get("device" if event.get("type") == BATCH_CLOSED else "registration_id")
    return key.encode("utf-8", "replace") if isinstance(key, str) else None


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("a name twice")
    return found


def _encode(content: bytes | None) -> str | None:
    return None if content is None else b64encode(content).decode()


def _decode(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)
