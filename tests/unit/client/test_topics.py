"""The table of topics, and the partition that each key belongs in."""

import pytest
from aiokafka.partitioner import murmur2 as aiokafkas_murmur2
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from client.topics import wanted
from shared.contracts.topics import MESSAGE_LIMIT, TOPICS, Topic, murmur2, partition_for
from shared.process.settings import KafkaSettings, LimitSettings, Settings

# The values that Apache Kafka's own UtilsTest expects of its default partitioner, as Java's signed integers.
_KAFKA = [
    (b"21", -973932308),
    (b"foobar", -790332482),
    (b"a-little-bit-long-string", -985981536),
    (b"a-little-bit-longer-string", -1486304829),
    (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    (b"abc", 479470107),
]


@pytest.mark.parametrize(("key", "signed"), _KAFKA)
def test_keys_hash_as_in_apache_kafka(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed & 0xFFFFFFFF


@given(st.binary(max_size=100), st.integers(1, 64))
def test_a_python_client_with_the_default_partitioner_agrees(key: bytes, partitions: int) -> None:
    assert murmur2(key) == aiokafkas_murmur2(key) & 0xFFFFFFFF
    assert 0 <= partition_for(key, partitions) < partitions


def test_every_topic_is_in_the_table_once() -> None:
    assert sorted(spec.topic for spec in TOPICS) == sorted(Topic)


def test_the_partitions_of_a_register_are_the_same_along_the_line() -> None:
    fixed = {spec.topic: spec.partitions for spec in TOPICS if spec.partitions is not None}
    assert fixed == {Topic.COMMANDS: 1, Topic.MANIFESTS: 1, Topic.OPERATIONS: 1}


def test_only_receipts_are_compacted_and_only_rejections_run_out() -> None:
    for spec in TOPICS:
        configuration = spec.configuration(retention_days=1)
        if spec.topic == Topic.RECEIPTS:
            assert configuration["cleanup.policy"] == "compact"
        elif spec.topic != Topic.REJECTED:
            assert configuration["cleanup.policy"] == "delete"
            assert configuration["retention.ms"] == configuration["retention.bytes"] == -1


def test_a_dead_letter_may_be_twice_its_source() -> None:
    limit = {spec.topic: spec.configuration()["max.message.bytes"] for spec in TOPICS}
    assert limit[Topic.EVENTS] == MESSAGE_LIMIT
    assert limit[Topic.DEAD_LETTERS] == 2 * MESSAGE_LIMIT


def made(settings: Settings) -> dict[Topic, dict[str, str]]:
    return {spec.topic: wanted(spec, settings) for spec in TOPICS}


def test_only_rejections_can_be_kept_for_another_time() -> None:
    short = made(Settings(register="kh", kafka=KafkaSettings(rejected_retention_days=30)))
    for topic, configuration in made(Settings(register="kh")).items():
        if topic == Topic.REJECTED:
            assert configuration["retention.ms"] == str(90 * 24 * 3600 * 1000)
            configuration["retention.ms"] = str(30 * 24 * 3600 * 1000)
        assert short[topic] == configuration


def test_the_limit_of_a_message_is_set_for_all_topics_at_once_and_only_upwards() -> None:
    twice = Settings(register="kh", limits=LimitSettings(message_bytes=2 * MESSAGE_LIMIT))
    for topic, configuration in made(Settings(register="kh")).items():
        doubled = 2 * int(configuration["max.message.bytes"])
        assert made(twice)[topic] == {**configuration, "max.message.bytes": str(doubled)}
    with pytest.raises(ValidationError):
        LimitSettings(message_bytes=MESSAGE_LIMIT - 1)
