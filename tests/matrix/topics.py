"""Topics whose partitions lie on certain brokers only."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from client.topics import admin_options, wanted
from shared.contracts.topics import TOPICS
from shared.process.settings import Settings


async def place_topics(settings: Settings, placed: Mapping[str, Mapping[int, list[int]]]) -> None:
    """Create topics so that each partition lies on the brokers given for it; the contract's settings hold."""
    if not placed:
        return
    admin = AIOKafkaAdminClient(**admin_options(settings))
    await admin.start()
    try:
        specs = {spec.topic.value: spec for spec in TOPICS}
        for name, partitions in placed.items():
            configuration = {**wanted(specs[name], settings), "min.insync.replicas": "1"}
            assigned = {number: list(brokers) for number, brokers in partitions.items()}
            topic = NewTopic(name, -1, -1, replica_assignments=assigned, topic_configs=configuration)
            await admin.create_topics([topic])
    finally:
        await admin.close()
