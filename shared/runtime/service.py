"""The life of a service: wait for its servers, start its feeds, join the group, stop within a bound."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol

import structlog

from shared.contracts.topics import Topic
from shared.process.errors import StopService, StoreRolledBack, TransientError
from shared.process.health import PATHS, App, Health, HealthApp, Receive, Scope, Send
from shared.process.logging import configure_logging, describe
from shared.process.metrics import Metrics
from shared.process.settings import Settings, UnusableSettings
from shared.runtime.cancellation import only_ours
from shared.runtime.clients import connection_options
from shared.runtime.consumer import GroupMember
from shared.runtime.feed import TopicFeed
from shared.runtime.handler import ConsumerSpec
from shared.runtime.http import serving
from shared.runtime.outages import is_outage, refused
from shared.runtime.servers import Servers
from shared.runtime.subscription import Subscription
from shared.runtime.topics import require_topics
from shared.store.mongo import Mongo
from shared.store.progress import ProgressStore

Hook = Callable[[], Awaitable[None]]


class Background(Protocol):
    """Something that runs beside the consumer, such as a feed. If `run` ends, the process stops."""

    @property
    def name(self) -> str:
        """Short, for logs."""

    async def run(self) -> None:
        """Work until cancelled. Retries outages itself; `StopService` or any other error ends the process."""

    async def ready(self) -> None:
        """Return when the consumer may start."""


class Service:
    """What a service is made of; `run_service` runs it.

    `progress` is looked at every few seconds, so that a store that is taken away under an idle service is
    noticed, too. So are the positions of `feeds`, each of which runs inside one of `background`, against the
    broker's ends. `topics` are those that it reads or writes: they must be as the contract says. `on_start`
    hooks run in order once both servers answer (outputs, indexes) and are retried in an outage; `on_stop`
    hooks run in order at the end. One without a `consumer` is in no group: it is ready when its background
    is. `pages` serves every path but those of health and metrics.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        *,
        consumer: ConsumerSpec | None,
        metrics: Metrics,
        mongo: Mongo | None = None,
        progress: ProgressStore | None = None,
        background: Sequence[Background] = (),
        feeds: Sequence[TopicFeed] = (),
        topics: Sequence[Topic] = (),
        on_start: Sequence[Hook] = (),
        on_stop: Sequence[Hook] = (),
        pages: App | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.consumer = consumer
        self.metrics = metrics
        self.mongo = mongo
        self.progress = progress
        self.background = tuple(background)
        self.feeds = tuple(feeds)
        self.topics = tuple(topics)
        self.on_start = tuple(on_start)
        self.on_stop = tuple(on_stop)
        self.pages = pages
        self.health = Health(settings.runtime.progress_timeout_s)


def run_service(service: Service) -> int:
    """Run until SIGTERM, SIGINT or a reason to stop; answers the exit code: 0, or 1 and why is logged."""
    configure_logging(service.name, service.settings.log_level)
    return asyncio.run(ServiceRun(service).run(signals=True))


def run_created(name: str, settings: Settings, create: Callable[[Settings], Service]) -> int:
    """Create a service and run it. One that cannot be created says why as one that stops does."""
    configure_logging(name, settings.log_level)
    try:
        connection_options(settings.kafka, name)  # its files are read each time that a client is made
        service = create(settings)
    except (StopService, UnusableSettings) as stopped:
        cause = stopped.cause if isinstance(stopped, StopService) else "settings"
        structlog.get_logger().error("service stops", reason=str(stopped), cause=cause)
        return 1
    return run_service(service)


def _with_pages(health: HealthApp, pages: App | None) -> App:
    """Health and metrics, and the pages of a service that has some."""
    if pages is None:
        return health

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (health if scope.get("path") in PATHS else pages)(scope, receive, send)

    return app


class ServiceRun:
    """One run of a service. `port` is where it listens, once `listening` is set."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._settings = service.settings
        self._runtime = service.settings.runtime
        self._health = service.health
        self._log = structlog.get_logger()
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._subscription: Subscription | None = None
        self._member: GroupMember | None = None
        self._servers = Servers(service)
        self.failure: StopService | None = None
        self.listening = asyncio.Event()
        self.port = 0

    async def run(self, *, signals: bool = False) -> int:
        """Run to the end and answer the exit code."""
        # What was imported is no garbage: each time that it is looked through, the event loop waits 60 ms.
        gc.freeze()
        with self._signals() if signals else contextlib.nullcontext():
            try:
                app = _with_pages(
                    HealthApp(self._health, self._service.metrics.registry), self._service.pages
                )
                async with serving(self._settings.http, app, self._missed) as self.port:
                    self.listening.set()
                    self._spawn(self._work(), "service")
                    self._spawn(self._watch(), "watch")
                    await self._stop.wait()
                    clean = await self._shut_down()
                    if self.failure is not None and not isinstance(self.failure, StoreRolledBack):
                        self._stop.clear()  # a signal ends the wait
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._stop.wait(), self._runtime.failed_linger_s)
            except StopService as error:
                self.fail(error)
                clean = True
        code = 0 if clean and self.failure is None else 1
        self._log.info("stopped", exit_code=code)
        return code

    def stop(self) -> None:
        """Begin to stop, as SIGTERM does."""
        self._stop.set()

    def fail(self, error: StopService) -> None:
        """Stop with a non-zero exit code; the first reason is kept."""
        if self.failure is None:
            self.failure = error
            self._log.error("service stops", reason=error.reason, cause=error.cause)
            self._service.metrics.stopped.labels(cause=error.cause).set(1)
            self._health.failed = error.cause
        self._stop.set()

    async def _work(self) -> None:
        service, health = self._service, self._health
        await self._retry("servers", self._servers.reach)
        await self._retry("topics", self._check_topics)
        for hook in service.on_start:
            await self._retry("start", hook)
        for background in service.background:
            self._spawn(background.run(), background.name)
        for background in service.background:
            health.starting = background.name
            await self._retry(background.name, background.ready)
        if service.consumer is None:
            health.assigned = True
        else:
            health.starting = "group"
            self._member = GroupMember(service.consumer, self._settings, service.metrics, health, self.fail)
            self._subscription = Subscription(service.name, service.consumer, self._settings, self._member)
            await self._retry("group", self._subscription.start)
        health.starting = None
        self._log.info("started")
        await asyncio.Event().wait()

    async def _watch(self) -> None:
        while True:
            with only_ours():
                await self._servers.probe(self._member)
            for feed, seconds in self._health.unmoved().items():
                self._service.metrics.unmoved_seconds.labels(feed=feed).set(seconds)
            self._service.metrics.unready_seconds.set(self._health.unready_seconds())
            await asyncio.sleep(self._runtime.probe_interval_s)

    def _spawn(self, work: Any, name: str) -> None:
        async def watched() -> None:
            try:
                await work
                raise StopService(f"{name} ended", cause="background")
            except StopService as error:
                self.fail(error)
            except asyncio.CancelledError as error:
                if self._stop.is_set():
                    raise
                # Nobody here cancels a task before the service stops: a library did, and it would be missed.
                self._log.error("unexpected error", feed=name, **describe(error))
                self.fail(StopService(f"{name} was cancelled", cause="background"))
            except Exception as error:
                if (refusing := refused(error, self._settings)) is not None:
                    self.fail(refusing)
                    return
                self._log.error("unexpected error", feed=name, **describe(error))
                self.fail(StopService(f"{name}: unexpected {type(error).__name__}", cause="bug"))

        self._tasks.append(asyncio.create_task(watched(), name=name))

    def _missed(self) -> None:
        if not self._stop.is_set():
            self.fail(StopService("the HTTP server ended", cause="background"))

    async def _retry(self, what: str, hook: Hook) -> None:
        """Do `hook` until no server is away any more: alive, not ready."""
        delay = self._runtime.backoff_initial_s
        while True:
            try:
                with only_ours():
                    await hook()
                return
            except Exception as error:
                if not is_outage(error):
                    raise
                reason = str(error) if isinstance(error, TransientError) else type(error).__name__
                self._log.warning("waiting", state=what, backoff=delay, reason=reason)
                self._health.starting = f"{what}: {reason}"
            await asyncio.sleep(delay)
            delay = min(2 * delay, self._runtime.backoff_max_s)

    async def _check_topics(self) -> None:
        await require_topics(self._settings, self._service.topics, f"{self._service.name}-topics")

    async def _shut_down(self) -> bool:
        """Stop everything; False if the bound was reached first."""
        self._health.waiting("stop", "stopping")
        try:
            async with asyncio.timeout(self._runtime.stop_timeout_s):
                if self._member is not None:
                    await self._member.stop()
                if self._subscription is not None:
                    await self._subscription.stop()
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)
                for hook in self._service.on_stop:
                    await hook()
                await self._servers.close()
        except TimeoutError:
            self._log.warning("did not stop in time", timeout=self._runtime.stop_timeout_s)
            return False
        return True

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()

        def handle(number: int, _frame: object) -> None:
            # A handler that blocks the loop would never see the event: this thread ends the process then.
            self._log.info("signal", signal=signal.Signals(number).name)
            killer = threading.Timer(self._runtime.stop_timeout_s + 3, os._exit, (1,))
            killer.daemon = True
            killer.start()
            loop.call_soon_threadsafe(self._stop.set)

        previous = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
