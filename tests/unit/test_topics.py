"""The table of topics, and the partition that each key belongs in."""

import pytest
from aiokafka.partitioner import murmur2 as aiokafkas_murmur2
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.topics import TOPICS, Topic, murmur2, partition_for

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
    assert fixed == {Topic.COMMANDS: 1, Topic.MANIFESTS: 1}


def test_what_a_replay_needs_is_kept_for_good_and_never_compacted() -> None:
    for spec in TOPICS:
        if spec.topic in (Topic.EVENTS, Topic.ACCEPTED, Topic.CHECKED, Topic.COMMANDS, Topic.DEAD_LETTERS):
            assert spec.unlimited_retention, spec.topic
            assert not spec.compacted, spec.topic


def test_a_dead_letter_may_be_twice_its_source() -> None:
    limit = {spec.topic: spec.max_message_bytes for spec in TOPICS}
    assert limit[Topic.DEAD_LETTERS] == 2 * limit[Topic.EVENTS]
