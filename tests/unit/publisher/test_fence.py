"""Only who took a version last can store it: a pause or a lost store between two steps changes nothing."""

import asyncio
import contextlib
import copy
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import pytest

from services.publisher.editions import Abandoned
from services.publisher.finalise import edition_of
from services.publisher.lists import Totals
from shared.contracts.topics import Topic
from shared.process.errors import TransientError
from shared.runtime.record import Output, Record
from tests.kit.checked_records import digest_of
from tests.kit.memory_mongo import MemoryCollection, MemoryMongo
from tests.kit.memory_register import MemoryTopics
from tests.kit.publisher_desk import SECOND, Desk, first_version

CALLS = 76
"""How often a process asks the store or sends, to judge two versions."""

PREPARED: list[Desk] = []
JUDGED: list[Desk] = []
Interrupt = Callable[[], Awaitable[None]]


class Interrupted:
    """Counts what a process asks of the store and the topics; before number `at`, and before those that
    follow it, something is done."""

    def __init__(self, at: int, *then: Interrupt) -> None:
        self.left, self._then, self.happened = at, list(then), False

    async def ask(self) -> None:
        if self.left <= 0 and self._then:
            self.happened = True
            await self._then.pop(0)()
        self.left -= 1

    async def finish(self) -> None:
        """What was to follow and had no step left to come before."""
        while self.happened and self._then:
            await self._then.pop(0)()


class SeenMongo(MemoryMongo):
    """A desk's store, whichever it is by then, as one process sees it."""

    def __init__(self, desk: Desk, calls: Interrupted) -> None:
        super().__init__()
        self._desk, self._calls = desk, calls

    def collection(self, name: str) -> MemoryCollection:
        return _SeenCollection(self._desk, self._calls, name)

    async def find_by_ids(self, collection: str, ids: Iterable[str], _projection: Any = None) -> list[Any]:
        found: list[Any] = []
        for each in ids:  # as with a small `in_limit`
            await self._calls.ask()
            found += await self._desk.mongo.find_by_ids(collection, [each])
        return found

    async def write(self, collection: str, writes: Sequence[Any]) -> frozenset[int]:
        await self._calls.ask()
        return await self._desk.mongo.write(collection, writes)

    async def update_existing(self, collection: str, updates: Sequence[Any]) -> int:
        await self._calls.ask()
        return await self._desk.mongo.update_existing(collection, updates)


class _SeenCollection(MemoryCollection):
    def __init__(self, desk: Desk, calls: Interrupted, name: str) -> None:
        self._desk, self._calls, self._name = desk, calls, name

    def find(self, condition: Any, _projection: Any = None) -> Any:
        return _Late(self._calls, lambda: self._desk.mongo.collection(self._name).find(condition))

    async def distinct(self, name: str) -> list[Any]:
        await self._calls.ask()
        return await self._desk.mongo.collection(self._name).distinct(name)

    async def delete_many(self, condition: Any) -> None:
        await self._calls.ask()
        await self._desk.mongo.collection(self._name).delete_many(condition)


class _Late:
    """A cursor that looks when it is read."""

    def __init__(self, calls: Interrupted, find: Callable[[], Any]) -> None:
        self._calls, self._find, self._order = calls, find, list[tuple[str, int]]()

    def sort(self, name: str, direction: int = 1) -> "_Late":
        self._order.append((name, direction))
        return self

    async def to_list(self, _length: int | None) -> list[Any]:
        return [each async for each in self]

    async def __aiter__(self) -> Any:
        await self._calls.ask()
        cursor = self._find()
        for name, direction in self._order:
            cursor.sort(name, direction)
        for each in cursor.found:
            yield each


class SeenTopics(MemoryTopics):
    def __init__(self, desk: Desk, calls: Interrupted) -> None:
        super().__init__(desk.topics.records)
        self._calls = calls

    async def send(self, outputs: Iterable[Output]) -> None:
        await self._calls.ask()
        await super().send(outputs)


async def judge_interrupted(desk: Desk, at: int, *then: Interrupt) -> bool:
    """A process judges and is interrupted; whether it was. It may give up, and must not fail otherwise."""
    calls = Interrupted(at, *then)
    process = desk.finaliser(mongo=SeenMongo(desk, calls), outputs=SeenTopics(desk, calls))
    with contextlib.suppress(Abandoned, TransientError):
        await process.judge_all()
    await calls.finish()
    return calls.happened


async def two_versions() -> Desk:
    """Two versions to be judged, of which the second needs the first one's lists."""
    if not PREPARED:
        PREPARED.append(await _two_versions())
    return copy.deepcopy(PREPARED[0])


async def _two_versions() -> Desk:
    desk = await first_version()
    desk.commands.cut_off(2)
    desk.commands.finalise(epoch=2)
    await desk.epoch(2, *SECOND)
    return desk


async def third_version(desk: Desk) -> None:
    """Another version, and records that come after it: then what only older ones need may be dropped."""
    desk.commands.cut_off(3)
    desk.commands.finalise(epoch=3)
    await desk.epoch(3, ("r-3", 30, {"data": "c", "village": "02030501"}))
    await desk.finaliser().judge_all()
    await desk.epoch(4, ("r-1", 40, {"data": "d", "village": "01020304"}), ("r-2", 41, {"removal": "moved"}))


def values(desk: Desk) -> dict[bytes | None, set[bytes | None]]:
    sent = desk.sent()
    assert all(len(each) == 1 for each in sent.values())
    return sent


def ends_with_roll_manifests(desk: Desk) -> None:
    """A roll manifest lies on its topic only when all lists and manifests of its version do."""
    keys = desk.sent().keys()
    for version in (1, 2):
        if f"roll-1/{version}".encode() in keys:
            whole = {f"roll-1/{name}/{version}".encode() for name in ("S-1", "S-2", "S-3", "01", "02")}
            assert whole <= keys


async def expected() -> Desk:
    """The same, judged without an interruption."""
    if not JUDGED:
        JUDGED.append(await two_versions())
        await JUDGED[0].finaliser().judge_all()
    return JUDGED[0]


@pytest.mark.parametrize("at", range(CALLS))
async def test_a_store_dropped_before_any_step_leaves_nothing_wrong_and_is_rebuilt_the_same(at: int) -> None:
    right = await expected()
    desk = await two_versions()

    async def drop() -> None:
        desk.mongo = MemoryMongo()

    happened = await judge_interrupted(desk, at, drop)
    ends_with_roll_manifests(desk)
    assert values(desk).items() <= values(right).items()
    await desk.read(*desk.checked)
    await desk.finaliser().judge_all()
    assert values(desk) == values(right)
    assert await desk.versions() == await right.versions()
    assert happened


async def test_every_step_is_interrupted() -> None:
    async def nothing() -> None: ...

    desk = await two_versions()
    assert not await judge_interrupted(desk, CALLS, nothing)
    assert values(desk) == values(await expected())


@pytest.mark.parametrize("at", range(CALLS))
async def test_a_store_rebuilt_before_any_step_leaves_nothing_wrong(at: int) -> None:
    right = await expected()
    desk = await two_versions()
    await judge_interrupted(desk, at, desk.lose_store)
    assert values(desk).items() <= values(right).items()
    await desk.finaliser().judge_all()
    assert values(desk) == values(right)
    assert await desk.versions() == await right.versions()


@pytest.mark.parametrize("at", range(CALLS))
async def test_a_paused_publisher_that_wakes_up_changes_nothing(at: int) -> None:
    desk = await two_versions()
    others: list[Any] = []

    async def meanwhile() -> None:
        await desk.finaliser().judge_all()
        await third_version(desk)
        others.extend([desk.sent(), sent_records(desk), await desk.editions.versions()])

    if not await judge_interrupted(desk, at, meanwhile):
        return
    sent, records, versions = others
    assert values(desk) == sent
    assert len(sent_records(desk)) - len(records) <= 3  # what was being sent when it fell asleep
    assert await desk.editions.versions() == versions
    newest = versions[-1]["token"]
    assert len(await desk.editions.communes(newest)) == 3


def sent_records(desk: Desk) -> list[Record]:
    return [each for topic in (Topic.LISTS, Topic.MANIFESTS) for each in _of(desk, topic)]


def _of(desk: Desk, topic: Topic) -> list[Record]:
    return [each for (name, _), there in desk.topics.records.items() if name == topic for each in there]


@pytest.mark.parametrize("at", range(30))
async def test_what_is_read_of_a_store_that_goes_refuses_nothing(at: int) -> None:
    """Without r-3, whom a decision keeps and who is dead, r-2 would stand and its claim to r-1 be open."""
    desk = Desk()
    desk.commands.cut_off(1)
    dropped, kept = (("r-2", digest_of("r-2first")), ("r-3", digest_of("r-3first")))
    desk.commands.decide(dropped, kept, "r-3", communes=("010203", "010203"))
    request = desk.commands.finalise()
    await desk.epoch(
        1,
        ("r-1", 0, {}),
        ("r-2", 1, {"claims": (("r-1", "first"),)}),
        ("r-3", 2, {}),
        ("r-3", 3, {"removal": "deceased"}),
    )

    async def drop() -> None:
        desk.mongo = MemoryMongo()

    async def rebuild() -> None:
        await desk.lose_store()
        other = desk.finaliser()
        await other._store_verdicts(other._commands.state)  # it has not come to judge yet

    await judge_interrupted(desk, at, drop, rebuild)
    assert desk.verdict_on(request)["verdict"] != "refused"
    await desk.finaliser().judge_all()
    assert desk.verdict_on(request)["verdict"] == "effective"


async def test_only_the_last_attempt_stores_and_only_in_the_store_in_which_it_began() -> None:
    desk = await first_version()
    state = desk.feed().state
    edition = edition_of(state, state.finalise_requests[0], ())
    editions = desk.editions
    first, second = await editions.take(edition), await editions.take(edition)
    totals = Totals(0, 0, {}, "", b"")
    late: list[Callable[[], Awaitable[None]]] = [
        lambda: editions.require(first),
        lambda: editions.take_effect(first),
        lambda: editions.published(first, totals),
    ]
    for each in late:
        with pytest.raises(Abandoned):
            await each()
    await editions.drop(first)
    await editions.require(second)
    await editions.take_effect(second)
    await editions.published(second, totals)
    with pytest.raises(Abandoned):
        await editions.take(edition)
    desk.mongo = MemoryMongo()
    with pytest.raises(Abandoned):
        await desk.editions.published(second, totals)
    assert await desk.versions() == []


async def test_two_processes_at_once_publish_one_version() -> None:
    right = await expected()
    desk = await two_versions()
    await asyncio.gather(
        *(judge_interrupted(desk, at, lambda: asyncio.sleep(0)) for at in (3, 5)),
    )
    await desk.finaliser().judge_all()
    assert values(desk) == values(right)
