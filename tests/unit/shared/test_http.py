"""What strangers on the port of health and metrics can do: nothing that keeps a probe from its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry

from shared.process.health import Health, HealthApp
from shared.process.settings import HttpSettings
from shared.runtime import http

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    async with http.serving(
        HttpSettings(port=0), HealthApp(Health(60), CollectorRegistry()), lambda: None
    ) as port:
        async with asyncio.timeout(5):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                except OSError:
                    await asyncio.sleep(0.01)
        yield port


async def answer(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(5):
            return await reader.readuntil(b"\r\n")
    finally:
        writer.close()


async def is_closed(connection: Connection, within: float) -> bool:
    try:
        async with asyncio.timeout(within):
            return await connection[0].read() == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


GET = b"GET /health/live HTTP/1.1\r\nhost: x\r\n"


async def test_a_request_has_a_limit_in_bytes() -> None:
    async with served() as port:
        assert b" 200 " in await answer(port, GET + b"x: " + bytes([97]) * 8_000 + b"\r\n\r\n")
        large = GET + b"x: " + bytes([97]) * (2 * http.HEADER_BYTES)
        assert b" 400 " in await answer(port, large)
        assert b" 400 " in await answer(port, GET + b"x: a\r\n" * http.HEADER_BYTES)
        assert b" 405 " in await answer(
            port, b"POST /health/live HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n"
        )


async def test_a_connection_ends_however_slow_the_other_side_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "CONNECTION_SECONDS", 0.5)
    async with served() as port:
        silent = await asyncio.open_connection("127.0.0.1", port)
        slow = await asyncio.open_connection("127.0.0.1", port)
        slow[1].write(GET)
        assert not await is_closed(silent, 0.1)
        assert await is_closed(silent, 3) and await is_closed(slow, 3)


async def test_who_holds_many_connections_keeps_no_probe_from_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "MOST_CONNECTIONS", 10)
    async with served() as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(30)]
        assert b" 200 " in await answer(port, GET + b"\r\n")
        closed = [await is_closed(each, 0.2) for each in held]
        assert all(closed[:19]) and not any(closed[-8:]), "the oldest are closed"
        for _, writer in held:
            writer.close()
