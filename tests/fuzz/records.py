"""Records out of the bytes of a fuzzer: whatever the bytes are, they are some record."""

from collections.abc import Iterator

from shared.runtime.record import Record

TOPIC = "registration.events.v1"
NAMES = (
    *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"),
    *("rollstream-officer", "rollstream-signature", "x"),
)
_NULL = 0xFFFF


def record_of(data: bytes) -> Record:
    """Key, value, then headers: each field after its length in 2 bytes, the highest of which means null.

    A header begins with one byte: the number of a name that is read, or 255 for a name of its own.
    """
    fields = _fields(data)
    key, value = next(fields, None), next(fields, None)
    headers = []
    for name in fields:
        chosen = name[0] if name else 0
        text = name[1:].decode("utf-8", "surrogateescape") if name and chosen == 255 else NAMES[chosen % 9]
        headers.append((text, next(fields, None)))
    return Record(TOPIC, 3, 17, 1_790_000_000_000, key, value, tuple(headers), append_time=True)


def bytes_of(key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes | None], ...]) -> bytes:
    """The bytes that `record_of` makes this record of; for seeds."""
    out = _field(key) + _field(value)
    for name, content in headers:
        number = bytes([NAMES.index(name)]) if name in NAMES else b"\xff" + name.encode()
        out += _field(number) + _field(content)
    return out


def _field(content: bytes | None) -> bytes:
    return b"\xff\xff" if content is None else len(content).to_bytes(2) + content


def _fields(data: bytes) -> Iterator[bytes | None]:
    at = 0
    while at + 2 <= len(data):
        length = int.from_bytes(data[at : at + 2])
        at += 2
        if length == _NULL:
            yield None
            continue
        yield data[at : at + length]
        at += length
