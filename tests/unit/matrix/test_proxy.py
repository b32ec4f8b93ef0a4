"""The proxy that stands between services and servers: each way of its misbehaviour is what it says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from engines.engine import free_port
from tests.kit.proxy import Direction, Proxy, running

SHORT_S = 0.3


@asynccontextmanager
async def echo(heard: list[bytes]) -> AsyncIterator[Proxy]:
    """A server that answers what it is told, behind a proxy."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1024):
                heard.append(data)
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    proxy = Proxy(free_port(), free_port())
    server = await asyncio.start_server(answer, "127.0.0.1", proxy.target)
    async with server, running(proxy):
        yield proxy


async def connect(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes) -> bytes:
    writer.write(text)
    async with asyncio.timeout(SHORT_S):
        return await reader.read(1024)


async def test_bytes_pass_both_ways() -> None:
    async with echo([]) as proxy:
        assert await ask(*await connect(proxy), b"hello") == b"hello"
        assert proxy.carried == 10


async def test_a_server_that_is_gone_ends_the_connection() -> None:
    proxy = Proxy(free_port(), free_port())
    async with running(proxy):
        reader, _ = await connect(proxy)
        with pytest.raises(ConnectionError):
            await reader.read(1)


async def test_refused_connections_are_cut_and_none_is_taken_until_healed() -> None:
    async with echo([]) as proxy:
        reader, writer = await connect(proxy)
        assert await ask(reader, writer, b"a") == b"a"
        await proxy.refuse()
        with pytest.raises(ConnectionError):
            await ask(reader, writer, b"b")
        with pytest.raises(ConnectionRefusedError):
            await connect(proxy)
        await proxy.heal()
        assert await ask(*await connect(proxy), b"c") == b"c"


async def test_a_stalled_connection_is_taken_and_delivers_everything_later() -> None:
    heard: list[bytes] = []
    async with echo(heard) as proxy:
        proxy.stall()
        reader, writer = await connect(proxy)
        with pytest.raises(TimeoutError):
            await ask(reader, writer, b"late")
        assert heard == []
        await proxy.heal()
        async with asyncio.timeout(SHORT_S):
            assert await reader.read(1024) == b"late"


@pytest.mark.parametrize(("direction", "arrives"), [("to_server", []), ("to_client", [b"lost"])])
async def test_what_goes_in_a_dropped_direction_is_lost_and_healing_resets_the_connection(
    direction: Direction, arrives: list[bytes]
) -> None:
    heard: list[bytes] = []
    async with echo(heard) as proxy:
        reader, writer = await connect(proxy)
        proxy.drop(direction)
        with pytest.raises(TimeoutError):
            await ask(reader, writer, b"lost")
        assert heard == arrives
        await proxy.heal()
        with pytest.raises(ConnectionError):
            await ask(reader, writer, b"again")
        assert await ask(*await connect(proxy), b"new") == b"new"


async def test_a_delay_comes_on_each_way() -> None:
    async with echo([]) as proxy:
        reader, writer = await connect(proxy)
        proxy.delay(SHORT_S)
        with pytest.raises(TimeoutError):
            await ask(reader, writer, b"slow")
        async with asyncio.timeout(3 * SHORT_S):
            assert await reader.read(1024) == b"slow"


async def test_a_cut_ends_what_there_is_and_new_connections_work() -> None:
    async with echo([]) as proxy:
        reader, writer = await connect(proxy)
        assert await ask(reader, writer, b"a") == b"a"
        proxy.cut()
        with pytest.raises(ConnectionError):
            await ask(reader, writer, b"b")
        assert await ask(*await connect(proxy), b"c") == b"c"
