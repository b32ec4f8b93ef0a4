"""One record of the commands topic, as it lay there."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shared.contracts.cloudevents import header, record_size
from shared.contracts.commands import OFFICER_HEADER, SIGNATURE_HEADER
from shared.contracts.identity import chain
from shared.contracts.topics import EVENT_LIMIT, KEY_LIMIT
from shared.runtime.record import Record

# The contract's control characters (JSON's, no others), and what stands for bytes that are not UTF-8.
_UNSUITABLE = re.compile("[\x00-\x1f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Message:
    """One record of the commands topic. Texts keep bytes that are not UTF-8 as surrogate escapes; a missing
    header is empty.

    `timestamp` is in milliseconds; `append_time` is whether the broker gave it, and nothing else has an
    effect. `too_large` is whether the record is over the contract's limits.
    """

    offset: int
    timestamp: int
    ce_type: str
    ce_id: str
    officer: str
    signature: bytes
    value: bytes
    append_time: bool = True
    too_large: bool = False

    @classmethod
    def of(cls, record: Record) -> "Message":
        """A record that was read of the topic."""
        return cls.of_record(
            record.offset,
            record.timestamp,
            record.headers,
            record.value,
            key=record.key,
            append_time=record.append_time,
            unread=record.wire_bytes,
        )

    @classmethod
    def of_record(
        cls,
        offset: int,
        timestamp: int,
        headers: Sequence[tuple[str, bytes | None]],
        value: bytes | None,
        *,
        key: bytes | None = None,
        append_time: bool = True,
        unread: int = 0,
    ) -> "Message":
        """The message as it lay on the topic, whatever is in it; `unread`: bytes of headers beyond these."""
        ce_type, ce_id, officer = (
            (header(headers, name) or b"").decode("utf-8", "surrogateescape")
            for name in ("ce_type", "ce_id", OFFICER_HEADER)
        )
        return cls(
            offset,
            timestamp,
            ce_type,
            ce_id,
            officer,
            header(headers, SIGNATURE_HEADER) or b"",
            value or b"",
            append_time,
            len(key or b"") > KEY_LIMIT or record_size(key, value, headers) + unread > EVENT_LIMIT,
        )

    @property
    def can_count(self) -> bool:
        """Whether it may have a verdict at all; what may not is chained like everything that lies there."""
        return self.append_time and not self.too_large and self.can_be_named

    @property
    def can_be_named(self) -> bool:
        """Whether an approval could name it."""
        return 1 <= len(self.ce_id) <= 256 and not _UNSUITABLE.search(self.ce_id)

    def chained(self, head: bytes) -> bytes:
        """The audit chain's head after this message."""
        ce_type, ce_id, officer = (
            text.encode("utf-8", "surrogateescape") for text in (self.ce_type, self.ce_id, self.officer)
        )
        return chain(head, self.timestamp, ce_type, ce_id, officer, self.signature, self.value)


def shown(text: str) -> str:
    """A text from anyone, as it can be stored and shown."""
    return text[:256].encode("utf-8", "backslashreplace").decode()
