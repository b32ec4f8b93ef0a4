"""What a handler may raise: everything else is a bug and stops the process, so that no record is skipped."""

from __future__ import annotations


class TransientError(Exception):
    """A server is away or slow: the batch is retried with back-off and nothing is skipped."""


class NotYet(TransientError):
    """No server is away, but what the batch needs is not there yet: reference data, a feed that is behind,
    what another process is about to write. Tried again in the same way; the text holds no personal data."""


class ReferenceAway(NotYet):
    """Reference data are not adopted, or not in their folder: people bring them, and no restart helps."""


class StopService(Exception):
    """The service must not go on: it exits non-zero with `reason`, which holds no personal data.

    `cause` is the short word under which the metric `rollstream_service_stopped` counts it.
    """

    def __init__(self, reason: str, *, cause: str = "stopped") -> None:
        super().__init__(reason)
        self.reason = reason
        self.cause = cause


class UnreadableRecord(StopService):
    """A record of our own topic is none of ours, or cannot be read: two officers can have it passed over.

    `place` is `<topic>/<partition>/<offset>`, `what` it should be.
    """

    def __init__(self, place: str, what: str) -> None:
        super().__init__(
            f"{place} is {what}: look at who else writes to this topic, and see `rollstream skip {place}`",
            cause="own_topic",
        )


class StoreRolledBack(StopService):
    """Stored progress is lower than this process wrote: the store was dropped or restored under it.

    Started again, the service reads from the stored progress and catches up by itself.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason, cause="store_rolled_back")
