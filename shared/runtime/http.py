"""Where health, metrics and pages are served, inside the service's own event loop.

Whoever reaches the port may send anything, as slowly as they like. A request has at most HEADER_BYTES, a
connection lives for at most CONNECTION_SECONDS, and of more than MOST_CONNECTIONS the oldest is closed, so
that who holds many keeps no probe from its answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from shared.process.errors import StopService
from shared.process.health import App
from shared.process.settings import HttpSettings

HEADER_BYTES = 16 * 1024
CONNECTION_SECONDS = 30.0
MOST_CONNECTIONS = 100


@contextlib.asynccontextmanager
async def serving(http: HttpSettings, app: App, ended: Callable[[], None]) -> AsyncIterator[int]:
    """Serve `app`; gives the port. `ended` is called when the server ends, at the end of the block too.

    Raises StopService if the port is taken.
    """
    family = socket.AF_INET6 if ":" in http.host else socket.AF_INET
    try:
        listener = socket.create_server((http.host, http.port), family=family)
    except OSError as error:
        raise StopService(
            f"cannot listen on {http.host}:{http.port}: set another ROLLSTREAM_HTTP__PORT", cause="port"
        ) from error
    port = int(listener.getsockname()[1])
    config = uvicorn.Config(
        app,
        http=_Bounded,
        ws="none",
        h11_max_incomplete_event_size=HEADER_BYTES,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    task.add_done_callback(lambda _: ended())
    structlog.get_logger().info("listening", host=http.host, port=port)
    try:
        yield port
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """Leaves signals to the service."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Bounded(H11Protocol):
    """A connection that ends in time, whatever the other side does."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.since = time.monotonic()
        self._end = asyncio.get_running_loop().call_later(CONNECTION_SECONDS, transport.abort)
        if len(self.connections) > MOST_CONNECTIONS:
            oldest = min((each for each in self.connections if isinstance(each, _Bounded)), key=_since)
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        super().connection_lost(exc)


def _since(connection: _Bounded) -> float:
    return connection.since
