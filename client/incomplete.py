"""Closed capture batches that lack events: whom to ask to send again."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from shared.process.settings import Settings
from shared.store.mongo import Mongo

_SHOWN = dict.fromkeys(
    ("office", "first", "last", "count", "missing", "missing_count", "rejected", "overfull"), 1
)
CLOSED_INCOMPLETE: Mapping[str, Any] = {"complete": False, "count": {"$gte": 0}}
"""A query for `capture_batches`; `count` is null while a batch is not closed."""


async def incomplete_batches(settings: Settings, office: str, device: str) -> AsyncIterator[dict[str, Any]]:
    """Incomplete batches in order of device and batch, one at a time; an empty filter means all."""
    query = dict(CLOSED_INCOMPLETE)
    if office:
        query["office"] = office
    if device:
        query["_id"] = {"$gte": f"{device}/", "$lt": f"{device}0"}  # "0" follows "/"
    mongo = Mongo(settings.mongo, "rollstream-find")
    try:
        async for each in mongo.collection("capture_batches").find(query, _SHOWN).sort("_id", 1):
            named, batch = each["_id"].split("/", 1)
            kept = {name: each.get(name) for name in _SHOWN}
            yield {"device": named, "batch": batch, **kept}
    finally:
        mongo.close()
