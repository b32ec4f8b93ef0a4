"""As much of MongoDB as the stores use, in memory and deterministic, in place of `Mongo`."""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, cast

from shared.store.mongo import InsertOne, Mongo, ReplaceOne, UpdateOne

Document = dict[str, Any]


class MemoryCollection:
    """Documents by `_id`; projections are not applied, so more may come back than was asked for."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}

    async def create_indexes(self, _indexes: Any) -> None:
        """Nothing to do."""

    def find(self, condition: Mapping[str, Any], _projection: Any = None) -> "_Cursor":
        return _Cursor([deepcopy(each) for each in self.documents.values() if _matches(each, condition)])

    async def find_one(
        self, condition: Mapping[str, Any], _projection: Any = None, sort: Sequence[tuple[str, int]] = ()
    ) -> Document | None:
        cursor = self.find(condition)
        for name, direction in reversed(sort):
            cursor.sort(name, direction)
        return cursor.found[0] if cursor.found else None

    async def distinct(self, name: str) -> list[Any]:
        values = [value for each in self.documents.values() for value in _as_list(each.get(name))]
        return list(dict.fromkeys(values))

    async def count_documents(self, condition: Mapping[str, Any], limit: int = 0) -> int:
        found = len(self.find(condition).found)
        return min(found, limit) if limit else found

    async def delete_many(self, condition: Mapping[str, Any]) -> None:
        self.documents = {
            name: each for name, each in self.documents.items() if not _matches(each, condition)
        }

    async def update_many(self, condition: Mapping[str, Any], change: Document) -> None:
        for each in self.documents.values():
            if _matches(each, condition):
                _update(each, deepcopy(change), inserted=False)

    def write(self, write: Any) -> bool:
        """Do one guarded upsert; whether it took place, else its `_id` is there with another guard."""
        if isinstance(write, InsertOne):
            return self._insert(write._doc)
        condition, change = write._filter, write._doc
        here = self.documents.get(condition["_id"])
        found = here if here is not None and _matches(here, condition) else None
        if found is None:
            if not write._upsert:
                return True
            if condition["_id"] in self.documents:
                return False
        if isinstance(write, ReplaceOne):
            self.documents[change["_id"]] = deepcopy(change)
            return True
        assert isinstance(write, UpdateOne)
        document = found if found is not None else _inserted(condition)
        _update(document, deepcopy(change), inserted=found is None)
        self.documents[document["_id"]] = document
        return True

    def _insert(self, document: Document) -> bool:
        if document["_id"] in self.documents:
            return False
        self.documents[document["_id"]] = deepcopy(document)
        return True


class _Cursor:
    def __init__(self, found: list[Document]) -> None:
        self.found = found

    def sort(self, name: str | Sequence[tuple[str, int]], direction: int = 1) -> "_Cursor":
        if not isinstance(name, str):
            for each, its_direction in reversed(name):
                self.sort(each, its_direction)
            return self
        # MongoDB sorts what is missing or null before everything else.
        self.found.sort(
            key=lambda each: (each.get(name) is not None, each.get(name) or 0), reverse=direction < 0
        )
        return self

    def limit(self, most: int) -> "_Cursor":
        self.found = self.found[:most]
        return self

    async def to_list(self, _length: int | None) -> list[Document]:
        return self.found

    async def __aiter__(self) -> AsyncIterator[Document]:
        for each in self.found:
            yield each


class MemoryMongo:
    """One database."""

    in_limit = 1_000

    def __init__(self) -> None:
        self.collections: dict[str, MemoryCollection] = {}

    def as_mongo(self) -> Mongo:
        """Itself, for those who ask for the real one."""
        return cast(Mongo, self)

    def collection(self, name: str) -> MemoryCollection:
        return self.collections.setdefault(name, MemoryCollection())

    async def find_by_ids(
        self, collection: str, ids: Iterable[str], _projection: Any = None
    ) -> list[Document]:
        documents = self.collection(collection).documents
        return [deepcopy(documents[each]) for each in dict.fromkeys(ids) if each in documents]

    async def write(self, collection: str, writes: Sequence[Any]) -> frozenset[int]:
        there = self.collection(collection)
        return frozenset(at for at, write in enumerate(writes) if not there.write(write))

    async def update_existing(self, collection: str, updates: Sequence[Any]) -> int:
        documents = self.collection(collection).documents
        named = [(documents.get(update._filter["_id"]), update._filter) for update in updates]
        found = sum(here is not None and _matches(here, condition) for here, condition in named)
        await self.write(collection, updates)
        return found

    def dump(self) -> dict[str, list[Document]]:
        """Every document, by collection."""
        return {name: list(each.documents.values()) for name, each in self.collections.items()}


def _matches(document: Document, condition: Mapping[str, Any]) -> bool:
    return all(
        any(_matches(document, each) for each in asked)
        if name == "$or"
        else _agrees(_member(document, name), asked)
        for name, asked in condition.items()
    )


def _member(value: Any, path: str) -> Any:
    """What a dotted path names; of a list, the element of that number or what it names in each element."""
    for name in path.split("."):
        if isinstance(value, list) and name.isdigit():
            value = value[int(name)] if int(name) < len(value) else None
        elif isinstance(value, list):
            value = [each.get(name) for each in value]
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value


def _agrees(value: Any, asked: Any) -> bool:
    if not isinstance(asked, dict):
        return bool(value == asked or (isinstance(value, list) and asked in value))
    tests: dict[str, Callable[[Any], bool]] = {
        "$gt": lambda bound: value > bound,
        "$lt": lambda bound: value < bound,
        "$lte": lambda bound: value <= bound,
        "$gte": lambda bound: value >= bound,
        "$in": lambda bound: value in bound,
        "$regex": lambda pattern: re.search(pattern, value) is not None,
    }
    if "$ne" in asked:
        rest = {operator: bound for operator, bound in asked.items() if operator != "$ne"}
        return bool(value != asked["$ne"]) and (not rest or _agrees(value, rest))
    if "$nin" in asked:
        return value not in asked["$nin"]
    if "$exists" in asked:
        return (value is not None) is asked["$exists"]
    if isinstance(value, list):
        return any(_agrees(each, asked) for each in value)
    return value is not None and all(tests[operator](bound) for operator, bound in asked.items())


def _inserted(condition: Mapping[str, Any]) -> Document:
    return {name: asked for name, asked in condition.items() if not isinstance(asked, dict)}


def _update(document: Document, change: Document, *, inserted: bool) -> None:
    for operator, members in change.items():
        for name, value in members.items():
            if operator == "$set" or (operator == "$setOnInsert" and inserted):
                document[name] = value
            elif operator == "$inc":
                document[name] = document.get(name, 0) + value
            elif operator == "$max":
                document[name] = max(document.get(name, value), value)
            elif operator == "$addToSet":
                known = document.setdefault(name, [])
                known += [each for each in value["$each"] if each not in known]
            else:
                assert operator == "$setOnInsert", operator


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
