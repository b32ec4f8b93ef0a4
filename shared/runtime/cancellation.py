"""A CancelledError that nobody asked of this task is an error like any other, and ends no task.

aiokafka lets that of a task of its own out to whoever stops or asks a client (`Fetcher.close`, seen with a
broker that refuses connections). It passes `except Exception`, and a feed that it ended was never missed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

from shared.process.errors import TransientError
from shared.process.warn import warn

CLOSE_SECONDS = 5.0
"""How long a client may take to close, whatever the brokers do."""


@contextlib.contextmanager
def only_ours() -> Iterator[None]:
    """Let a cancellation of this task through; any other comes out as TransientError."""
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise TransientError("a client was cancelled from within") from error


async def close(client: Any) -> None:
    """Stop a client (`stop`, or `close` where it has none): within a bound, and without an error."""
    stop = client.stop if hasattr(client, "stop") else client.close
    try:
        with only_ours():
            async with asyncio.timeout(CLOSE_SECONDS):
                await stop()
    except Exception as error:
        warn("a client did not close", error=type(error).__name__)
