"""A TCP proxy that misbehaves on demand, to stand between a service and a server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["to_server", "to_client"]

CHUNK = 64 * 1024


@dataclass(eq=False, slots=True)
class Link:
    """One connection; `lossy` once bytes of it were dropped: it can never be whole again."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    lossy: bool = False
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def reset(self) -> None:
        """End both halves at once, as a host does that has forgotten the connection."""
        for writer in (self.client, self.server):
            _reset(writer)


class Proxy:
    """Listens on `port` of this machine and passes bytes on to `target`.

    `refuse`: connections are cut and nobody listens. `stall`: connections are accepted and bytes are kept
    back, to be delivered after `heal`, as when packets are lost for a while. `drop`: the bytes of one
    direction are lost for good, new connections included; `heal` resets what lost any. `delay`: each piece
    comes later. `cut`: existing connections end, new ones work. `heal` undoes all of them.
    """

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self.target = target
        self._listener: asyncio.Server | None = None
        self._links: set[Link] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._dropped: frozenset[Direction] = frozenset()
        self._delay = 0.0
        self.carried = 0
        """Bytes that were passed on, both ways: 0 of a proxy that nobody used."""

    async def start(self) -> None:
        """Listen."""
        if self._listener is None:
            self._listener = await asyncio.start_server(self._accepted, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """End all connections and listen no more."""
        await self.refuse()
        for task in [task for link in self._links for task in link.tasks]:
            task.cancel()

    async def refuse(self) -> None:
        """Cut what there is; nobody listens from now on."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        self.cut()

    def cut(self) -> None:
        """Reset the connections that there are."""
        for link in list(self._links):
            link.reset()

    def stall(self) -> None:
        """Accept, and deliver nothing either way."""
        self._flowing.clear()

    def drop(self, *directions: Direction) -> None:
        """Lose what is sent in these directions."""
        self._dropped = frozenset(directions)

    def delay(self, seconds: float) -> None:
        """Deliver each piece so much later."""
        self._delay = seconds

    async def heal(self) -> None:
        """Behave."""
        self._delay = 0.0
        self._dropped = frozenset()
        for link in list(self._links):
            if link.lossy:
                link.reset()
        self._flowing.set()
        await self.start()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            _reset(writer)
            return
        link = Link(writer, to_server)
        self._links.add(link)
        link.tasks = [
            asyncio.create_task(self._pass_on(reader, to_server, "to_server", link)),
            asyncio.create_task(self._pass_on(from_server, writer, "to_client", link)),
        ]
        try:
            await asyncio.wait(link.tasks, return_when=asyncio.ALL_COMPLETED)
        finally:
            self._links.discard(link)
            for each in (writer, to_server):
                each.close()

    async def _pass_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, direction: Direction, link: Link
    ) -> None:
        try:
            while data := await source.read(CHUNK):
                if self._delay:
                    await asyncio.sleep(self._delay)
                await self._flowing.wait()
                if direction in self._dropped:
                    link.lossy = True
                    continue
                self.carried += len(data)
                sink.write(data)
                await sink.drain()
            await self._flowing.wait()
            if direction not in self._dropped:
                sink.write_eof()
        except OSError:
            link.reset()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def running(*proxies: Proxy) -> AsyncIterator[None]:
    """Proxies that listen within this block."""
    try:
        for proxy in proxies:
            await proxy.start()
        yield
    finally:
        for proxy in proxies:
            await proxy.stop()
