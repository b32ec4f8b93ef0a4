"""Dead letters: what cannot be decoded as an event goes aside whole, with where it came from and why."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from shared.contracts.cloudevents import is_utf8, record_size
from shared.contracts.topics import DEAD_LETTER_LIMIT
from shared.runtime.record import Output, Record


def dead_letter(
    record: Record, *, reason: str, detail: str, service: str, now: datetime | None = None
) -> Output:
    """The record for `<topic>.dlq`: original key, value and headers, then the `rollstream-dlq-*` headers.

    Of a record whose key, value and headers exceed DEAD_LETTER_LIMIT bytes together nothing is repeated: the
    letter says how many there are and the value's hash, and the original lies at the offset that it names.
    Nor of a run of offsets that could not be read: the letter says where it ends, and its size on the wire.
    `reason` and `detail` are words of ours and never repeat a value. A reader takes the last of headers with
    one name. A header whose name is not UTF-8, which no Kafka client could send on, is left out, and so are
    those beyond the ones that are read of a record with very many; the detail says so.
    `now` is the time of the header `-time` (default: the clock's).
    """
    size = record_size(record.key, record.value, record.headers) + record.wire_bytes
    whole = record.last_offset is None and size <= DEAD_LETTER_LIMIT
    kept = tuple(each for each in record.headers if is_utf8(each[0])) if whole else ()
    left_out = len(record.headers) - len(kept) + record.left_out
    if whole and left_out:
        detail = f"{detail}; {left_out} left out".lstrip("; ")
    facts = {
        "reason": reason,
        "detail": detail,
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "service": service,
        "time": (now or datetime.now(UTC)).isoformat(timespec="milliseconds"),
        **({} if whole else _absent(record, size)),
    }
    ours = tuple((f"rollstream-dlq-{name}", value.encode()) for name, value in facts.items())
    return Output(
        f"{record.topic}.dlq",
        record.partition,
        record.key if whole else None,
        record.value if whole else None,
        (*kept, *ours),
    )


def _absent(record: Record, size: int) -> Mapping[str, str]:
    """What is told of an original that the letter does not hold."""
    facts = {"bytes": str(size)}
    if record.value is not None:
        facts["sha256"] = hashlib.sha256(record.value).hexdigest()
    if record.last_offset is not None:
        facts["last-offset"] = str(record.last_offset)
    return facts
