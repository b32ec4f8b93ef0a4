"""What a group has committed of a topic, whoever holds its partitions."""

from __future__ import annotations

import asyncio

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.process.settings import Settings
from shared.runtime.cancellation import close
from shared.runtime.clients import admin_options


class GroupOffsets:
    """Asks the broker for the committed offsets of every partition of one topic."""

    def __init__(self, settings: Settings, topic: str, group: str, client_id: str) -> None:
        self._settings = settings
        self._partitions = [TopicPartition(topic, number) for number in range(settings.kafka.partitions)]
        self._group = group
        self._client_id = client_id

    async def __call__(self) -> dict[int, int]:
        """Partition → offset, 0 where there is none. Raises a `KafkaError` or `TimeoutError` in an outage."""
        admin = AIOKafkaAdminClient(**admin_options(self._settings, self._client_id))
        try:
            async with asyncio.timeout(self._settings.kafka.request_timeout_ms / 1000):
                await admin.start()
                found = await admin.list_consumer_group_offsets(self._group, partitions=self._partitions)
        finally:
            await close(admin)
        # Not committed yet: one broker says -1, another leaves the partition out.
        return {
            each.partition: max(0, found[each].offset) if each in found else 0 for each in self._partitions
        }
