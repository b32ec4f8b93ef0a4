"""How long a topic is."""

from __future__ import annotations

from aiokafka import TopicPartition

from client.topics import partitions_of
from shared.contracts.topics import Topic
from shared.process.settings import Settings
from shared.runtime.clients import make_reader


async def end_of(settings: Settings, topic: Topic) -> int:
    """The sum of the end offsets of its partitions."""
    reader = make_reader(settings, "rollstream-matrix")
    await reader.start()
    try:
        partitions = [TopicPartition(topic.value, number) for number in range(partitions_of(settings, topic))]
        return sum((await reader.end_offsets(partitions)).values())
    finally:
        await reader.stop()
