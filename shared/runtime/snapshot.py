"""What lies on a topic now, read once from the first record to the end."""

from collections.abc import AsyncIterator

from aiokafka import TopicPartition

from shared.process.settings import Settings
from shared.runtime.cancellation import close
from shared.runtime.clients import connection_options, reader_options, require_topic
from shared.runtime.record import Record
from shared.runtime.tolerant import TolerantConsumer


async def read_topic(
    settings: Settings, topic: str, partitions: int, client_id: str
) -> AsyncIterator[Record]:
    """Every record that lies on the topic at the call, partition by partition, readable or not.

    Raises TopicMissing if there is no such topic, and a `KafkaError` if no broker answers.
    """
    consumer = TolerantConsumer(
        **connection_options(settings.kafka, client_id),
        **reader_options(settings),
        group_id=None,
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        await require_topic(consumer._client, topic)
        for number in range(partitions):
            partition = TopicPartition(topic, number)
            consumer.assign([partition])
            await consumer.seek_to_beginning(partition)
            end = (await consumer.end_offsets([partition]))[partition]
            while await consumer.position(partition) < end:
                for record in await consumer.poll(timeout_ms=1000, max_records=500):
                    if record.offset < end:
                        yield record
    finally:
        await close(consumer)
