"""Records of the services' topics, as far as they can be read at all."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from audit.log import LogRecord
from audit.look import Look
from audit.outcomes import Source
from audit.source import Source as Reader
from audit.source import Spans
from shared.contracts.topics import Topic

UNKNOWN_TYPE = "of a type that no service writes there"


async def read(
    look: Look, reader: Reader, topic: Topic, spans: Spans | None = None
) -> AsyncIterator[LogRecord]:
    """Every record that can be read; the others are foreign: our own clients write none."""
    async for record in reader.records(topic, look.spans[topic] if spans is None else spans):
        if record.fault is None or (topic == Topic.DEAD_LETTERS and record.fault == "headers"):
            yield record
        else:
            look.foreign(topic, record, f"it cannot be read ({record.fault})")


def told_by(record: LogRecord) -> dict[str, Any] | None:
    try:
        told = json.loads(record.value or b"")
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def source_in(told: Mapping[str, Any] | None) -> Source | None:
    source = (told or {}).get("source")
    if not isinstance(source, dict):
        return None
    partition, offset = source.get("partition"), source.get("offset")
    return (partition, offset) if type(partition) is int and type(offset) is int else None
