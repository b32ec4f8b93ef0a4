"""A publisher that gets no answer to what was published tries again; it never waits for ever."""

import asyncio
from typing import Any

import pytest

from services.publisher import manifests
from services.publisher.manifests import ManifestTopic
from shared.process.errors import TransientError
from shared.process.settings import Settings
from tests.kit.command_log import REGISTER
from tests.kit.small_edition import PUBLIC_PEM, edition


class SilentConsumer:
    """Connected, and delivers nothing of what is there."""

    closed = 0

    def __init__(self, **_options: Any) -> None:
        pass

    async def start(self) -> None: ...

    async def stop(self) -> None:
        SilentConsumer.closed += 1

    async def topics(self) -> set[str]:
        return {"roll.manifests.v1"}

    def assign(self, _partitions: Any) -> None: ...

    async def end_offsets(self, partitions: Any) -> dict[Any, int]:
        return dict.fromkeys(partitions, 3)

    async def seek_to_beginning(self, _partition: Any) -> None: ...

    async def position(self, _partition: Any) -> int:
        return 0

    async def poll(self, **_options: Any) -> list[Any]:
        await asyncio.sleep(0.01)
        return []


async def test_a_consumer_that_stays_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "TolerantConsumer", SilentConsumer)
    monkeypatch.setattr(manifests, "READ_SECONDS", 0.1)
    async with asyncio.timeout(5):
        with pytest.raises(TransientError):
            await ManifestTopic(Settings(register=REGISTER)).roll_manifest(edition(), [PUBLIC_PEM])
    assert SilentConsumer.closed == 1
