"""The queue of open conflicts, a page at a time by keyset: however many there are, a page costs the same.

Each order is that of an index of dedup's (`services/dedup/store.py`), with the place and the class before it.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args
from urllib.parse import urlencode

from services.console.permissions import within
from shared.contracts.timestamps import rfc3339
from shared.reference.areas import Area
from shared.store.mongo import Mongo

PAGE = 25
"""Conflicts on a page: a laptop of 768 lines shows half of them, a key moves through all."""

MOST_COUNTED = 1_000
"""Beyond this the page says `more than`."""

Class = Literal["resend", "multiple_registration", "reported"]
CLASSES: tuple[Class, ...] = get_args(Class)
Order = Literal["surest", "oldest"]
ORDERS: tuple[Order, ...] = get_args(Order)

SHOWN = dict.fromkeys(
    ("pair", "status", "class", "probability", "weight", "evidence", "found_at", "places", "decision"), 1
)


@dataclass(frozen=True, slots=True)
class Filters:
    """What an officer wants to see. `least` is a probability and holds in the order `surest`, `days` the age
    and holds in the order `oldest`: each is where its index begins."""

    kind: str = ""
    place: str = ""
    order: Order = "surest"
    least: float = 0.0
    days: float = 0.0

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Filters":
        """Of a query; what makes no sense chooses nothing."""
        kind, place, order = query.get("kind", ""), query.get("place", ""), query.get("order", "")
        return cls(
            kind=kind if kind in CLASSES else "",
            place=place if place.isascii() and place.isdecimal() and len(place) in (2, 4, 6) else "",
            order="oldest" if order == "oldest" else "surest",
            least=_number(query.get("least", ""), 1.0),
            days=_number(query.get("days", ""), 36_500.0),
        )

    def query(self, **more: str) -> str:
        """As part of an address; it names no person."""
        told = {"kind": self.kind, "place": self.place, "order": self.order if self.order != "surest" else ""}
        told |= {
            "least": f"{self.least:g}" if self.least else "",
            "days": f"{self.days:g}" if self.days else "",
        }
        return urlencode({name: value for name, value in {**told, **more}.items() if value})

    def with_kind(self, kind: str) -> "Filters":
        """The same of another class."""
        return replace(self, kind=kind)


def _number(text: str, most: float) -> float:
    try:
        value = float(text or 0)
    except ValueError:
        return 0.0
    return value if 0 < value <= most else 0.0


Position = tuple[Any, str]
"""Where a page ends: the last one's probability or time, and its id."""


def to_cursor(position: Position | None) -> str:
    """As part of an address."""
    return "" if position is None else base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def from_cursor(text: str) -> Position | None:
    """Raises nothing: what is no position is the beginning."""
    try:
        value, name = json.loads(base64.urlsafe_b64decode(text.encode()))
    except (ValueError, TypeError):
        return None
    if not isinstance(name, str) or not (value is None or isinstance(value, str | float | int)):
        return None
    return value, name


class ConflictQueue:
    """Reads conflicts; dedup alone writes them."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def page(
        self, filters: Filters, areas: Area | None, after: Position | None, most: int = PAGE
    ) -> tuple[list[dict[str, Any]], Position | None]:
        """The next conflicts after a position, and where they end; None if these were the last.

        Each class and area is asked for by itself and the answers are merged: an index has them in order
        only where everything before the order is one value.
        """
        name, direction = ("probability", -1) if filters.order == "surest" else ("found_at", 1)
        found: dict[str, dict[str, Any]] = {}
        for query in self._runs(filters, areas):
            of_run = 0
            for part in _parts(query, name, direction, after, filters):
                if of_run < most:
                    cursor = self._mongo.collection("conflicts").find(part, SHOWN)
                    cursor = cursor.sort([(name, direction), ("_id", 1)]).limit(most - of_run)
                    documents = await cursor.to_list(most)
                    of_run += len(documents)
                    found |= {each["_id"]: each for each in documents}
        page = sorted(found.values(), key=lambda each: each["_id"])
        if filters.order == "surest":  # null comes last there, and first where it goes up
            page.sort(key=lambda each: (each[name] is None, -(each[name] or 0.0)))
        else:
            page.sort(key=lambda each: each[name] or "")
        page = page[:most]
        return page, (page[-1][name], page[-1]["_id"]) if len(page) == most else None

    async def count(self, filters: Filters, areas: Area | None) -> int:
        """How many there are, up to MOST_COUNTED and one more; one that touches two of several areas counts
        twice."""
        total, bound = 0, _bound(filters)
        for query in self._runs(filters, areas):
            if total <= MOST_COUNTED:
                left = MOST_COUNTED + 1 - total
                counted = await self._mongo.collection("conflicts").count_documents(
                    {**query, **bound}, limit=left
                )
                total += int(counted)
        return total

    async def one(self, conflict_id: str) -> dict[str, Any] | None:
        """The conflict of that id."""
        found = await self._mongo.find_by_ids("conflicts", [conflict_id])
        return found[0] if found else None

    async def of_registrations(self, ids: Sequence[str], most: int) -> list[dict[str, Any]]:
        """Some conflicts in which these take part."""
        query = {"pair.registration_id": {"$in": list(ids)}}
        cursor = self._mongo.collection("conflicts").find(query, SHOWN).limit(most)
        return list(await cursor.to_list(most))

    def _runs(self, filters: Filters, areas: Area | None) -> list[dict[str, Any]]:
        """Queries whose answers together are the queue; none where the place lies outside of the areas."""
        kinds = [filters.kind] if filters.kind else list(CLASSES)
        wanted = within(areas, filters.place)
        places: list[dict[str, Any]] = (
            [{}] if wanted is None else [{"places": each} for each in sorted(wanted)]
        )
        return [{"status": "open", **place, "class": kind} for place in places for kind in kinds]


def _bound(filters: Filters) -> dict[str, Any]:
    if filters.order == "surest":
        return {"probability": {"$gte": filters.least}} if filters.least else {}
    if not filters.days:
        return {}
    before = datetime.now(UTC) - timedelta(days=filters.days)
    return {"found_at": {"$lt": rfc3339(round(before.timestamp() * 1000))}}


def _parts(
    query: Mapping[str, Any], name: str, direction: int, after: Position | None, filters: Filters
) -> list[dict[str, Any]]:
    """The queries that together give what comes after a position, in order; each is one run of an index.

    Null comes first when it goes up and last when it goes down, as the index has it.
    """
    bound = _bound(filters)
    if after is None:
        return [{**query, **bound}]
    value, last = after
    beyond = "$lt" if direction < 0 else "$gt"
    same = {**query, name: value, "_id": {"$gt": last}}
    if value is None:
        rest = [] if direction < 0 else [{**query, name: {"$ne": None, **bound.get(name, {})}}]
        return [same, *rest]
    parts = [same, {**query, name: {beyond: value, **bound.get(name, {})}}]
    if direction < 0 and not bound:
        parts.append({**query, name: None})
    return parts
