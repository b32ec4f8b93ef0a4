"""Both servers of a service: reached at its start, and asked again every few seconds while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError

from shared.process.errors import TransientError
from shared.runtime.access import refusal, require_access
from shared.runtime.cancellation import close, only_ours
from shared.runtime.clients import make_reader, topics_missing
from shared.runtime.consumer import GroupMember
from shared.runtime.outages import is_outage, refused
from shared.store.mongo import Mongo, store_address, store_away

if TYPE_CHECKING:
    from shared.runtime.service import Service


class Servers:
    """Kafka and MongoDB as one service sees them. What does not answer shows in its health and metrics."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._settings = service.settings
        self._reader: AIOKafkaConsumer | None = None

    async def reach(self) -> None:
        """Connect to both. Raises TransientError while one is away, StopService if one refuses for good."""
        if self._reader is None:
            reader = make_reader(self._settings, f"{self._service.name}-probe")
            try:
                await reader.start()
            except BaseException as error:
                await close(reader)
                if isinstance(error, KafkaConnectionError):
                    await require_access(self._settings.kafka)
                raise
            self._reader = reader
        consumer = self._service.consumer
        if consumer is not None and await topics_missing(self._reader._client, [consumer.topic]):
            raise TransientError(f"topic {consumer.topic} does not exist, or this user may not describe it")
        if self._service.mongo is not None:
            await self._reach_store(self._service.mongo)

    async def _reach_store(self, mongo: Mongo) -> None:
        try:
            await mongo.ping()
        except Exception as error:
            # A certificate that is not trusted is an outage for a service that runs: its operators mend it.
            if (refusing := refused(error, self._settings)) is not None:
                raise refusing from error
            if not is_outage(error):
                raise
            raise TransientError(store_away(error, store_address(self._settings.mongo))) from error

    async def probe(self, member: GroupMember | None) -> None:
        """Ask both servers; an outage is waiting, whether or not a batch is in flight. The ends of what is
        read are told to the feeds and to `member`."""
        if self._reader is None:
            return  # they have not been reached yet
        await asyncio.gather(
            self._probe_one("kafka", partial(self._read_ends, member)),
            *([self._probe_one("mongo", self._ask_store)] if self._service.mongo is not None else []),
        )

    async def _probe_one(self, server: str, ask: Callable[[], Awaitable[None]]) -> None:
        why = None
        try:
            with only_ours():
                async with asyncio.timeout(self._settings.kafka.request_timeout_ms / 1000):
                    await ask()
        except Exception as error:
            if not is_outage(error):
                raise
            why = type(error).__name__
            if server == "kafka" and (refused_by := await refusal(self._settings.kafka)) is not None:
                why = refused_by.why
            elif (refusing := refused(error, self._settings)) is not None:
                why = refusing.reason
        self._service.health.waiting(f"{server} probe", why)
        away = why is not None or self._service.health.retries(server)
        self._service.metrics.waiting.labels(server=server).set(1 if away else 0)

    async def _ask_store(self) -> None:
        if self._service.mongo is not None:
            await self._service.mongo.ping()
        if self._service.progress is not None:
            await self._service.progress.check_all()

    async def _read_ends(self, member: GroupMember | None) -> None:
        if self._reader is None:
            return
        partitions = [each for feed in self._service.feeds for each in feed.partitions()]
        if member is not None:
            partitions += member.partitions()
        if not partitions:
            await topics_missing(self._reader._client, [])
            return
        ends = await self._reader.end_offsets(list(dict.fromkeys(partitions)))
        for feed in self._service.feeds:
            feed.note_ends(ends, self._service.health)
        if member is not None:
            member.note_ends(ends)

    async def close(self) -> None:
        """Disconnect from Kafka; the store is the service's."""
        if self._reader is not None:
            await close(self._reader)
