"""A shell of somebody who types commands: real processes, settings in their environment."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines import Engines, LocalEngine

REGISTER = "kh-cli"
NOBODY = {
    "ROLLSTREAM_REGISTER": REGISTER,
    "ROLLSTREAM_FOUNDING_OFFICERS": "0" * 64,
    "ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "ROLLSTREAM_MONGO__URI": "mongodb://127.0.0.1:1",
    "ROLLSTREAM_MONGO__TIMEOUT_MS": "300",
}
"""Settings under which no server answers."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Terminal:
    """A shell of someone who sits in `directory`."""

    environment: Mapping[str, str]
    directory: Path

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        others = {name: value for name, value in os.environ.items() if not name.startswith("ROLLSTREAM_")}
        return await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("rollstream")),
            *words,
            env={**others, **self.environment, "COLUMNS": "200"},
            cwd=self.directory,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )

    async def try_(self, *words: str, typed: str = "") -> Ended:
        process = await self.start(*words)
        out, err = await process.communicate(typed.encode())
        said = out.decode() + err.decode()
        assert "Traceback" not in said and "Unclosed" not in said, said
        return Ended(process.returncode or 0, out.decode(), err.decode())

    async def run(self, *words: str, typed: str = "") -> Ended:
        ended = await self.try_(*words, typed=typed)
        assert ended.code == 0, ended
        return ended

    async def told(self, *words: str) -> str:
        """The error of a command that must fail, in one piece."""
        ended = await self.try_(*words)
        assert ended.code == 1, ended
        return ended.err

    async def two(self, *words: str, by: str) -> str:
        """Propose as one officer and approve as another; answers the proposal's id."""
        proposal = await self.run(*words, *officer(by), "--json")
        await self.run("approve", proposal.json["id"], "--yes", *officer("second-officer"))
        return str(proposal.json["id"])

    async def verdict(self, command_id: str) -> dict[str, Any]:
        """What `status` says of a command, once it is settled."""
        async with asyncio.timeout(60):
            while True:
                for each in (await self.run("status", "--json")).json["commands"]:
                    if each["_id"] == command_id and each["verdict"] != "open":
                        return dict(each)


def officer(name: str) -> tuple[str, ...]:
    return ("--officer", name, "--key", f"register/keys/{name}.pem")


def settings_for(engines: Engines[LocalEngine], directory: Path) -> dict[str, str]:
    return {
        "ROLLSTREAM_REGISTER": REGISTER,
        "ROLLSTREAM_KAFKA__PARTITIONS": "3",
        "ROLLSTREAM_REFERENCE_DIR": str(directory / "register/reference"),
        "ROLLSTREAM_SIGNING__KEY_FILE": str(directory / "register/keys/signing.pem"),
        "ROLLSTREAM_MARKER__KEY_FILE": str(directory / "register/keys/marker.pem"),
        **engines.environment,
    }
