"""Where health and metrics are served, inside the service's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import structlog
import uvicorn

from shared.process.errors import StopService
from shared.process.health import HealthApp
from shared.process.settings import HttpSettings


@contextlib.asynccontextmanager
async def serving(http: HttpSettings, app: HealthApp, ended: Callable[[], None]) -> AsyncIterator[int]:
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
        app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
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
