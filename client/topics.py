"""Creates what is missing of the register's topics and says what differs from the contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.contracts.topics import TOPICS, Topic, TopicSpec
from shared.process.settings import Settings
from shared.runtime.clients import admin_options as client_options


@dataclass(frozen=True, slots=True)
class TopicReport:
    """One topic: created, as it should be, or what differs as `setting: is X, should be Y`."""

    topic: str
    state: Literal["created", "ok", "differs"]
    differences: tuple[str, ...] = ()


class TopicsNotCreated(Exception):
    """The broker refused; the text says which topic and why."""


def partitions_of(settings: Settings, topic: Topic) -> int:
    """How many partitions the topic has in this register."""
    [spec] = [each for each in TOPICS if each.topic == topic]
    return spec.partitions or settings.kafka.partitions


def wanted(spec: TopicSpec, settings: Settings) -> dict[str, str]:
    """The topic's settings, in Kafka's names."""
    configuration = spec.configuration(settings.limits.message_bytes, settings.kafka.rejected_retention_days)
    return {
        **{name: str(value) for name, value in configuration.items()},
        "min.insync.replicas": str(settings.kafka.min_insync),
    }


async def ensure_topics(settings: Settings) -> list[TopicReport]:
    """Create missing topics, compare the others. Raises TopicsNotCreated; never changes an existing topic."""
    admin = AIOKafkaAdminClient(**admin_options(settings))
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        reports = []
        for spec in TOPICS:
            if spec.topic in existing:
                differences = await _differences(admin, spec, settings)
                reports.append(TopicReport(spec.topic, "differs" if differences else "ok", differences))
            else:
                await _create(admin, spec, settings)
                reports.append(TopicReport(spec.topic, "created"))
        return reports
    finally:
        await admin.close()


def admin_options(settings: Settings) -> dict[str, Any]:
    """How the command line asks brokers about topics and groups."""
    return client_options(settings, "rollstream-topics")


async def _create(admin: AIOKafkaAdminClient, spec: TopicSpec, settings: Settings) -> None:
    topic = NewTopic(
        spec.topic.value,
        partitions_of(settings, spec.topic),
        settings.kafka.replication_factor,
        topic_configs=wanted(spec, settings),
    )
    response = await admin.create_topics([topic])
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            why = (message[0] if message and message[0] else error.description) or "without a reason"
            raise TopicsNotCreated(f"the broker refuses to create {name}: {why.rstrip('.')}")


async def _differences(admin: AIOKafkaAdminClient, spec: TopicSpec, settings: Settings) -> tuple[str, ...]:
    [description] = await admin.describe_topics([spec.topic.value])
    copies = {len(partition["replicas"]) for partition in description["partitions"]}
    actual: dict[str, str] = {
        "partitions": str(len(description["partitions"])),
        "replication factor": str(min(copies, default=0)),
    }
    actual.update(await _config(admin, spec.topic.value))
    should: Mapping[str, str] = {
        "partitions": str(partitions_of(settings, spec.topic)),
        "replication factor": str(settings.kafka.replication_factor),
        **wanted(spec, settings),
    }
    return tuple(
        f"{name}: is {actual[name]}, should be {value}"
        for name, value in should.items()
        # A broker that does not tell a setting cannot be compared on it.
        if name in actual and actual[name] != value
    )


async def _config(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    responses: list[Any] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    config: dict[str, str] = {}
    for response in responses:
        for resource in response.resources:
            for entry in resource[4]:
                config[entry[0]] = entry[1]
    return config
