"""The hash of each partition's first record, by which progress knows its topic again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection

from aiokafka import TopicPartition

from shared.process.settings import Settings
from shared.runtime.cancellation import close
from shared.runtime.clients import make_reader
from shared.runtime.one_batch import read_batch
from shared.runtime.record import Record


def first_record_sha256(record: Record) -> str:
    """SHA-256 in hex over time stamp, key and value, each with its length."""
    digest = hashlib.sha256(record.timestamp.to_bytes(8, "big", signed=True))
    for part in (record.key, record.value):
        digest.update(b"-" if part is None else b"%d:%b" % (len(part), part))
    return digest.hexdigest()


class FirstRecords:
    """Reads the first record of partitions of one topic; see `shared.store.progress.FirstRecords`."""

    def __init__(self, settings: Settings, topic: str, client_id: str) -> None:
        self._settings = settings
        self._topic = topic
        self._client_id = client_id

    async def __call__(self, partitions: Collection[int]) -> dict[int, str | None]:
        """Partition → hash, None where it is empty. Raises a `KafkaError` or `TimeoutError` in an outage."""
        reader = make_reader(self._settings, self._client_id)
        wanted = [TopicPartition(self._topic, partition) for partition in partitions]
        try:
            async with asyncio.timeout(self._settings.kafka.request_timeout_ms / 1000):
                await reader.start()
                reader.assign(wanted)
                begins = await reader.beginning_offsets(wanted)
                ends = await reader.end_offsets(wanted)
                hashes: dict[int, str | None] = {}
                for partition in wanted:
                    hashes[partition.partition] = None
                    offset, records = begins[partition], list[Record]()
                    while not records and offset < ends[partition]:  # control batches have none
                        records, offset = await read_batch(reader._client, partition, offset)
                    if records:
                        hashes[partition.partition] = first_record_sha256(records[0])
                return hashes
        finally:
            await close(reader)
