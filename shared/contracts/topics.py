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
    OPERATIONS = "rollstream.operations.v1"


EVENT_LIMIT = 64 * 1024
"""Bytes of key, value and headers (names and values) that an event or a command may have."""

KEY_LIMIT = 128
"""Bytes of the key of an event or a command."""

DEAD_LETTER_LIMIT = 256 * 1024
"""Bytes of key, value and headers that a dead letter repeats; the original of a larger record lies only at
the offset that its dead letter names."""

BATCH_RECORDS_LIMIT = 100_000
"""Records that a batch of a producer may hold. No setting: outcomes depend on it."""

BATCH_BYTES_LIMIT = 64 * 1024 * 1024
"""Bytes of the records of a batch, decompressed. No setting either."""

MESSAGE_LIMIT = 1024 * 1024
"""Bytes of a record that every topic takes at least; a register may set more."""

RETENTION_DAYS = 90
"""Days for which rejections are kept, unless a register sets another number."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic must be.

    `partitions` None: the register's number. `message_limits`: its limit, in limits of a message of the
    register. What is neither compacted nor kept without limit is kept for as long as the register says.
    """

    topic: Topic
    key: str
    written_by: str
    read_by: str
    partitions: int | None = None
    compacted: bool = False
    unlimited_retention: bool = False
    message_limits: int = 1

    def configuration(
        self, message_bytes: int = MESSAGE_LIMIT, retention_days: int = RETENTION_DAYS
    ) -> dict[str, str | int]:
        """Its settings, in Kafka's names, for a register's limit of a message and retention of rejections.

        Neither touches what a replay reads: that is kept without limit, whatever is set.
        """
        configuration: dict[str, str | int] = {"cleanup.policy": "compact" if self.compacted else "delete"}
        if not self.compacted:
            configuration["retention.ms"] = -1 if self.unlimited_retention else retention_days * 86_400_000
            # A broker may have a default of its own, which would cut the topic by size.
            configuration["retention.bytes"] = -1
        return configuration | {
            "max.message.bytes": self.message_limits * message_bytes,
            # Order and latency are judged by the broker's clock: laptops are wrong by days.
            "message.timestamp.type": "LogAppendTime",
        }


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
        unlimited_retention=True,
        message_limits=4,
    ),
    TopicSpec(
        Topic.MANIFESTS,
        "<roll>/<version>, <roll>/<province>/<version>",
        "publisher",
        "downstream systems",
        partitions=1,
        unlimited_retention=True,
        message_limits=8,
    ),
    TopicSpec(
        Topic.DEAD_LETTERS,
        "as the source",
        "registration",
        "rollstream dlq",
        unlimited_retention=True,
        # Twice the source's: an original of up to DEAD_LETTER_LIMIT with its reasons always fits.
        message_limits=2,
    ),
    TopicSpec(
        Topic.OPERATIONS,
        "officer or service",
        "registration, dedup, publisher, console; officers (command line)",
        "registration, dedup, publisher, console; officers; rollstream operations",
        partitions=1,
        unlimited_retention=True,
    ),
)


MOST_MESSAGE_LIMITS = max(spec.message_limits for spec in TOPICS)
"""The largest limit of a topic, in limits of a message of the register."""


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
