"""`/health/live`, `/health/ready` and `/metrics`: what a process says of itself.

Live means that work moves: a batch in flight, or records that wait to be read, without progress for
`progress_timeout_s` is a hang, and the process should be restarted. Having nothing to do is not, and neither
is waiting for a server that is away: a restart would not bring it back. That a server is away only a probe
can excuse for long; a consumer that says so excuses its pause until it tries again, and no longer, since it
may never come back from the next try. Ready means that the process takes part: partitions assigned and both
servers answer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

Scope = Mapping[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Health:
    """What the runtime notes as it goes, and the two verdicts."""

    def __init__(self, progress_timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout = progress_timeout_s
        self._clock = clock
        self._pending_since: float | None = None
        self._in_flight = False
        self._unread = False
        self._waiting: dict[str, str] = {"start": "starting"}
        self._retrying: dict[str, str] = {}
        self.assigned = False
        self.failed: str | None = None

    def batch_started(self) -> None:
        """A handler has been given records."""
        self._in_flight = True
        self._note_pending()

    def batch_ended(self) -> None:
        """The handler is done with them, one way or the other; that alone is no progress."""
        self._in_flight = False
        self._note_pending()

    def progress(self) -> None:
        """Something has been settled."""
        self._unread = False
        self._pending_since = self._clock() if self._in_flight else None

    def unread(self, records: int) -> None:
        """How many records the broker holds that this process has yet to settle."""
        self._unread = records > 0
        self._note_pending()

    def waiting(self, what: str, why: str | None) -> None:
        """The process waits for `what` because of `why`; None: not any more."""
        if why is None:
            if self._waiting.pop(what, None) is not None and not self._waiting:
                self._pending_since = None  # the time spent waiting is no hang
                self._note_pending()
        else:
            self._waiting[what] = why

    def retrying(self, what: str, why: str, pause_s: float) -> None:
        """What failed because of `what` is tried again in `pause_s` seconds: until then nothing need move."""
        self._retrying[what] = why
        self._pending_since = self._clock() + pause_s

    def recovered(self) -> None:
        """What was tried again went well."""
        self._retrying.clear()

    def retries(self, what: str) -> bool:
        """Whether something failed because of `what`, and has not gone well since."""
        return what in self._retrying

    def _note_pending(self) -> None:
        if not (self._in_flight or self._unread):
            self._pending_since = None
        elif self._pending_since is None:
            self._pending_since = self._clock()

    def live(self) -> tuple[bool, str]:
        """Whether the process should go on running, and why."""
        if self.failed is not None:
            return False, self.failed
        if self._waiting:
            return True, self._told()
        if self._pending_since is None:
            return True, self._told() if self._retrying else "idle"
        stalled = self._clock() - self._pending_since
        if stalled < self._timeout:
            return True, self._told() if self._retrying else "working"
        return False, f"no progress for {stalled:.0f} s"

    def ready(self) -> tuple[bool, str]:
        """Whether the process takes part in the work, and why not."""
        live, why = self.live()
        if not live or self._waiting or self._retrying:
            return False, why
        return (True, "ready") if self.assigned else (False, "no partitions assigned")

    def _told(self) -> str:
        waits = {**self._retrying, **self._waiting}
        return "waiting: " + ", ".join(f"{what}: {why}" for what, why in sorted(waits.items()))


class HealthApp:
    """The ASGI application; it routes exact paths only and answers GET and HEAD."""

    def __init__(self, health: Health, registry: CollectorRegistry) -> None:
        self._health = health
        self._registry = registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])  # as ASGI asks of what an application does not serve
        status, content_type, body = self._answer(scope["method"], scope["path"])
        headers = [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, method: str, path: str) -> tuple[int, str, bytes]:
        if method not in ("GET", "HEAD"):
            return 405, "text/plain", b"method not allowed\n"
        match path:
            case "/health/live":
                return _verdict(*self._health.live())
            case "/health/ready":
                return _verdict(*self._health.ready())
            case "/metrics":
                return 200, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry)
            case _:
                return 404, "text/plain", b"not found\n"


def _verdict(good: bool, why: str) -> tuple[int, str, bytes]:
    body = json.dumps({"status": "ok" if good else "failing", "why": why}).encode() + b"\n"
    return (200 if good else 503), "application/json", body
