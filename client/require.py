"""Whether the broker has a topic, asked on a connection of its own."""

from aiokafka.client import AIOKafkaClient

from shared.contracts.topics import Topic
from shared.process.settings import Settings
from shared.runtime.cancellation import close
from shared.runtime.clients import connection_options, require_topic


async def require(settings: Settings, topic: Topic) -> None:
    """Raise TopicMissing if the broker has no such topic, and KafkaConnectionError where none answers."""
    client = AIOKafkaClient(**connection_options(settings.kafka, "rollstream-topics"))
    try:
        await client.bootstrap()
        await require_topic(client, topic.value)
    finally:
        await close(client)
