"""`/health/live`, `/health/ready` and `/metrics`: what a process says of itself.

Live means that all work moves. Watched are a batch in the handler's hands, a rebalance, and each position
that has something to read: every partition of the group and of each feed, against the broker's ends. The
oldest that has not moved for `progress_timeout_s` turns live to 503: a restart is the remedy. It is none
while a server is away, or a batch waits for a feed that moves itself. Reference data that are waited for
excuse the feed or the group that waits for them, and nothing else. The clocks begin anew when that is over.
That a server is away only a probe can excuse for long; a consumer that says so excuses its pause until it
tries again, and no longer, since it may never come back from the next try. What is merely not there yet
excuses nothing.

Ready means that the process takes part: partitions assigned, nothing waited for, and both servers answer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

Scope = Mapping[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
"""What uvicorn serves."""

PATHS = ("/health/live", "/health/ready", "/metrics")
"""What every process serves, whatever else it does."""

GROUP = "group"
"""Whose the group's partitions, batches and rebalances are; all else is a feed's, by its name."""


@dataclass(slots=True)
class _Work:
    """Work that has not moved since `moved`; for the verdict only what is after `since` counts."""

    moved: float
    since: float
    at: int = 0
    waits: bool = True  # whether there is something to do


class Health:
    """What the runtime notes as it goes, and the two verdicts. Times are in seconds of `clock`."""

    def __init__(self, progress_timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout = progress_timeout_s
        self._clock = clock
        self._work: dict[tuple[str, Hashable], _Work] = {}  # by whose it is, and which
        self._waiting: dict[str, str] = {}  # for what concerns all work
        self._feeds: dict[str, str] = {}  # the feeds that wait for reference data, and why
        self._reference: str | None = None  # why the group waits for reference data
        self._retrying: dict[str, str] = {}
        self._not_yet = False
        self._ready_at = clock()
        self.starting: str | None = "starting"
        self.assigned = False
        self.failed: str | None = None

    def began(self, what: str) -> None:
        """The group has begun something that ends: a batch, a rebalance."""
        self._work[GROUP, what] = _Work(self._clock(), self._clock())

    def ended(self, what: str) -> None:
        """It is over, one way or the other; that alone moves no position."""
        self._work.pop((GROUP, what), None)

    def position(self, whose: str, what: Hashable, at: int, end: int) -> None:
        """The group, or a feed, has read `what` up to `at` of `end`."""
        known = self._work.get((whose, what))
        if known is None or known.at != at or not known.waits:
            known = self._work[whose, what] = _Work(self._clock(), self._clock(), at)
        known.waits = at < end

    def forget(self, whose: str, what: Hashable) -> None:
        """That is not read here any more."""
        self._work.pop((whose, what), None)

    def waiting(self, what: str, why: str | None) -> None:
        """The process waits for `what` (a server) because of `why`; None: not any more. Excuses all work."""
        if why is not None:
            self._waiting[what] = why
        elif self._waiting.pop(what, None) is not None and not self._waiting:
            self._begin_anew(*{whose for whose, _ in self._work})

    def feed_waits(self, feed: str, why: str | None) -> None:
        """A feed waits for reference data because of `why`; None: not any more. Excuses that feed alone."""
        if why is not None:
            self._feeds[feed] = why
        elif self._feeds.pop(feed, None) is not None:
            self._begin_anew(feed, *([GROUP] if self._not_yet else []))

    def retrying(self, server: str, why: str, pause_s: float) -> None:
        """What failed as `server` is away is tried again in `pause_s` seconds: no hang till then."""
        self._retrying[server] = why
        for (whose, _), work in self._work.items():
            if whose == GROUP:
                work.since = self._clock() + pause_s

    def not_yet(self, why: str, *, reference: bool = False) -> None:
        """The batch needs what is not there yet (`reference`: reference data), and is tried again."""
        self._retrying["batch"] = why
        self._not_yet = True
        self._wait_for_reference(why if reference else None)

    def recovered(self) -> None:
        """What was tried again went well."""
        self._retrying.clear()
        self._not_yet = False
        self._wait_for_reference(None)

    def retries(self, what: str) -> bool:
        """Whether something failed because of `what`, and has not gone well since."""
        return what in self._retrying

    def live(self) -> tuple[bool, str]:
        """Whether the process should go on running, and why."""
        if self.failed is not None:
            return False, self.failed
        if not self._waiting and (stuck := self._stuck()) is not None:
            return False, stuck
        if self.starting is not None or self._waits():
            return True, self._told()
        return True, "working" if any(work.waits for work in self._work.values()) else "idle"

    def ready(self) -> tuple[bool, str]:
        """Whether the process takes part in the work, and why not."""
        live, why = self.live()
        if not live or self.starting is not None or self._waits():
            return False, why
        return (True, "ready") if self.assigned else (False, "no partitions assigned")

    def unmoved(self) -> dict[str, float]:
        """For how many seconds the oldest work of the group and of each feed has not moved, 0 without any.

        Unlike in `live`, the time of waits counts.
        """
        now, ages = self._clock(), {GROUP: 0.0}
        for (whose, _), work in self._work.items():
            ages[whose] = max(ages.get(whose, 0.0), now - work.moved if work.waits else 0.0)
        return ages

    def unready_seconds(self) -> float:
        """For how long the process has not been ready, 0 if it is. To be asked every few seconds."""
        if self.ready()[0]:
            self._ready_at = self._clock()
        return self._clock() - self._ready_at

    def _wait_for_reference(self, why: str | None) -> None:
        if why is None and self._reference is not None:
            self._begin_anew(GROUP)
        self._reference = why

    def _begin_anew(self, *names: str) -> None:
        """The time spent waiting is no hang."""
        for (whose, _), work in self._work.items():
            if whose in names:
                work.since = self._clock()

    def _waits(self) -> bool:
        return bool(self._waiting or self._feeds or self._retrying or self._reference)

    def _excused(self, whose: str) -> bool:
        """Whether it waits for reference data, the group also for a feed that does: people bring them, and no
        restart helps."""
        if whose != GROUP:
            return whose in self._feeds
        return self._reference is not None or (self._not_yet and bool(self._feeds))

    def _stuck(self) -> str | None:
        now, ages = self._clock(), dict[str, float]()
        for (whose, _), work in self._work.items():
            if work.waits and not self._excused(whose):
                ages[whose] = max(ages.get(whose, 0.0), now - work.since)
        feed_moves = any(age < self._timeout for whose, age in ages.items() if whose != GROUP)
        for whose, age in sorted(ages.items()):
            # A batch that waits for a feed which is behind is no hang while that moves.
            if age >= self._timeout and not (whose == GROUP and self._not_yet and feed_moves):
                return f"{whose}: no progress for {age:.0f} s"
        return None

    def _told(self) -> str:
        waits = {**self._retrying, **self._waiting}
        waits |= {f"{feed} feed": why for feed, why in self._feeds.items()}
        if self._reference is not None:
            waits["reference data"] = self._reference
        if self.starting is not None:
            waits["start"] = self.starting
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
