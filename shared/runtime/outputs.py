"""Sends records to explicit partitions, and returns only when all in-sync copies have them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from shared.process.errors import StopService, TransientError
from shared.process.settings import Settings
from shared.runtime.cancellation import close
from shared.runtime.clients import Compression, make_producer, topics_missing
from shared.runtime.record import Output

_PERMANENT = (
    ClusterAuthorizationFailedError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)


class Outputs:
    """One producer, made anew after any error.

    After an error an idempotent producer may refuse every later record of the partition as out of order
    (aiokafka #1017), so it is never used again. Within a partition the order of outputs is kept; an error
    may leave some of them sent, and the retry sends them again: readers skip what they have seen.
    """

    def __init__(self, settings: Settings, client_id: str, compression: Compression = "lz4") -> None:
        self._settings = settings
        self._client_id = client_id
        self._compression = compression
        self._producer: AIOKafkaProducer | None = None
        self._known_topics: set[str] = set()
        self._timeout = 2 * settings.kafka.request_timeout_ms / 1000

    async def start(self) -> None:
        """Connect. Raises `TransientError` if no broker answers."""
        await self._connected()

    async def stop(self) -> None:
        """Disconnect; bounded, whatever the brokers do."""
        await self._discard()

    async def send(self, outputs: Sequence[Output]) -> None:
        """Send `outputs` and wait until every one is acknowledged: `batch_bytes` at a time, each such part
        within a time-out of its own.

        Raises `TransientError` if any was not, and `StopService` if it never can be: too large, or forbidden.
        """
        for part in in_parts(outputs, self._settings.limits.budget.sent_bytes):
            await self._send(part)

    async def _send(self, outputs: Sequence[Output]) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                producer = await self._connected()
                await self._require_topics(producer, outputs)
                acknowledged = [await _enqueue(producer, output) for output in outputs]
                await asyncio.gather(*acknowledged)
        except _PERMANENT as error:
            await self._discard()
            topics = sorted({output.topic for output in outputs})
            raise StopService(
                f"the broker will not take an output for {topics}: {type(error).__name__}", cause="output"
            ) from error
        except (KafkaError, TimeoutError, ConnectionError) as error:
            await self._discard()
            raise TransientError(f"outputs not acknowledged: {type(error).__name__}") from error
        except asyncio.CancelledError:
            await self._discard()
            raise

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = make_producer(self._settings, self._client_id, self._compression)
            try:
                async with asyncio.timeout(self._timeout):
                    await producer.start()
            except (KafkaError, TimeoutError, ConnectionError) as error:
                await close(producer)
                raise TransientError(f"no broker answers: {type(error).__name__}") from error
            except asyncio.CancelledError:
                await close(producer)
                raise
            self._producer = producer
        return self._producer

    async def _require_topics(self, producer: AIOKafkaProducer, outputs: Sequence[Output]) -> None:
        new = {output.topic for output in outputs} - self._known_topics
        if new and (missing := await topics_missing(producer.client, new)):
            raise TransientError(f"topics do not exist: {', '.join(missing)}")
        self._known_topics |= new

    async def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await close(producer)


def in_parts(outputs: Iterable[Output], most_bytes: int) -> Iterator[list[Output]]:
    """`outputs` in their order, cut before `most_bytes`; a larger one is a part of its own."""
    part: list[Output] = []
    size = 0
    for output in outputs:
        if part and size + output.size > most_bytes:
            yield part
            part, size = [], 0
        part.append(output)
        size += output.size
    if part:
        yield part


async def _enqueue(producer: AIOKafkaProducer, output: Output) -> asyncio.Future[object]:
    if output.key is None and output.value is None:
        # `send` asserts that one of them is there; a dead letter may have neither.
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=None, headers=list(output.headers))
        batch.close()
        sent: asyncio.Future[object] = await producer.send_batch(
            batch, output.topic, partition=output.partition
        )
    else:
        sent = await producer.send(
            output.topic,
            value=output.value,
            key=output.key,
            partition=output.partition,
            headers=list(output.headers),
        )
    return sent
