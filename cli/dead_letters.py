"""Reads the dead-letter topic: what lies there, where it came from and why."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cli.topics import partitions_of, require
from shared.contracts.cloudevents import header
from shared.contracts.topics import Topic
from shared.runtime.record import Record
from shared.runtime.snapshot import read_topic
from shared.settings import Settings

FACTS = ("reason", "detail", "topic", "partition", "offset", "service", "time")
"""What the headers `rollstream-dlq-*` tell, in the order in which it is shown."""

_PREFIX = "rollstream-dlq-"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter. `place` is `<partition>/<offset>` of the record that it was."""

    place: str
    facts: Mapping[str, str]
    record: Record

    def original(self) -> dict[str, Any]:
        """The record as it came: text where it is UTF-8, else `{"base64": …}`."""
        headers = [
            [name, _readable(content)]
            for name, content in self.record.headers
            if not name.startswith(_PREFIX)
        ]
        return {
            "key": _readable(self.record.key),
            "headers": headers,
            "value": _readable(self.record.value),
        }


async def read_letters(settings: Settings) -> list[Letter]:
    """Every dead letter once, in order of place; after a crash the topic may hold one twice.

    Raises cli.topics.TopicMissing, and aiokafka's KafkaError if no broker answers.
    """
    await require(settings, Topic.DEAD_LETTERS)
    found: dict[tuple[int, int], Letter] = {}
    partitions = partitions_of(settings, Topic.DEAD_LETTERS)
    async for record in read_topic(settings, Topic.DEAD_LETTERS, partitions, "rollstream-dlq"):
        facts = {name: (header(record.headers, _PREFIX + name) or b"").decode() for name in FACTS}
        place = (int(facts["partition"]), int(facts["offset"]))
        found.setdefault(place, Letter("/".join(map(str, place)), facts, record))
    return [found[place] for place in sorted(found)]


def _readable(content: bytes | None) -> Any:
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(content).decode()}
