"""The three services as processes of this machine, each with its settings in its environment."""

import asyncio
import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from engines import guard

SERVICES = ("registration", "dedup", "publisher")
READY_SECONDS = 60.0
STOP_SECONDS = 30.0


class ServiceFailed(Exception):
    """A service did not start, or ended by itself; the text names its log file."""


@dataclass(frozen=True, slots=True)
class RunningService:
    """A service as a child process."""

    name: str
    url: str
    log: Path
    process: asyncio.subprocess.Process

    async def get(self, path: str) -> str:
        """What it answers to GET. Raises OSError when it does not answer, or with another status than 200."""

        def fetch() -> str:
            with urllib.request.urlopen(self.url + path, timeout=5) as response:
                return str(response.read().decode())

        return await asyncio.to_thread(fetch)

    def hold(self) -> None:
        """Freeze it where it is."""
        self.process.send_signal(signal.SIGSTOP)

    def release(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def check(self) -> None:
        """Raise ServiceFailed if it has ended."""
        if self.process.returncode is not None:
            raise ServiceFailed(
                f"{self.name} ended with code {self.process.returncode}; the end of {self.log} says why"
            )


@asynccontextmanager
async def running_services(
    environment: Mapping[str, str], directory: Path, names: tuple[str, ...] = SERVICES
) -> AsyncIterator[dict[str, RunningService]]:
    """Start services, wait until each has its server up, end them on the way out.

    `environment` holds the settings that all of them share. Logs lie in `directory`.
    """
    services: dict[str, RunningService] = {}
    try:
        for name in names:
            services[name] = await start_service(name, environment, directory)
        await asyncio.gather(*(wait_live(service) for service in services.values()))
        yield services
    finally:
        await asyncio.gather(*(stop_service(service) for service in services.values()))


async def start_service(
    name: str,
    environment: Mapping[str, str],
    directory: Path,
    instance: int = 1,
    command: Sequence[str] | None = None,
) -> RunningService:
    """Start one service on a free port. Started again as the same instance, it takes its partitions back.

    It ends with this process, however that ends. `command` is what to run instead of the service's own
    module.
    """
    directory.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    log = directory / f"{name}-{instance}.log"
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *guard.tied(command or (sys.executable, "-m", f"services.{name}")),
            env={
                **os.environ,
                **environment,
                "ROLLSTREAM_HTTP__PORT": str(port),
                "ROLLSTREAM_RUNTIME__GROUP_INSTANCE_ID": f"{name}-{instance}",
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Its own session: Ctrl-C reaches this process alone, which then ends its children in order. It
            # cannot do that when it is killed: then the kernel asks them to end.
            start_new_session=True,
        )
    return RunningService(name, f"http://127.0.0.1:{port}", log, process)


async def wait_live(service: RunningService, path: str = "/health/live") -> None:
    """Return when `path` answers 200. Raises ServiceFailed."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            while True:
                service.check()
                try:
                    await service.get(path)
                    return
                except (OSError, urllib.error.URLError):
                    await asyncio.sleep(0.1)
    except TimeoutError:
        raise ServiceFailed(
            f"{service.name} does not answer {path} after {READY_SECONDS:.0f} s; see {service.log}"
        ) from None


async def stop_service(service: RunningService) -> None:
    """End it as an operator would, by SIGTERM; by force only when it does not go."""
    if service.process.returncode is not None:
        return
    service.process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await service.process.wait()
    except TimeoutError:
        service.process.kill()
        await service.process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
