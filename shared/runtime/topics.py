"""Whether the topics that a service reads and writes are what the contract says: asked once, at its start."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, KafkaError, for_code

from shared.contracts.topics import TOPICS, Topic, TopicSpec
from shared.process.errors import StopService, TransientError
from shared.process.settings import Settings
from shared.runtime.cancellation import close
from shared.runtime.clients import admin_options


async def require_topics(settings: Settings, topics: Sequence[Topic], client_id: str) -> None:
    """Return if each topic is there and as it must be. Never creates or changes one.

    Raises `TransientError` while one is missing or no broker answers, `StopService` with every difference.
    """
    specs = [spec for spec in TOPICS if spec.topic in topics]
    if not specs:
        return
    admin = AIOKafkaAdminClient(**admin_options(settings, client_id))
    try:
        async with asyncio.timeout(2 * settings.kafka.request_timeout_ms / 1000):
            await admin.start()
            if missing := sorted({spec.topic.value for spec in specs} - set(await admin.list_topics())):
                raise TransientError(f"topics do not exist: {', '.join(missing)}")
            described = await admin.describe_topics([spec.topic.value for spec in specs])
            partitions = {each["topic"]: len(each["partitions"]) for each in described}
            configurations = {spec.topic: await _configuration(admin, spec.topic.value) for spec in specs}
    finally:
        await close(admin)
    wrong = [
        f"{spec.topic.value}: {difference}"
        for spec in specs
        for difference in differences(spec, partitions[spec.topic], configurations[spec.topic], settings)
    ]
    if wrong:
        raise StopService(
            f"topics are not as the contract says: {'; '.join(wrong)} (`rollstream topics` names the rest)",
            cause="topics",
        )


def differences(
    spec: TopicSpec, partitions: int, configuration: Mapping[str, str], settings: Settings
) -> list[str]:
    """What of a topic would make outcomes wrong, stop a producer, or lose records; the rest is advice.

    A setting that the broker does not tell is not compared.
    """
    wanted = spec.configuration(settings.limits.message_bytes, settings.kafka.rejected_retention_days)
    actual = {**wanted, **configuration}
    found = [
        f"{name} is {actual[name]} and not {wanted[name]}"
        for name in ("message.timestamp.type", "cleanup.policy")
        if actual[name] != wanted[name]
    ]
    if partitions != (number := spec.partitions or settings.kafka.partitions):
        found.append(f"has {partitions} partitions and not {number}")
    if int(actual["max.message.bytes"]) < int(wanted["max.message.bytes"]):
        found.append(f"max.message.bytes is below {wanted['max.message.bytes']}")
    return found


async def _configuration(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    try:
        responses: list[Any] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    except KafkaError as error:
        raise KafkaConnectionError(f"the broker does not tell the settings of {topic}") from error
    configuration: dict[str, str] = {}
    for response in responses:
        for code, _, _, _, entries in response.resources:
            if code:
                raise StopService(
                    f"the settings of {topic} cannot be read: {for_code(code).__name__} (a service needs the "
                    "right DESCRIBE_CONFIGS on its topics)",
                    cause="topics",
                )
            configuration.update((entry[0], entry[1]) for entry in entries)
    return configuration
