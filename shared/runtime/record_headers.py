"""Headers of a record as they lie on the wire. Pure.

Of a record with more than `MOST_HEADERS` only those are kept that somebody reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.contracts.cloudevents import is_utf8
from shared.contracts.command_types import OFFICER_HEADER, SIGNATURE_HEADER
from shared.runtime.varint import decode_varint

MOST_HEADERS = 10_000
"""Headers of a record that are all kept, some 1.2 MB of objects. An empty one counts nothing towards the
contract's limits: a record of 64 KiB may have 32 million."""

READ_HEADERS = frozenset(
    name.encode()
    for name in (
        *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"),
        *(OFFICER_HEADER, SIGNATURE_HEADER),
    )
)
"""What is kept of more, the last of each name: all that anyone here reads of a record."""

_READ_SHORT = frozenset(b"%c%s" % (2 * len(name), name) for name in READ_HEADERS)
_AT_ONCE = 1_000
_SHORT = rb"[\x00\x01]|" + b"|".join(b"\\x%02x.{%d}" % (2 * length, length) for length in range(1, 64))
_SHORT_HEADER = re.compile(b"(%s)(%s)" % (_SHORT, _SHORT), re.DOTALL)
_SHORT_HEADERS = re.compile(b"(?:(?:%s)(?:%s)){1,%d}+" % (_SHORT, _SHORT, _AT_ONCE), re.DOTALL)
"""Names and values of at most 63 bytes, each after its length (one byte, twice the length; 1 is null)."""


@dataclass(frozen=True, slots=True)
class Headers:
    """The headers that are kept, how many are not, the bytes of those, and whether each name is UTF-8."""

    kept: list[tuple[str | None, bytes | None]]
    is_text: bool
    left_out: int = 0
    left_out_bytes: int = 0


def read_headers(plain: bytes, at: int, end: int) -> Headers:
    """The headers of the record that ends at `end`. Raises ValueError, IndexError if they do not."""
    count, first = decode_varint(plain, at)
    if count > MOST_HEADERS:
        return _skim(plain, first, end, count)
    headers = _all(plain, first, end, count)
    return Headers(headers, all(name is not None and is_utf8(name) for name, _ in headers))


def read_bytes(plain: bytes, at: int, end: int) -> tuple[bytes | None, int]:
    """A field with its length before it, and where it ends. Raises ValueError if that is beyond `end`."""
    length, at = decode_varint(plain, at)
    if at + max(length, 0) > end:
        raise ValueError("a field is longer than its record")
    if length < 0:
        return None, at
    return plain[at : at + length], at + length


def _all(plain: bytes, at: int, end: int, count: int) -> list[tuple[str | None, bytes | None]]:
    """Names, with surrogate escapes where they are not UTF-8, and values. Raises ValueError, IndexError."""
    headers: list[tuple[str | None, bytes | None]] = []
    for _ in range(count):
        raw, at = read_bytes(plain, at, end)
        content, at = read_bytes(plain, at, end)
        headers.append((None if raw is None else raw.decode("utf-8", "surrogateescape"), content))
    if at != end or count < 0:
        raise ValueError("the headers do not end where their record does")
    return headers


def _skim(plain: bytes, at: int, end: int, count: int) -> Headers:
    """Keeps the last header of each name that is read, by name. Raises ValueError, IndexError.

    An object for each would be 4 GB, and a step of Python for each a minute in which no heartbeat is sent.
    """
    if 2 * count > end - at:
        raise ValueError("more headers than bytes for them")
    last: dict[bytes, bytes | None] = {}
    total, is_text, left = 0, True, count
    while left:
        run = _SHORT_HEADERS.match(plain, at, end) if left >= _AT_ONCE else None
        if run is not None:
            headers = _SHORT_HEADER.findall(plain, at, run.end())
            by_name: dict[bytes, bytes] = dict(headers)
            # The length before each name is ASCII, so that no character goes over two names.
            is_text = is_text and b"\x01" not in by_name and _is_text(b"".join(by_name))
            for name in _READ_SHORT & by_name.keys():
                last[name[1:]] = None if by_name[name] == b"\x01" else by_name[name][1:]
            total += run.end() - at - 2 * len(headers)
            left, at = left - len(headers), run.end()
            continue
        raw, at = read_bytes(plain, at, end)
        content, at = read_bytes(plain, at, end)
        is_text = is_text and raw is not None and _is_text(raw)
        if raw in READ_HEADERS:
            last[raw or b""] = content
        total += len(raw or b"") + len(content or b"")
        left -= 1
    if at != end:
        raise ValueError("the headers do not end where their record does")
    kept: list[tuple[str | None, bytes | None]] = [(name.decode(), last[name]) for name in sorted(last)]
    kept_bytes = sum(len(name) + len(content or b"") for name, content in last.items())
    return Headers(kept, is_text, count - len(kept), total - kept_bytes)


def _is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
