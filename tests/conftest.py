"""Engines for tests. Each fixture is synchronous, so that no event loop is shared between tests.

By default the embedded engines; `ROLLSTREAM_TEST_ENGINES=real` takes Apache Kafka and `secantusd-rs` instead,
and the settings' own variables name servers that run already.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from engines import Engine, Engines, LocalEngine, embedded_engines
from engines import engines as named_or_embedded
from engines.embedded import KAFKA_VARIABLE, MONGO_VARIABLE
from tests.kit.engines import real_engines as real

E = TypeVar("E", bound=Engine)
R = TypeVar("R")


def pytest_configure() -> None:
    """Before any test is read.

    How long an example takes says nothing on a busy machine. A shell starts what runs in its background with
    SIGINT ignored, and a child would inherit that.
    """
    settings.register_profile("any-load", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any-load")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def running(
    context: AbstractAsyncContextManager[Engines[E]], *, forget: bool = False
) -> Iterator[Engines[E]]:
    """Engines as a synchronous block, with a thread and a loop of their own whatever loop the caller is in.

    `forget` kills the store at the end: a clean end takes it seconds.
    """
    with ThreadPoolExecutor(1) as thread, asyncio.Runner() as runner:

        def wait_for(call: Callable[[], Coroutine[Any, Any, R]]) -> R:
            return thread.submit(lambda: runner.run(call())).result()

        async def enter() -> Engines[E]:
            return await context.__aenter__()

        async def leave() -> None:
            if forget and isinstance(started.mongo, LocalEngine) and started.mongo.runs:
                await started.mongo.kill()
            await context.__aexit__(None, None, None)

        started = wait_for(enter)
        try:
            yield started
        finally:
            wait_for(leave)


def _real_wanted() -> bool:
    return os.environ.get("ROLLSTREAM_TEST_ENGINES") == "real"


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines[Engine]]:
    """A broker and a store for the whole session: use topics and databases with names of your own."""
    directory = tmp_path_factory.mktemp("engines")
    named = KAFKA_VARIABLE in os.environ or MONGO_VARIABLE in os.environ
    if _real_wanted() and not named:
        with running(real(directory)) as started:
            yield Engines[Engine](started.kafka, started.mongo)
    else:
        with running(named_or_embedded(directory)) as found:
            yield found


@pytest.fixture
def fresh_engines(tmp_path: Path) -> Iterator[Engines[LocalEngine]]:
    """A broker and a store for one test alone, in which the contract's topics are not there yet.

    Never servers that someone else runs, whose topics a test must not touch. An embedded pair costs less than
    two seconds, and leaves no group members behind, which the embedded broker never lets go.
    """
    with running(
        (real if _real_wanted() else embedded_engines)(tmp_path / "engines"), forget=True
    ) as started:
        yield started


@pytest.fixture
def real_engines(tmp_path: Path) -> Iterator[Engines[LocalEngine]]:
    """Apache Kafka and `secantusd-rs` for one test alone (marked `engines`), which may kill them."""
    with running(real(tmp_path / "engines"), forget=True) as started:
        yield started
