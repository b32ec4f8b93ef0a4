"""Reads the trail of operational acts from its topic."""

from shared.commands.message import Message
from shared.contracts.topics import Topic
from shared.operations.trail import Keys, Trail, fold_trail
from shared.process.settings import Settings
from shared.runtime.snapshot import read_topic


async def read_messages(settings: Settings, client_id: str) -> list[Message]:
    """Every record that lies on the topic now; what cannot be decompressed is none, and leaves a gap.

    The topic must exist. Raises aiokafka's KafkaError if no broker answers.
    """
    return [
        Message.of(record)
        async for record in read_topic(settings, Topic.OPERATIONS.value, 1, client_id)
        if record.fault != "undecodable_batch"
    ]


async def read_trail(settings: Settings, client_id: str, keys: Keys | None = None) -> Trail:
    """The trail as it is now, verified. Raises as above."""
    return fold_trail(settings.register, await read_messages(settings, client_id), keys)
