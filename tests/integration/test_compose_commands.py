"""Every command, variable, mount and health check of ours in docker-compose.yml, run here without Docker.

Instead of containers there are processes, instead of the two servers' hosts the embedded engines, instead of
mounts the files that they would show. Everything else is taken from the file as it stands.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from engines import Engines, LocalEngine, embedded_engines, guard
from tests.kit.compose import SERVICES, compose

pytestmark = pytest.mark.asyncio(loop_scope="module")

BIN = Path(sys.executable).parent
STARTED_SECONDS = 60.0


@dataclass
class Stack:
    """The file, and what stands in for its containers."""

    file: dict[str, Any]
    engines: Engines[LocalEngine]
    directory: Path
    ports: dict[str, str] = field(default_factory=dict)
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    def environment(self, name: str) -> dict[str, str]:
        """What the container would have, with this machine's addresses and paths; nothing of ours."""
        service = self.file["services"][name]
        environment: dict[str, str] = dict(service["environment"])
        assert environment["ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS"].split(":")[0] in self.file["services"]
        assert environment["ROLLSTREAM_MONGO__URI"].split("/")[2].split(":")[0] in self.file["services"]
        mounts = self.mounts(name)
        for target, source in mounts.items():
            environment = {
                variable: value.replace(target, source, 1) if value.startswith(target) else value
                for variable, value in environment.items()
            }
        [shared] = service["env_file"]
        if Path(shared["path"]).exists():
            lines = Path(shared["path"]).read_text().splitlines()
            environment |= dict(line.split("=", 1) for line in lines)
        else:
            assert not shared["required"]
        assert not [value for value in environment.values() if value.startswith("/register")]
        self.ports.setdefault(name, free_port())
        return {
            **environment,
            **self.engines.environment,
            "ROLLSTREAM_HTTP__PORT": self.ports[name],
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(self.directory),
        }

    def mounts(self, name: str) -> dict[str, str]:
        """Where what the container would see under a path lies here."""
        volumes = self.file["services"][name].get("volumes", ())
        return {mount["target"]: mount["source"] for mount in volumes}

    async def once(self, name: str) -> tuple[int, str]:
        """Run a service that ends by itself; answers its exit code and output."""
        mounts = self.mounts(name)
        command = [mounts.get(word, word) for word in self.file["services"][name]["command"]]
        return await run(command, self.environment(name), self.directory)

    async def start(self, name: str) -> None:
        """`docker compose up` of one service."""
        with (self.directory / f"{name}.log").open("ab") as log:
            self.running[name] = await asyncio.create_subprocess_exec(
                *guard.tied(self.file["services"][name]["command"]),
                env=self.environment(name),
                cwd=self.directory,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def healthy(self, name: str, path: str = "/health/live") -> bool:
        """The verdict of the file's own health check, or of the same command on another path."""
        service = self.file["services"][name]
        kind, *command = service["healthcheck"]["test"]
        assert kind == "CMD"
        inside = service["environment"]["ROLLSTREAM_HTTP__PORT"]
        command = [
            part.replace(f":{inside}/", f":{self.ports[name]}/").replace("/health/live", path)
            for part in command
        ]
        return (await run(command, self.environment(name), self.directory))[0] == 0

    async def eventually(self, name: str, path: str) -> bool:
        """Whether it becomes so within a minute, while the process runs."""
        for _ in range(int(STARTED_SECONDS)):
            if await self.healthy(name, path):
                return True
            if self.running[name].returncode is not None:
                return False
            await asyncio.sleep(1)
        return False

    async def stop(self, name: str) -> int:
        """`docker compose stop`: SIGTERM, then no longer than the file's grace period."""
        process = self.running[name]
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        grace = float(self.file["services"][name]["stop_grace_period"].removesuffix("s"))
        async with asyncio.timeout(grace):
            return await process.wait()

    def log(self, name: str) -> str:
        """The end of what it said, for a failure's message."""
        return (self.directory / f"{name}.log").read_text()[-2000:]


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


async def run(command: list[str], environment: Mapping[str, str], cwd: Path) -> tuple[int, str]:
    """The exit code and the output of a command that ends by itself."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        cwd=cwd,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, output.decode(errors="replace")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """The engines, a register made by `rollstream init`, the topics, and the services started."""
    directory = tmp_path_factory.mktemp("compose")
    file = compose({"REGISTER_DIR": str(directory / "register")})
    async with embedded_engines(directory / "engines") as engines:
        stack = Stack(file, engines, directory)
        (directory / "register").mkdir()
        for name in ("init", "topics", "adoptions"):
            code, output = await stack.once(name)
            assert code == 0, f"{name}: {output[-2000:]}"
        try:
            for name in SERVICES:
                await stack.start(name)
            yield stack
        finally:
            for process in stack.running.values():
                if process.returncode is None:
                    process.kill()
                    await process.wait()


@pytest.mark.parametrize("name", ["topics", "adoptions"])
async def test_what_runs_at_each_start_may_run_again(stack: Stack, name: str) -> None:
    code, output = await stack.once(name)
    assert code == 0, output[-2000:]


async def test_a_second_first_start_makes_no_second_set_of_keys(stack: Stack) -> None:
    code, output = await stack.once("init")
    assert code == 1
    assert "choose another folder" in output


@pytest.mark.parametrize("name", SERVICES)
async def test_each_service_passes_its_health_check_and_becomes_ready(stack: Stack, name: str) -> None:
    assert await stack.eventually(name, "/health/live"), stack.log(name)
    assert await stack.eventually(name, "/health/ready"), stack.log(name)
    assert await stack.healthy(name, "/metrics")


@pytest.mark.parametrize("name", SERVICES)
async def test_each_service_stops_within_its_grace_period_and_then_fails_its_check(
    stack: Stack, name: str
) -> None:
    assert await stack.stop(name) == 0, stack.log(name)
    assert not await stack.healthy(name)


@pytest.mark.parametrize("name", ["registration", "publisher"])
async def test_a_service_without_its_key_does_not_start(stack: Stack, name: str) -> None:
    [key] = [
        variable for variable in stack.file["services"][name]["environment"] if variable.endswith("KEY_FILE")
    ]
    environment = {**stack.environment(name), key: str(stack.directory / "nowhere.pem")}
    environment["ROLLSTREAM_RUNTIME__FAILED_LINGER_S"] = "0"
    code, output = await run(stack.file["services"][name]["command"], environment, stack.directory)
    assert code != 0
    assert "nowhere.pem" in output
