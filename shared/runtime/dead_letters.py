"""Dead letters: what cannot be decoded as an event goes aside whole, with where it came from and why."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime

from shared.process.errors import StopService
from shared.runtime.record import Output, Record


def dead_letter(
    record: Record, *, reason: str, detail: str, service: str, now: datetime | None = None
) -> Output:
    """The record for `<topic>.dlq`: original key, value and headers, then the `rollstream-dlq-*` headers.

    `reason` and `detail` are codes and never repeat a value. A reader takes the last of headers with one
    name. A header name that is not UTF-8 cannot be sent by this client: it has backslash escapes, and the
    detail says so. `now` is the time of the header `-time` (default: the clock's).
    """
    if record.fault == "headers":
        detail = f"{detail}; header names that are not UTF-8 have backslash escapes".lstrip("; ")
    facts = {
        "reason": reason,
        "detail": detail,
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "service": service,
        "time": (now or datetime.now(UTC)).isoformat(timespec="milliseconds"),
    }
    ours = tuple((f"rollstream-dlq-{name}", value.encode()) for name, value in facts.items())
    return Output(f"{record.topic}.dlq", record.partition, record.key, record.value, (*record.headers, *ours))


class DeadLetterLimit:
    """Stops the service when too many of the last records were dead letters.

    Then a producer or a setting is wrong, and the topic would drain into the dead-letter topic. Ask before
    a batch's dead letters are sent. It counts in this process only: a restart begins anew.
    """

    def __init__(self, most: int, window: int) -> None:
        self._most = most
        self._window = window
        self._batches: deque[tuple[int, int]] = deque()
        self._records = 0
        self._dead = 0

    def admit(self, records: int, dead: int) -> None:
        """Count a batch of `records`, `dead` of them dead letters; raises `StopService` above the limit."""
        self._batches.append((records, dead))
        self._records += records
        self._dead += dead
        while self._records - self._batches[0][0] >= self._window:
            old_records, old_dead = self._batches.popleft()
            self._records -= old_records
            self._dead -= old_dead
        if self._dead > self._most:
            raise StopService(
                f"{self._dead} of the last {self._records} records are dead letters (limit {self._most})",
                cause="dead_letter_limit",
            )
