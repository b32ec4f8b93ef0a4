"""The real engines: Apache Kafka 4 (KRaft, one node) from Maven and the store `secantusd-rs` built by cargo.

`python -m tests.kit.engines [FOLDER]` starts both with data in FOLDER (else `.rollstream/real`), prints the
variables that name them, and stays until Ctrl-C; with `--fetch` it only makes the programs that are missing
(needs java, mvn, cargo and cmake). They are kept by version in the user's cache folder, so that every clone
on a machine shares one build. `ROLLSTREAM_TEST_KAFKA_LIBS` (a folder of jars) and `ROLLSTREAM_TEST_SECANTUSD`
(a program) name present ones.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from engines import EngineFailed, Engines, LocalEngine
from engines.embedded import kafka_answers, locked, mongo_answers, run
from engines.engine import free_port

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rollstream/engines"
KAFKA_LIBS_VARIABLE = "ROLLSTREAM_TEST_KAFKA_LIBS"
SECANTUSD_VARIABLE = "ROLLSTREAM_TEST_SECANTUSD"
KAFKA_POM = ROOT / "deploy/kafka/pom.xml"
SECANTUSD_VERSION = "0.5.3-beta.193"
COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

# One node is broker and controller. Groups form at once, and no topic comes into being by accident.
KAFKA_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
offsets.topic.num.partitions=8
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""


def kafka_libs() -> Path:
    """The folder of Apache Kafka's jars."""
    return _present(Path(os.environ.get(KAFKA_LIBS_VARIABLE, _kept_libs())))


def secantusd() -> Path:
    """The store's program."""
    return _present(Path(os.environ.get(SECANTUSD_VARIABLE, _kept_secantusd())))


def _kept_libs() -> Path:
    return CACHE / f"kafka-{hashlib.sha256(KAFKA_POM.read_bytes()).hexdigest()[:12]}"


def _kept_secantusd() -> Path:
    return CACHE / f"secantusd-{SECANTUSD_VERSION}/bin/secantusd-rs"


def present() -> bool:
    """Whether nothing need be fetched."""
    kafka = KAFKA_LIBS_VARIABLE in os.environ or _kept_libs().exists()
    return kafka and (SECANTUSD_VARIABLE in os.environ or _kept_secantusd().exists())


def _present(path: Path) -> Path:
    if not path.exists():
        raise EngineFailed(f"{path} is not there: get it with `python -m tests.kit.engines --fetch`")
    return path.absolute()


def fetch() -> None:
    """Make what is missing: Kafka's jars by Maven (100 MB), the store by cargo (some four minutes, cmake)."""
    if KAFKA_LIBS_VARIABLE not in os.environ and not _kept_libs().exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=CACHE))
        _run(["mvn", "-q", "-B", "-f", str(KAFKA_POM), COPY_JARS, f"-DoutputDirectory={part}"])
        with contextlib.suppress(OSError):  # another clone was first
            part.rename(_kept_libs())
    if SECANTUSD_VARIABLE not in os.environ and not _kept_secantusd().exists():
        install = ["cargo", "install", "secantus-mdb", "--version", SECANTUSD_VERSION]
        _run([*install, "--ignore-rust-version", "--root", str(_kept_secantusd().parents[1])])


def _run(command: list[str]) -> None:
    print(shlex.join(command), file=sys.stderr)  # noqa: T201
    try:
        subprocess.run(command, check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EngineFailed(f"could not fetch an engine: {error}") from error


def java_command(program: str) -> list[str]:
    """How to run one of Kafka's own programs."""
    java = ["java", "-Xms256m", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    return [*java, "-cp", f"{kafka_libs()}/*", program]


def new_cluster_id() -> str:
    """As Kafka wants it: 16 bytes in base64 for URLs, without a dash at the beginning."""
    return f"x{base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip('=')[1:]}"


def real_kafka(directory: Path) -> LocalEngine:
    """Apache Kafka with its data in `directory`, formatted if it is new, not started."""
    port = free_port()
    data = directory.absolute() / "kafka"
    data.mkdir(parents=True, exist_ok=True)
    properties = data.with_suffix(".properties")
    properties.write_text(KAFKA_PROPERTIES.format(port=port, controller=free_port(), data=data))
    if not (data / "meta.properties").exists():
        tool = [*java_command("kafka.tools.StorageTool"), "format", "-t", new_cluster_id()]
        done = subprocess.run([*tool, "-c", str(properties)], capture_output=True, text=True)
        if done.returncode != 0:
            raise EngineFailed(f"Kafka's storage could not be formatted: {done.stdout}{done.stderr}")
    command = [*java_command("kafka.Kafka"), str(properties)]
    return LocalEngine("kafka", f"127.0.0.1:{port}", directory, command, kafka_answers)


def real_mongo(directory: Path) -> LocalEngine:
    """The store with its data in `directory`, not started."""
    port, program = free_port(), secantusd()
    data = directory.absolute() / "mongo"
    data.mkdir(parents=True, exist_ok=True)
    configuration = data.with_suffix(".toml")
    configuration.touch()
    command = [str(program), "--config", str(configuration), "--port", str(port)]
    command += ["--storage-path", str(data), "--cache-size", "1G", "--log-level", "WARNING"]
    return LocalEngine("mongo", f"mongodb://127.0.0.1:{port}", directory, command, mongo_answers)


@asynccontextmanager
async def real_engines(directory: Path, fresh: bool = True) -> AsyncIterator[Engines[LocalEngine]]:
    """Both real engines, with the promises of `engines.embedded_engines`. Broker deaths may be tried."""
    async with locked(directory, fresh) as lock, AsyncExitStack() as stack:
        kafka, mongo = real_kafka(directory), real_mongo(directory)
        await run(stack, lock, kafka, mongo)
        yield Engines(kafka, mongo)


async def _serve(directory: Path) -> None:
    async with real_engines(directory, fresh=False) as engines:
        for variable, value in engines.environment.items():
            print(f"export {variable}={value}", flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    if "--fetch" in sys.argv[1:]:
        fetch()
    else:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(Path(sys.argv[1]) if sys.argv[1:] else ROOT / ".rollstream/real"))
