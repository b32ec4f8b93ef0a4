"""One batch, asked for by its offset: the first of a fetch that came cut, or for whoever reads no more."""

from __future__ import annotations

import asyncio

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import READ_UNCOMMITTED
from aiokafka.errors import LeaderNotAvailableError, NoError, for_code
from aiokafka.protocol.fetch import FetchRequest

from shared.process.errors import StopService
from shared.runtime.batches import Damaged, batch_bytes, first_batch, open_batch
from shared.runtime.record import Record


async def whole(
    client: AIOKafkaClient, node_id: int, partition: TopicPartition, offset: int, data: bytes
) -> bytes:
    """`data` if its first batch is whole, else that batch alone, asked for at its full length; b"" if it does
    not come so either. Raises Damaged, a `KafkaError`.

    Apache Kafka sends the first batch whole, however small the fetch (KIP-74); not all that speak its
    protocol do.
    """
    if first_batch(data) is not None or len(data) < 17:
        return data if len(data) >= 17 else b""
    size = batch_bytes(data)
    wanted = [(partition.topic, [(partition.partition, offset, size)])]
    response = await client.send(node_id, FetchRequest(500, 1, size, READ_UNCOMMITTED, wanted))
    ((_, error_code, _, *rest),) = response.topics[0][1]
    if (error := for_code(error_code)) is not NoError:
        raise error(partition)
    answer: bytes = rest[-1] or b""
    return answer if first_batch(answer) is not None else b""


async def read_batch(
    client: AIOKafkaClient, partition: TopicPartition, offset: int
) -> tuple[list[Record], int]:
    """The records from `offset` on of the first batch that has any there, and the offset after it.

    Raises a `KafkaError` if the leader does not answer, `StopService` if the log is damaged.
    """
    node = client.cluster.leader_for_partition(partition)
    if node is None or node == -1:
        client.force_metadata_update()
        raise LeaderNotAvailableError(partition)
    wanted = [(partition.topic, [(partition.partition, offset, 1)])]
    response = await client.send(node, FetchRequest(500, 1, 1, READ_UNCOMMITTED, wanted))
    ((_, error_code, _, *rest),) = response.topics[0][1]
    if (error := for_code(error_code)) is not NoError:
        raise error(partition)
    try:
        data = await whole(client, node, partition, offset, rest[-1] or b"")
        if not data:
            return [], offset
        return await asyncio.to_thread(_open_from, data, partition, offset)
    except Damaged:
        raise StopService(
            f"the log of {partition.topic}-{partition.partition} is damaged at offset {offset}",
            cause="corrupt",
        ) from None


def _open_from(data: bytes, partition: TopicPartition, offset: int) -> tuple[list[Record], int]:
    opened = open_batch(first_batch(data) or b"", partition)
    return [each for each in opened.records if each.following > offset], opened.next_offset
