"""Topics at the start of a service: what differs from the contract so that outcomes or records suffer."""

from __future__ import annotations

import pytest

from shared.contracts.topics import TOPICS, Topic, TopicSpec
from shared.process.settings import Settings
from shared.runtime.topics import differences

SETTINGS = Settings(register="kh-test")


def _spec(topic: Topic) -> TopicSpec:
    [spec] = [each for each in TOPICS if each.topic == topic]
    return spec


def _differences(topic: Topic, partitions: int = 12, **changed: str) -> list[str]:
    spec = _spec(topic)
    right = {name: str(value) for name, value in spec.configuration().items()}
    return differences(
        spec, partitions, right | {k.replace("_", "."): v for k, v in changed.items()}, SETTINGS
    )


@pytest.mark.parametrize("spec", TOPICS, ids=lambda spec: spec.topic.value)
def test_a_topic_as_the_contract_says_is_right(spec: TopicSpec) -> None:
    assert _differences(spec.topic, spec.partitions or 12) == []


def test_time_stamps_of_producers_are_refused_on_every_topic() -> None:
    for spec in TOPICS:
        found = _differences(spec.topic, spec.partitions or 12, message_timestamp_type="CreateTime")
        assert found == ["message.timestamp.type is CreateTime and not LogAppendTime"]


def test_another_number_of_partitions_cleanup_and_smaller_messages_are_named() -> None:
    found = _differences(Topic.MANIFESTS, 3, cleanup_policy="compact", max_message_bytes="1000")
    assert found == [
        "cleanup.policy is compact and not delete",
        "has 3 partitions and not 1",
        "max.message.bytes is below 8388608",
    ]


def test_what_the_broker_does_not_tell_and_larger_limits_are_no_difference() -> None:
    assert differences(_spec(Topic.EVENTS), 12, {}, SETTINGS) == []
    assert _differences(Topic.EVENTS, max_message_bytes="99999999", retention_ms="1") == []
