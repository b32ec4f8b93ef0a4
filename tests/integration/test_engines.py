"""The embedded engines: they answer, keep their data, and never outlive the process that started them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pydantic import SecretStr

from engines import EngineFailed, Engines, LocalEngine, embedded_engines, engines, guard
from engines.embedded import KAFKA_VARIABLE, MONGO_VARIABLE
from engines.engine import free_port
from shared.process.settings import MongoSettings
from shared.store.mongo import InsertOne, Mongo

PROGRAM = """
import asyncio, sys, threading
from pathlib import Path
from engines import embedded_engines

async def stay():
    async with embedded_engines(Path(sys.argv[1])) as engines:
        print(engines.kafka.pid, engines.mongo.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(stay())
"""
IN_A_THREAD = PROGRAM.replace(
    "asyncio.run(stay())",
    """
async def start():
    context = embedded_engines(Path(sys.argv[1]))
    engines = await context.__aenter__()
    print(engines.kafka.pid, engines.mongo.pid, flush=True)
    return context

runner = asyncio.Runner()
thread = threading.Thread(target=lambda: runner.run(start()))
thread.start()
thread.join()
input()
""",
)

SERVICE = """
import asyncio, sys
from pathlib import Path
from demo.processes import start_service

async def stay():
    program = "import time; print('on', flush=True); time.sleep(60)"
    service = await start_service("s", {}, Path(sys.argv[1]), command=(sys.executable, "-c", program))
    while "on" not in service.log.read_text():
        await asyncio.sleep(0.05)
    print(service.process.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(stay())
"""


@contextlib.contextmanager
def _another_process(program: str, directory: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A process that runs engines, in a group of its own as a terminal gives it, and their pids."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        yield process, [int(pid) for pid in process.stdout.readline().split()]
    finally:
        process.kill()
        process.communicate()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _all_gone(pids: list[int], within: float) -> bool:
    deadline = time.monotonic() + within
    while any(_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(_alive(pid) for pid in pids)


async def _create_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        configuration = {"message.timestamp.type": "LogAppendTime", "retention.ms": "-1"}
        await admin.create_topics([NewTopic(name, 1, 1, topic_configs=configuration)])
    finally:
        await admin.close()


async def _send(bootstrap: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(
            topic, value, headers=[("text", b"t"), ("null", None)], timestamp_ms=1000
        )
    finally:
        await producer.stop()


async def _read_one(bootstrap: str, topic: str) -> object:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek(TopicPartition(topic, 0), 0)
        record = await asyncio.wait_for(consumer.getone(), 10)
        recent = abs(record.timestamp - time.time() * 1000) < 60_000
        return record.value, record.headers, recent
    finally:
        await consumer.stop()


async def _stored(uri: str, *, write: bool) -> list[str]:
    mongo = Mongo(MongoSettings(uri=SecretStr(uri)), "test")
    try:
        if write:
            await mongo.write("things", [InsertOne({"_id": "kept"})])
        return [found["_id"] for found in await mongo.find_by_ids("things", ["kept", "other"])]
    finally:
        mongo.close()


async def test_both_engines_answer_and_keep_their_data_over_a_restart(
    fresh_engines: Engines[LocalEngine],
) -> None:
    broker, store = fresh_engines.bootstrap_servers, fresh_engines.mongo_uri
    await _create_topic(broker, "kept")
    await _send(broker, "kept", b"value")
    assert await _stored(store, write=True) == ["kept"]
    before = fresh_engines.kafka.pid, fresh_engines.mongo.pid
    await fresh_engines.kafka.restart()
    await fresh_engines.mongo.restart()
    assert not any(_alive(pid) for pid in before)
    assert await _read_one(broker, "kept") == (b"value", (("text", b"t"), ("null", None)), True)
    assert await _stored(store, write=False) == ["kept"]


async def test_engines_end_with_their_block_and_a_fresh_start_has_no_data(tmp_path: Path) -> None:
    async with embedded_engines(tmp_path) as first:
        pids = [first.kafka.pid, first.mongo.pid]
        await _stored(first.mongo_uri, write=True)
    assert _all_gone(pids, within=0)
    assert "GLIBC" not in (tmp_path / "kafka.log").read_text()
    assert "noida-db" in (tmp_path / "kafka.log").read_text()
    async with embedded_engines(tmp_path, fresh=False) as again:
        assert await _stored(again.mongo_uri, write=False) == ["kept"]
    async with embedded_engines(tmp_path) as emptied:
        assert await _stored(emptied.mongo_uri, write=False) == []


@pytest.mark.parametrize("program", [PROGRAM, IN_A_THREAD], ids=["main thread", "thread that has ended"])
def test_killing_the_parent_ends_its_engines_but_not_before(tmp_path: Path, program: str) -> None:
    with _another_process(program, tmp_path) as (process, pids):
        time.sleep(1)
        assert len(pids) == 2
        assert all(_alive(pid) for pid in pids)
        process.kill()
        process.wait()
        assert _all_gone(pids, within=15)
    for name in ("kafka", "mongo"):
        assert "guard: killed" not in (tmp_path / f"{name}.log").read_text(), "they were asked, not killed"


def test_killing_the_parent_ends_its_services_but_not_before(tmp_path: Path) -> None:
    with _another_process(SERVICE, tmp_path) as (process, pids):
        time.sleep(0.5)
        assert len(pids) == 1 and _alive(pids[0])
        process.kill()
        process.wait()
        assert _all_gone(pids, within=5)


def test_ctrl_c_in_the_terminal_ends_everything_cleanly(tmp_path: Path) -> None:
    with _another_process(PROGRAM, tmp_path) as (process, pids):
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=30)
        assert not any(_alive(pid) for pid in pids), "they end before their parent does"


async def test_a_server_that_does_not_end_when_asked_is_killed_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = tmp_path / "guard.py"
    quick.write_text(Path(guard.__file__).read_text().replace("GRACE_SECONDS = 20.0", "GRACE_SECONDS = 0.5"))
    monkeypatch.setattr(guard, "__file__", str(quick))

    async def answers(_address: str) -> None: ...

    port = free_port()
    program = (
        "import signal, socket, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"server = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
    )
    command = [sys.executable, "-c", program]
    engine = LocalEngine("store", f"127.0.0.1:{port}", tmp_path, command, answers)
    await engine.start()
    pid = engine.pid
    await engine.stop()
    assert not _alive(pid)
    assert "guard: killed" in engine.log.read_text()


async def test_two_processes_never_share_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.embedded.LOCK_SECONDS", 0.2)
    with _another_process(PROGRAM, tmp_path) as (_, pids):
        with pytest.raises(EngineFailed, match="another process"):
            async with embedded_engines(tmp_path):
                pass
        assert all(_alive(pid) for pid in pids)


async def test_a_server_that_cannot_start_says_why_and_where_its_log_is(tmp_path: Path) -> None:
    async def answers(_address: str) -> None: ...

    command = [sys.executable, "-c", "raise SystemExit('no such disk')"]
    engine = LocalEngine("store", "127.0.0.1:1", tmp_path, command, answers)
    with pytest.raises(EngineFailed, match=r"(?s)ended with code 1.*store\.log.*no such disk"):
        await engine.start()


async def test_a_server_that_never_answers_is_given_up_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.engine.START_SECONDS", 1.0)

    async def answers(_address: str) -> None: ...

    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    engine = LocalEngine("store", "127.0.0.1:1", tmp_path, command, answers)
    with pytest.raises(EngineFailed, match="did not answer within 1 s"):
        await engine.start()
    assert _all_gone([engine.pid], within=5)


async def test_servers_that_the_settings_name_are_used_and_left_alone(tmp_path: Path) -> None:
    environ = {KAFKA_VARIABLE: "elsewhere:9092", MONGO_VARIABLE: "mongodb://elsewhere"}
    async with engines(tmp_path, environ=environ) as found:
        assert found.environment == environ
        with pytest.raises(EngineFailed, match="someone else"):
            await found.kafka.restart()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


@pytest.mark.engines
async def test_apache_kafka_keeps_what_it_acknowledged_when_it_is_killed(
    real_engines: Engines[LocalEngine],
) -> None:
    await _create_topic(real_engines.bootstrap_servers, "kept")
    await _send(real_engines.bootstrap_servers, "kept", b"value")
    await real_engines.kafka.kill()
    await real_engines.kafka.start()
    got = await _read_one(real_engines.bootstrap_servers, "kept")
    assert got == (b"value", (("text", b"t"), ("null", None)), True)
