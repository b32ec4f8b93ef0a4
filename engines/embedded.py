"""Broker and store for one machine: from pip alone, without Docker and Java, each a process of its own."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import stat
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Generic, TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr

from client.output import console
from engines.engine import Engine, EngineFailed, ExternalEngine, LocalEngine, free_port
from shared.process.settings import MongoSettings
from shared.store.mongo import Mongo

KAFKA_VARIABLE = "ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS"
MONGO_VARIABLE = "ROLLSTREAM_MONGO__URI"
LOCK_SECONDS = 30.0
# The wheel's store looks through the whole list for each document: 500 keys take 0.19 s, 50 take 4 ms.
EMBEDDED_IN_LIMIT = 50

E_co = TypeVar("E_co", bound=Engine, covariant=True)


@dataclass(frozen=True)
class Engines(Generic[E_co]):
    """A broker and a store that answer."""

    kafka: E_co
    mongo: E_co
    in_limit: int | None = None
    """Longest `$in` that this store answers quickly; None if the setting's default will do."""

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` of the broker."""
        return self.kafka.address

    @property
    def mongo_uri(self) -> str:
        """Connection string of the store; of an external one it may hold a password."""
        return self.mongo.address

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make Rollstream's processes use these servers."""
        variables = {KAFKA_VARIABLE: self.bootstrap_servers, MONGO_VARIABLE: self.mongo_uri}
        if self.in_limit is not None:
            variables["ROLLSTREAM_MONGO__IN_LIMIT"] = str(self.in_limit)
            variables["ROLLSTREAM_MONGO__JOURNAL"] = "false"
        return variables


def embedded_kafka(directory: Path) -> LocalEngine:
    """The broker of the `noida-db` wheel, its data in `directory`, not started."""
    if find_spec("noida_db") is None:
        raise EngineFailed("the embedded broker is not installed: pip install 'rollstream[embedded]'")
    # The wheel's own console script is a wrapper that leaves its server behind when it is killed.
    program = Path(str(files("noida_db").joinpath("noida-db")))
    if not os.access(program, os.X_OK):
        program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    port = free_port()
    data = ["--data-dir", str(directory.absolute() / "kafka")]
    command = [str(program), "start", "--only", "kafka", "--kafka-port", str(port), *data]
    return LocalEngine("kafka", f"127.0.0.1:{port}", directory, command, kafka_answers)


def embedded_mongo(directory: Path) -> LocalEngine:
    """The store of the `SecantusDB` wheel, its data in `directory`, not started."""
    if find_spec("secantus") is None:
        raise EngineFailed("the embedded store is not installed: pip install 'rollstream[embedded]'")
    port = free_port()
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory.absolute() / "mongo.toml"
    configuration.touch()  # an empty one, lest it take someone's from the home directory
    command = [sys.executable, "-P", "-m", "secantus", "--config", str(configuration)]
    command += ["--port", str(port), "--storage-path", str(directory.absolute() / "mongo")]
    return LocalEngine("mongo", f"mongodb://127.0.0.1:{port}", directory, command, mongo_answers)


@asynccontextmanager
async def embedded_engines(directory: Path, fresh: bool = True) -> AsyncIterator[Engines[LocalEngine]]:
    """The embedded broker and store, their data and logs in `directory` (emptied first if `fresh`).

    They end with this block, and also when this process is killed. Raises EngineFailed if one does not start
    or another process uses the directory.
    """
    async with locked(directory, fresh) as lock, AsyncExitStack() as stack:
        kafka, mongo = embedded_kafka(directory), embedded_mongo(directory)
        await run(stack, lock, kafka, mongo)
        yield Engines(kafka, mongo, EMBEDDED_IN_LIMIT)


@asynccontextmanager
async def engines(
    directory: Path, fresh: bool = True, environ: Mapping[str, str] = os.environ
) -> AsyncIterator[Engines[Engine]]:
    """The servers that `environ` names, and embedded ones in `directory` for those that it does not."""
    external_kafka, external_mongo = environ.get(KAFKA_VARIABLE), environ.get(MONGO_VARIABLE)
    async with locked(directory, fresh) as lock, AsyncExitStack() as stack:
        kafka = ExternalEngine("kafka", external_kafka) if external_kafka else embedded_kafka(directory)
        mongo = ExternalEngine("mongo", external_mongo) if external_mongo else embedded_mongo(directory)
        await run(stack, lock, *(engine for engine in (kafka, mongo) if isinstance(engine, LocalEngine)))
        yield Engines(kafka, mongo, None if external_mongo else EMBEDDED_IN_LIMIT)


async def run(stack: AsyncExitStack, lock: int, *chosen: LocalEngine) -> None:
    """Start `chosen`; `stack` will stop them."""
    for engine in chosen:
        engine.hold(lock)
        stack.push_async_callback(engine.stop)
        await engine.start()


@asynccontextmanager
async def locked(directory: Path, fresh: bool) -> AsyncIterator[int]:
    """Hold `directory` alone; waits a little for engines that are still ending after a crash."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        for tried in range(int(LOCK_SECONDS * 10)):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not tried:
                    console(stderr=True).print(
                        f"Another process runs engines in {directory.absolute()}: waiting "
                        f"{LOCK_SECONDS:.0f} s for it to end …",
                        soft_wrap=True,
                        markup=False,
                    )
                await asyncio.sleep(0.1)
        else:
            raise EngineFailed(
                f"another process runs engines in {directory.absolute()}: end it, or take another folder"
            )
        if fresh:
            for name in ("kafka", "mongo"):
                shutil.rmtree(directory / name, ignore_errors=True)
                (directory / f"{name}.log").unlink(missing_ok=True)
        yield lock.fileno()


async def kafka_answers(bootstrap_servers: str) -> None:
    """Return if the broker gives its metadata. Asks for no topic: the embedded one would create it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=4_000)
    try:
        await admin.start()
    finally:
        await admin.close()


async def mongo_answers(uri: str) -> None:
    """Return if the store answers a ping."""
    mongo = Mongo(MongoSettings(uri=SecretStr(uri), timeout_ms=4_000), "rollstream-engines")
    try:
        await mongo.ping()
    finally:
        mongo.close()
