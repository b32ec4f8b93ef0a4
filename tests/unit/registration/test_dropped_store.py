"""The database is dropped at any moment of a batch: nothing wrong is sent, and nothing looks complete."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import pytest

from services.registration.handler import Parts, RegistrationHandler
from services.registration.holdings import Holdings
from services.registration.rebuild import Rebuild
from services.registration.references import References
from services.registration.store import REGISTRATIONS, Store
from shared.commands.feed import CommandFeed
from shared.commands.marker_reader import MarkerReader
from shared.contracts.events import EventType
from shared.contracts.topics import Topic
from shared.process.budget import Budget
from shared.process.errors import StoreRolledBack
from shared.process.metrics import Metrics
from shared.reference.files import ReferenceStore
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output, Record
from shared.store.progress import COLLECTION, ProgressStore
from tests.kit.memory_mongo import MemoryMongo
from tests.kit.registration_kit import PARTITIONS, REFERENCE, event, registration


class DroppedMongo(MemoryMongo):
    """Loses everything just before its `at`-th call, once it is set."""

    at: int | None = None
    dropped = False

    def _count(self) -> None:
        if self.at is not None:
            if self.at == 0:
                self.collections.clear()
                self.dropped = True
            self.at -= 1

    async def find_by_ids(self, collection: str, ids: Iterable[str], _projection: Any = None) -> Any:
        self._count()
        return await super().find_by_ids(collection, ids)

    async def write(self, collection: str, writes: Sequence[Any]) -> frozenset[int]:
        self._count()
        return await super().write(collection, writes)

    async def update_existing(self, collection: str, updates: Sequence[Any]) -> int:
        self._count()
        at, self.at = self.at, None  # one call, whatever it is made of here
        found = await super().update_existing(collection, updates)
        self.at = at
        return found


class _References:
    def of_epoch(self, _epoch: int) -> Any:
        return REFERENCE


class MemoryOutputs:
    def __init__(self) -> None:
        self.sent: list[Output] = []

    async def send(self, outputs: Sequence[Output]) -> None:
        self.sent += outputs


async def _first_records(partitions: Iterable[int]) -> Mapping[int, str | None]:
    return dict.fromkeys(partitions, "first")


def handler_on(
    mongo: MemoryMongo,
    outputs: MemoryOutputs,
    committed: Mapping[int, int] | None = None,
    rejections: MemoryOutputs | None = None,
) -> RegistrationHandler:
    """A process of a group that has `committed`."""
    metrics = Metrics("registration")
    progress = ProgressStore(mongo.as_mongo(), "registration", Topic.EVENTS.value, _first_records)

    async def group_offsets() -> Mapping[int, int]:
        return committed or {}

    return RegistrationHandler(
        "kh-test",
        PARTITIONS,
        Parts(
            store=Store(mongo.as_mongo()),
            progress=progress,
            outputs=cast(Outputs, outputs),
            rejections=cast(Outputs, rejections or outputs),
            rebuild=Rebuild(progress, group_offsets),
            markers=MarkerReader(cast(CommandFeed, None), cast(ReferenceStore, None)),
            references=cast(References, _References()),
            holdings=Holdings(),
            metrics=metrics,
            budget=Budget(),
        ),
    )


FIRST = event(EventType.REGISTERED, registration(), event_id="e-0")
CALLS = 9
"""Of the store, in a batch; beyond them nothing is dropped."""
SECOND = event(EventType.CORRECTED, registration(revision=2), event_id="e-1", offset=1)


async def until_exit(mongo: DroppedMongo, outputs: MemoryOutputs, at: int) -> bool:
    """Registered; then the database goes in the middle of the correction. Whether the process noticed."""
    handler = handler_on(mongo, outputs)
    await handler.assigned({FIRST.partition: None})
    await handler.handle([FIRST])
    mongo.at = at
    try:
        await handler.handle([SECOND])
    except StoreRolledBack:
        return True
    finally:
        mongo.at = None
    return False


async def restarted(mongo: MemoryMongo, outputs: MemoryOutputs, committed: int, log: list[Record]) -> None:
    handler = handler_on(mongo, outputs, {FIRST.partition: committed})
    starts = await handler.assigned({FIRST.partition: committed})
    left = log[starts[FIRST.partition] :]
    if left:
        await handler.handle(left)


def by_topic(outputs: MemoryOutputs) -> dict[str, set[bytes | None]]:
    found: dict[str, set[bytes | None]] = {}
    for each in outputs.sent:
        found.setdefault(each.topic, set()).add(each.value)
    return found


async def undisturbed() -> tuple[MemoryMongo, MemoryOutputs]:
    mongo, outputs = MemoryMongo(), MemoryOutputs()
    handler = handler_on(mongo, outputs)
    await handler.assigned({FIRST.partition: None})
    await handler.handle([FIRST])
    await handler.handle([SECOND])
    return mongo, outputs


@pytest.mark.parametrize("at", range(12))
async def test_a_store_dropped_before_any_of_its_calls_is_noticed_and_rebuilt_the_same(at: int) -> None:
    mongo, outputs = DroppedMongo(), MemoryOutputs()
    noticed = await until_exit(mongo, outputs, at)
    assert noticed == mongo.dropped
    await restarted(mongo, outputs, committed=1, log=[FIRST, SECOND])
    expected, sent = await undisturbed()
    assert mongo.dropped == (at < CALLS)
    assert by_topic(outputs) == by_topic(sent)
    assert set(by_topic(outputs)) == {Topic.ACCEPTED.value}
    for name in (REGISTRATIONS, "outcomes", COLLECTION):
        assert stored(mongo, name) == stored(expected, name)


def stored(mongo: MemoryMongo, collection: str) -> list[dict[str, Any]]:
    """The documents of a collection, without the token of the process that holds a partition."""
    found = mongo.dump().get(collection, [])
    return [{name: value for name, value in each.items() if name != "owner"} for each in found]
