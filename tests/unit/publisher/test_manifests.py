"""A publisher that gets no answer to what was published tries again; it never waits for ever."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from services.publisher import manifests
from services.publisher.manifests import ManifestTopic
from shared.process.errors import TransientError
from shared.process.settings import Settings
from tests.kit.command_log import REGISTER
from tests.kit.small_edition import PUBLIC_PEM, edition


class Metadata:
    """What the broker's client is told of the topics."""

    def topics(self, **_options: Any) -> set[str]:
        return {"roll.manifests.v1"}


class SilentConsumer:
    """Connected, and delivers nothing of what is there."""

    closed = 0

    def __init__(self, **_options: Any) -> None:
        self._client = self

    async def fetch_all_metadata(self) -> Metadata:
        return Metadata()

    async def start(self) -> None: ...

    async def stop(self) -> None:
        SilentConsumer.closed += 1

    def assign(self, _partitions: Any) -> None: ...

    async def end_offsets(self, partitions: Any) -> dict[Any, int]:
        return dict.fromkeys(partitions, 3)

    async def seek_to_beginning(self, _partition: Any) -> None: ...

    async def position(self, _partition: Any) -> int:
        return 0

    async def poll(self, **_options: Any) -> list[Any]:
        await asyncio.sleep(0.01)
        return []


class Forgetful(SilentConsumer):
    """The broker has come back and names no broker yet: aiokafka then raises the bare class."""

    async def fetch_all_metadata(self) -> Metadata:
        raise KafkaError("Unable to get cluster metadata over all known brokers")


async def test_a_broker_that_names_no_broker_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "TolerantConsumer", Forgetful)
    with pytest.raises(TransientError):
        await ManifestTopic(Settings(register=REGISTER)).roll_manifest(edition(), [PUBLIC_PEM])


async def test_a_consumer_that_stays_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "TolerantConsumer", SilentConsumer)
    monkeypatch.setattr(SilentConsumer, "closed", 0)
    monkeypatch.setattr(manifests, "READ_SECONDS", 0.1)
    async with asyncio.timeout(5):
        with pytest.raises(TransientError):
            await ManifestTopic(Settings(register=REGISTER)).roll_manifest(edition(), [PUBLIC_PEM])
    assert SilentConsumer.closed == 1
