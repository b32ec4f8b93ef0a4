"""Sends records as a capture file gives them, including those that aiokafka's own interface cannot express.

aiokafka takes header names as `str` and one compression per producer. Both are decided where a batch is
built, so an odd record travels in a batch of its own, built by aiokafka's pure Python builder. Batches of a
partition are sent in the order in which they were added, hence everything stays in file order within a
partition. This is the only module that reaches into aiokafka's private parts.
"""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from client.wire import ProducerRecord
from shared.contracts.topics import partition_for

CODECS = {None: 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
"""Compressions by their number in Kafka's record batches."""


class _Name(str):
    """A header name that encodes to the very bytes it was made of, UTF-8 or not."""

    raw: bytes

    def __new__(cls, raw: bytes) -> "_Name":
        name = super().__new__(cls, raw.decode("utf-8", "backslashreplace"))
        name.raw = raw
        return name

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return self.raw


class _OwnBatch(BatchBuilder):  # type: ignore[misc]
    """A batch of one record, of any codec and with any header names."""

    def __init__(self, record: ProducerRecord) -> None:
        super().__init__(batch_size=0, compression_type=0)
        self._builder = _DefaultRecordBatchBuilderPy(
            magic=2,
            compression_type=CODECS[record.compression],
            is_transactional=0,
            producer_id=-1,
            producer_epoch=-1,
            base_sequence=0,
            batch_size=0,
        )
        headers = [(_Name(name), content) for name, content in record.headers]
        self.append(timestamp=None, key=record.key, value=record.value, headers=headers)
        self.close()

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._builder.set_producer_state(producer_id, producer_epoch, base_sequence)


class RecordSender:
    """An idempotent producer for one topic of `partitions` partitions; `client` goes to AIOKafkaProducer."""

    def __init__(self, topic: str, partitions: int, **client: Any) -> None:
        self._topic = topic
        self._partitions = partitions
        options = {"acks": "all", "enable_idempotence": True, "linger_ms": 5, "max_batch_size": 256 * 1024}
        self._producer = AIOKafkaProducer(**{**options, **client})

    async def start(self) -> None:
        """Connect. Raises aiokafka's KafkaConnectionError where no broker answers."""
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is pending and close."""
        await self._producer.stop()

    async def send(self, record: ProducerRecord) -> "asyncio.Future[Any]":
        """Queue a record; the future is done when the broker has acknowledged it.

        Await the futures before giving up the file's place. Raises ValueError for an unknown compression
        or partition.
        """
        partition = self.partition(record)
        if _ordinary(record):
            headers = [(name.decode(), content) for name, content in record.headers]
            return await self._producer.send(  # type: ignore[no-any-return]
                self._topic, record.value, record.key, partition=partition, headers=headers
            )
        return await self._producer.send_batch(  # type: ignore[no-any-return]
            _OwnBatch(record), self._topic, partition=partition
        )

    def partition(self, record: ProducerRecord) -> int:
        """Where the record goes. Raises ValueError for an unknown compression or partition."""
        if record.compression not in CODECS:
            raise ValueError("unknown compression")
        if record.partition is not None:
            if not 0 <= record.partition < self._partitions:
                raise ValueError(f"no partition {record.partition}: the topic has {self._partitions}")
            return record.partition
        return partition_for(record.key, self._partitions) if record.key is not None else 0


def _ordinary(record: ProducerRecord) -> bool:
    if record.compression is not None or (record.key is None and record.value is None):
        return False
    try:
        for name, _ in record.headers:
            name.decode()
    except UnicodeDecodeError:
        return False
    return True
