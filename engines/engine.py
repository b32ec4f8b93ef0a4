"""One server: either a process of ours, or one that runs elsewhere."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from engines import guard

START_SECONDS = 60.0
STOP_SECONDS = guard.GRACE_SECONDS + 5
_POLL_SECONDS = 0.05
# Below the range from which systems give ports to outgoing connections, so that none takes the port of a
# server that is about to start again.
_PORTS = range(20_000, 32_000)


class EngineFailed(Exception):
    """A server did not start, did not answer or did not end; the text says where its log is."""


class Engine(ABC):
    """A server that others reach at `address`."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address

    @abstractmethod
    async def start(self) -> None:
        """Return when the server answers. Raises EngineFailed if it does not within a bound."""

    @abstractmethod
    async def stop(self) -> None:
        """Return when the server has ended by itself, its data saved."""

    async def restart(self) -> None:
        """Stop and start, at the same address and on the same data."""
        await self.stop()
        await self.start()


class ExternalEngine(Engine):
    """A server that someone else runs: Rollstream neither starts nor stops it."""

    async def start(self) -> None:
        raise EngineFailed(f"{self.name} is run by someone else: it cannot be started from here")

    async def stop(self) -> None:
        raise EngineFailed(f"{self.name} is run by someone else: it cannot be stopped from here")


class LocalEngine(Engine):
    """A server as a child process, with its log and process id beside its data in `directory`.

    `answers` is tried until it raises nothing: a listening port alone does not say that a server works.
    """

    def __init__(
        self,
        name: str,
        address: str,
        directory: Path,
        command: Sequence[str],
        answers: Callable[[str], Awaitable[None]],
    ) -> None:
        super().__init__(name, address)
        self._directory = directory.absolute()
        self._command = list(command)
        self._answers = answers
        self._guard: subprocess.Popen[bytes] | None = None
        self._lock_fd: int | None = None

    @property
    def log(self) -> Path:
        """The file with the server's stdout and stderr."""
        return self._directory / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """Process id of the running server itself, for tests that kill or suspend it."""
        return int((self._directory / f"{self.name}.pid").read_text())

    @property
    def runs(self) -> bool:
        """Whether the server was started and has not ended since."""
        return self._guard is not None and self._guard.poll() is None

    def hold(self, lock_fd: int) -> None:
        """Let the server's guard keep this lock for as long as it runs, even if this process is gone."""
        self._lock_fd = lock_fd

    async def start(self) -> None:
        if self.runs:
            raise EngineFailed(f"{self.name} runs already")
        self._guard = self._spawn()
        try:
            await self._wait_until_it_answers(self._guard)
        except BaseException:
            self._guard.terminate()
            raise

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._directory.mkdir(parents=True, exist_ok=True)
        guarded = [str(os.getpid()), str(self._directory), self.name, *self._command]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__, *guarded],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                pass_fds=() if self._lock_fd is None else (self._lock_fd,),
            )

    async def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        problem = "it does not listen"
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise EngineFailed(self._report(f"ended with code {process.returncode} while starting"))
            if await _listens(self.address):
                try:
                    async with asyncio.timeout(5):
                        return await self._answers(self.address)
                except Exception as error:
                    problem = f"{type(error).__name__} {error}"
            await asyncio.sleep(_POLL_SECONDS)
        raise EngineFailed(self._report(f"did not answer within {START_SECONDS:.0f} s ({problem})"))

    async def stop(self) -> None:
        process, self._guard = self._guard, None
        if process is None:
            return
        process.terminate()
        await self._ended(process)

    async def kill(self) -> None:
        """End the server at once, as a power cut would. Never `noida-db`: it loses what it acknowledged."""
        process, self._guard = self._guard, None
        if process is None:
            raise EngineFailed(f"{self.name} does not run")
        os.kill(self.pid, signal.SIGKILL)
        await self._ended(process)

    async def _ended(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        while process.poll() is None:
            if time.monotonic() > deadline:
                raise EngineFailed(self._report(f"did not end within {STOP_SECONDS:.0f} s"))
            await asyncio.sleep(_POLL_SECONDS)

    def _report(self, what: str) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-5:] if self.log.exists() else []
        return "\n  ".join([f"{self.name} {what}; its log is {self.log}", *lines])


async def _listens(address: str) -> bool:
    host, port = address.removeprefix("mongodb://").split("/")[0].rsplit(":", 1)
    try:
        async with asyncio.timeout(5):
            _, writer = await asyncio.open_connection(host, int(port))
    except OSError:  # TimeoutError is one of these
        return False
    writer.close()
    return True


def free_port() -> int:
    """A port of this machine on which nobody listens now, outside the range of outgoing connections."""
    for port in random.sample(_PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise EngineFailed(f"no free port found between {_PORTS.start} and {_PORTS.stop}")
