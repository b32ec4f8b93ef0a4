"""The FastStream part: one batch subscriber, acknowledged by hand, that reads raw records."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage

from shared.process.settings import Settings
from shared.runtime.clients import connection_options, group_options, reader_options
from shared.runtime.consumer import GroupMember
from shared.runtime.handler import ConsumerSpec
from shared.runtime.record import Record
from shared.runtime.tolerant import TolerantConsumer


class _MemberConsumer(TolerantConsumer):
    """Polls as its group member says: the member decides about pauses, starts and commits."""

    def __init__(self, member: GroupMember, **options: Any) -> None:
        super().__init__(**options)
        self._member = member
        member.attach(self)

    async def getmany(self, *partitions: Any, **options: Any) -> dict[str, list[Record]]:
        """What FastStream calls for the next batch."""
        return {"": await self._member.next_batch()}


class Subscription:
    """Joins the group in `start` and leaves it in `stop`.

    The broker only consumes: outputs have a producer of their own (`outputs.py`), since FastStream's batch
    publishing ignores keys and partitions. The parser and decoder pass the raw records on untouched:
    FastStream's own would decode headers, and skip a whole batch over a null one.
    """

    def __init__(self, name: str, spec: ConsumerSpec, settings: Settings, member: GroupMember) -> None:
        self._name = name
        self._spec = spec
        self._settings = settings
        self._member = member
        self._broker: KafkaBroker | None = None

    async def start(self) -> None:
        """Join; returns when partitions are assigned. After an error it can be called again."""
        runtime = self._settings.runtime
        logger = logging.getLogger("rollstream.faststream")
        logger.setLevel(logging.ERROR)  # it warns that topics are not made automatically: we mean it
        broker = KafkaBroker(
            self._settings.kafka.bootstrap_servers,
            client_id=self._name,
            consumer_only=True,
            allow_auto_create_topics=False,
            apply_types=False,
            graceful_timeout=runtime.stop_timeout_s,
            logger=logger,
        )
        subscriber = broker.subscriber(
            self._spec.topic,
            batch=True,
            group_id=self._spec.group,
            ack_policy=AckPolicy.MANUAL,
            listener=self._member,
            parser=_parse,
            decoder=_decode,
            max_records=runtime.batch_size,
            batch_timeout_ms=runtime.batch_timeout_ms,
            **reader_options(self._settings),
        )
        subscriber(self._on_batch)
        await broker.connect()
        broker.config.broker_config.builder = self._make_consumer
        try:
            await broker.start()
        except BaseException:
            with contextlib.suppress(Exception):
                await broker.stop()
            raise
        self._broker = broker

    async def stop(self) -> None:
        """Leave the group."""
        if self._broker is not None:
            await self._broker.stop()

    def _make_consumer(self, **options: Any) -> TolerantConsumer:
        # FastStream passes on what the subscriber was given; how to connect and time out is ours to say.
        options |= connection_options(self._settings.kafka, self._name) | group_options(self._settings)
        return _MemberConsumer(self._member, **options)

    async def _on_batch(self, records: Sequence[Record]) -> None:
        await self._member.settle(records)


async def _parse(records: Sequence[Record]) -> KafkaAckableMessage:
    return KafkaAckableMessage(raw_message=records, body=b"", consumer=None)


async def _decode(message: KafkaAckableMessage) -> Any:
    await asyncio.sleep(0)  # other tasks get their turn, however fast batches come
    return message.raw_message
