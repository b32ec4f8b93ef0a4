"""The one form of time stamps that Rollstream writes: RFC 3339 in UTC with milliseconds."""

from datetime import UTC, datetime

_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999
"""The years 1 to 9999, in milliseconds since 1970."""


def rfc3339(milliseconds: int) -> str:
    """Milliseconds since 1970 as `2026-10-20T08:15:00.123Z`.

    A time outside the years 1 to 9999, which has no such form, is told as the nearest one that has: no time
    stamp on a topic may stop who reads it.
    """
    milliseconds = min(max(milliseconds, _FIRST), _LAST)
    seconds, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest:03d}Z"


def milliseconds(text: str) -> int:
    """What `rfc3339` wrote, in milliseconds since 1970. Raises ValueError for anything that is no time."""
    moment = datetime.fromisoformat(text)
    return round(moment.timestamp() * 1000)
