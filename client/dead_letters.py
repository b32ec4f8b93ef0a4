"""The dead-letter topic: what lies on it, where it came from, why, and whether it can be sent again."""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from client.require import require
from client.topics import partitions_of
from shared.contracts.cloudevents import Reason, header
from shared.contracts.topics import Topic
from shared.process.settings import Settings
from shared.runtime.record import Record
from shared.runtime.snapshot import read_topic

_OURS = ("reason", "detail", "topic", "partition", "offset", "service", "time")
"""What the last headers of a letter tell that holds its original, in this order."""

FACTS = (*_OURS[:5], "last-offset", "service", "time", "bytes", "sha256")
"""What the headers `rollstream-dlq-*` tell, in the order in which it is shown; what is not told is empty."""

_PREFIX = "rollstream-dlq-"

_LEFT_OUT = re.compile(r"(^|; )[0-9]+ left out$")
"""How a letter's detail says that it lacks some of the original's headers."""


Source = tuple[int, int]
"""Partition and offset of the record that a dead letter was."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A copy of a dead letter; `record` is what lies on the dead-letter topic.

    `why_not` says why its original cannot be sent again, None where it can.
    """

    source: Source
    facts: Mapping[str, str]
    record: Record
    why_not: str | None = None

    @classmethod
    def of(cls, record: Record) -> "Letter | None":
        """A record of the dead-letter topic; None for what others wrote there."""
        told = {name: header(record.headers, _PREFIX + name) or b"" for name in FACTS}
        facts = {name: content.decode(errors="replace") for name, content in told.items()}
        if not (_is_number(facts["partition"]) and _is_number(facts["offset"])):
            return None
        source = (int(facts["partition"]), int(facts["offset"]))
        return cls(source, facts, record, _why_not(facts, record))

    @property
    def place(self) -> str:
        """`<partition>/<offset>` of the record that it was."""
        return "/".join(map(str, self.source))

    @property
    def headers(self) -> tuple[tuple[str, bytes | None], ...]:
        """The original's own, also those that are named as ours are."""
        headers = self.record.headers
        if tuple(name for name, _ in headers[-len(_OURS) :]) == tuple(_PREFIX + name for name in _OURS):
            return headers[: -len(_OURS)]
        return tuple(each for each in headers if not each[0].startswith(_PREFIX))

    @property
    def content(self) -> tuple[bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]:
        """Key, value and headers of the original."""
        return self.record.key, self.record.value, self.headers

    def original(self) -> dict[str, Any]:
        """The record as it came: text where it is UTF-8, else `{"base64": …}`."""
        return {
            "key": _readable(self.record.key),
            "headers": [[name, _readable(content)] for name, content in self.headers],
            "value": _readable(self.record.value),
        }

    def without_value(self) -> "Letter":
        """What a list shows of it: a topic of letters may be larger than the memory."""
        return replace(self, record=replace(self.record, value=None, headers=()))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _why_not(facts: Mapping[str, str], record: Record) -> str | None:
    if facts["bytes"] or facts["reason"] == Reason.UNDECODABLE_BATCH:
        return "its original is not in the letter: it lies at its own offset only"
    if facts["reason"] == Reason.TOO_LARGE:
        return "it is over the contract's limits, which no newer version changes"
    if _LEFT_OUT.search(facts["detail"]):
        return "the letter lacks some of its headers: another record would be sent"
    if record.key is None and record.value is None:
        return "it has neither key nor value"
    return None


async def read_letters(
    settings: Settings, whole: Callable[[Letter], bool] = lambda _letter: True
) -> list[Letter]:
    """Every dead letter once, in order of place; after a crash the topic may hold one twice.

    Those that are not to be `whole` come without their value. Raises shared.runtime.clients.TopicMissing, and
    aiokafka's KafkaError if no broker answers.
    """
    await require(settings, Topic.DEAD_LETTERS)
    partitions = partitions_of(settings, Topic.DEAD_LETTERS)
    found: dict[Source, Letter] = {}
    async for record in read_topic(settings, Topic.DEAD_LETTERS, partitions, "rollstream-dlq"):
        letter = Letter.of(record)
        if letter is not None and letter.source not in found:
            found[letter.source] = letter if whole(letter) else letter.without_value()
    return [found[source] for source in sorted(found)]


def _readable(content: bytes | None) -> Any:
    if content is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(content).decode()}
