"""The topics of a register, and in which partition a key belongs."""

from dataclasses import dataclass
from enum import StrEnum


class Topic(StrEnum):
    """Names of the topics."""

    EVENTS = "registration.events.v1"
    ACCEPTED = "registration.accepted.v1"
    REJECTED = "registration.rejected.v1"
    RECEIPTS = "registration.receipts.v1"
    CHECKED = "registration.checked.v1"
    COMMANDS = "roll.commands.v1"
    LISTS = "roll.lists.v1"
    MANIFESTS = "roll.manifests.v1"
    DEAD_LETTERS = "registration.events.v1.dlq"


EVENT_LIMIT = 64 * 1024
"""Bytes of value plus headers (names and values) that an event may have."""

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic must be. `partitions` None: the register's number; `max_message_bytes`: its limit."""

    topic: Topic
    key: str
    written_by: str
    read_by: str
    partitions: int | None = None
    compacted: bool = False
    unlimited_retention: bool = False
    max_message_bytes: int = MEBIBYTE


TOPICS: tuple[TopicSpec, ...] = (
    TopicSpec(
        Topic.EVENTS,
        "registration_id; device for batch-closed",
        "capture systems; registration writes markers",
        "registration",
        unlimited_retention=True,
    ),
    TopicSpec(Topic.ACCEPTED, "registration_id", "registration", "dedup", unlimited_retention=True),
    TopicSpec(Topic.REJECTED, "registration_id if known", "registration", "capture systems"),
    TopicSpec(Topic.RECEIPTS, "<device>/<batch>", "registration", "capture systems", compacted=True),
    TopicSpec(
        Topic.CHECKED,
        "registration_id",
        "dedup",
        "publisher",
        unlimited_retention=True,
        # A record carries all its claims; a name shared by thousands must not stop the line.
        max_message_bytes=8 * MEBIBYTE,
    ),
    TopicSpec(
        Topic.COMMANDS,
        "command's subject",
        "officers (console, command line)",
        "all services",
        partitions=1,
        unlimited_retention=True,
    ),
    TopicSpec(
        Topic.LISTS,
        "<roll>/<station>/<version>",
        "publisher",
        "downstream systems",
        compacted=True,
        max_message_bytes=4 * MEBIBYTE,
    ),
    TopicSpec(
        Topic.MANIFESTS,
        "<roll>/<version>, <roll>/<province>/<version>",
        "publisher",
        "downstream systems",
        partitions=1,
        compacted=True,
        max_message_bytes=8 * MEBIBYTE,
    ),
    TopicSpec(
        Topic.DEAD_LETTERS,
        "as the source",
        "registration",
        "rollstream dlq",
        unlimited_retention=True,
        # Twice the source's: the original with its reasons must always fit.
        max_message_bytes=2 * MEBIBYTE,
    ),
)


def murmur2(data: bytes) -> int:
    """MurmurHash2 as Kafka's default partitioner computes it: seed 0x9747b28c, 32 bits, unsigned."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    length = len(data)
    h = (0x9747B28C ^ length) & mask
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ (k >> 24)) * m & mask
        h = (h * m & mask) ^ k
    if whole < length:
        h ^= int.from_bytes(data[whole:], "little")
        h = h * m & mask
    h = (h ^ (h >> 13)) * m & mask
    return h ^ (h >> 15)


def partition_for(key: bytes, partitions: int) -> int:
    """The partition (0-based) that Kafka's default partitioner gives `key`."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
