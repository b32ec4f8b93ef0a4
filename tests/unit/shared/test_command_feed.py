"""Every service follows the commands, and so says what reference data it waits for."""

import asyncio
from pathlib import Path

import pytest
from aiokafka import TopicPartition

from shared.commands.feed import CommandFeed
from shared.contracts.commands import REFERENCE_KINDS, REQUIRED_KINDS
from shared.contracts.topics import Topic
from shared.process.errors import StopService
from shared.process.health import Health
from shared.process.metrics import Metrics
from shared.process.settings import RuntimeSettings, Settings
from shared.reference.files import ReferenceStore
from shared.runtime.record import Record
from tests.kit.command_log import REGISTER, CommandLog


async def test_a_kind_is_waited_for_until_it_is_adopted_and_its_file_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = CommandLog().found().adopt_all()
    late = log.file(b"code,name_km,name_latin\n01,,\n")
    log.adopt("gazetteer", log.files[late], "2")
    waits = len(log.messages) - 1
    log.cut_off(1)
    for sha256, raw in log.files.items():
        if sha256 != late:
            (tmp_path / sha256).write_bytes(raw)
    metrics = Metrics("publisher")
    settings = Settings(
        register=REGISTER, founding_officers=log.officers_sha, runtime=RuntimeSettings(backoff_initial_s=0.01)
    )
    feed = CommandFeed(settings, ReferenceStore(tmp_path), metrics)

    def waited_for() -> set[str]:
        waiting = metrics.reference_waiting
        return {kind for kind in REFERENCE_KINDS if waiting.labels(kind=kind)._value.get()}

    async def read() -> None:
        """Read all at once: what comes after a missing file is not held up by it."""
        for message, headers in zip(log.messages, log.headers, strict=True):
            record = Record(Topic.COMMANDS.value, 0, message.offset, 0, b"", message.value, headers)
            await feed._take(record)
        await asyncio.Event().wait()

    seen: list[set[str]] = []

    async def note() -> None:
        seen.append(waited_for())

    monkeypatch.setattr(feed._feed, "run", read)
    monkeypatch.setattr(feed._feed, "notify", note)
    running = asyncio.create_task(feed.run())
    async with asyncio.timeout(5):
        while waited_for() != {"gazetteer"}:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert [message.offset for message in feed.unfolded] == [waits, waits + 1, waits + 2]
    now = 0.0
    health = Health(10, lambda: now)
    commands = {TopicPartition(Topic.COMMANDS.value, 0): len(log.messages)}
    feed.topic._next = dict(commands)  # all is read
    feed.topic.note_ends(commands, health)
    now = 100.0
    feed.topic.note_ends(commands, health)
    assert health.unmoved()["commands"] == 100, "the fold stands"
    assert metrics.feed_lag.labels(feed="commands")._value.get() == 3
    assert health.live()[0] and not health.ready()[0]
    (tmp_path / late).write_bytes(log.files[late])
    async with asyncio.timeout(5):
        while feed.state.next_offset < len(log.messages):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    feed.topic.note_ends(commands, health)
    assert health.unmoved()["commands"] == 0
    assert metrics.feed_lag.labels(feed="commands")._value.get() == 0
    running.cancel()
    assert seen[0] == set(REQUIRED_KINDS) - {"officers"}
    assert [len(kinds) for kinds in seen] == sorted((len(kinds) for kinds in seen), reverse=True)
    assert waited_for() == set()


def test_a_service_that_is_not_told_who_creates_the_register_does_not_start(tmp_path: Path) -> None:
    """Else whoever wrote to the topic first would be its officer."""
    with pytest.raises(StopService, match="ROLLSTREAM_FOUNDING_OFFICERS: is not set"):
        CommandFeed(Settings(register=REGISTER), ReferenceStore(tmp_path))
