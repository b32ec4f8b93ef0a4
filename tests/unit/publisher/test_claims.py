"""Very many claims take the publisher neither its memory nor its event loop."""

import asyncio
import gc
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterable
from datetime import date
from typing import Any

import pytest

from services.publisher import claims as claims_module
from services.publisher import compile as compile_module
from services.publisher.claims import CLAIMS_AT_ONCE, CurrentClaims
from services.publisher.roll import MOST_NAMES, Refusal, Ruling, rule
from services.publisher.store import RollStore
from shared.commands.state import PairKey
from shared.runtime.turns import Turns
from tests.kit.checked_records import digest_of
from tests.kit.many_claims import ManyClaims
from tests.kit.publisher_desk import first_version

DAY = date(2027, 6, 6)


class TheseClaims(ManyClaims):
    """Only some, of people who are all active with their first version."""

    def __init__(self, claims: Iterable[PairKey]) -> None:
        super().__init__(0, 1)
        self._claims = list(claims)

    async def claims(self, epoch: int) -> AsyncIterator[PairKey]:
        for each in self._claims:
            yield each


def claim(one: str, other: str, data: str = "first", others: str = "first") -> PairKey:
    return (one, digest_of(one + data)), (other, digest_of(other + others))


async def read(store: RollStore) -> CurrentClaims:
    found = CurrentClaims({})
    await found.read(store, 1)
    return found


async def test_only_claims_of_which_both_versions_are_current_count() -> None:
    store = TheseClaims(
        [claim("a", "b", "second"), claim("a", "c", others="second"), claim("a", "d"), claim("b", "d")]
    )
    assert list(await read(store)) == [("a", "d"), ("b", "d")]


@pytest.mark.parametrize("count", [0, 1, CLAIMS_AT_ONCE - 1, CLAIMS_AT_ONCE, CLAIMS_AT_ONCE + 1])
async def test_every_claim_is_read_however_many_there_are(count: int) -> None:
    store = TheseClaims(claim("a", f"b-{number}") for number in range(count))
    assert [other for _, other in await read(store)] == [f"b-{number}" for number in range(count)]


async def test_the_rules_need_less_than_100_bytes_for_a_claim() -> None:
    """All claims in one list of pairs of versions needed 1 kB each."""
    store = ManyClaims(300, 300)
    tracemalloc.start()
    try:
        found = await read(store)
        ruling = rule(found.people, found, {}, DAY, "hold_later")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(ruling.held) == 299
    assert peak / (300 * 299 // 2) < 100


async def test_a_refusal_holds_some_of_the_undecided_pairs_in_order_and_counts_them_all() -> None:
    found = await read(ManyClaims(60, 60))
    with pytest.raises(Refusal) as caught:
        rule(found.people, found, {}, DAY, "refuse")
    assert caught.value.named == 60 * 59 // 2
    assert caught.value.names == sorted(found)[:MOST_NAMES]


async def test_while_claims_are_read_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims_module, "Turns", lambda: Turns(held_s=0))
    reading = asyncio.create_task(read(ManyClaims(50, 50)))
    turns = 0
    while not reading.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 1_000  # of 1,225 claims


async def test_the_event_loop_does_not_wait_for_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, loop_ran = threading.Event(), threading.Event()

    def slow(*arguments: Any) -> Ruling:
        begun.set()
        assert loop_ran.wait(10), "the event loop waits"
        return rule(*arguments)

    monkeypatch.setattr(compile_module, "rule", slow)
    desk = await first_version()
    judging = asyncio.create_task(desk.finaliser().judge_all())
    while not begun.is_set():
        assert not judging.done()
        await asyncio.sleep(0)
    loop_ran.set()
    await judging
    assert b"roll-1/1" in desk.sent()


async def test_the_garbage_collector_does_not_look_through_registrations_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With 200,000 it held the event loop for over a second at a time, and more often the more there were."""
    monkeypatch.setattr(claims_module, "FREEZE_EVERY", 1_000)
    gc.collect()
    before = gc.get_freeze_count()
    try:
        found = await read(ManyClaims(4_000, 2))
        assert gc.get_freeze_count() - before > len(found.people) * 3 // 4
    finally:
        gc.unfreeze()


async def test_a_ruling_lets_go_of_all_that_it_was_made_of() -> None:
    found = await read(ManyClaims(60, 60))
    assert len(compile_module.rule_and_let_go(found, {}, DAY, "hold_later").held) == 59
    assert (found.people, list(found)) == ({}, [])
    again = await read(ManyClaims(60, 60))
    with pytest.raises(Refusal):
        compile_module.rule_and_let_go(again, {}, DAY, "refuse")
    assert (again.people, list(again)) == ({}, [])


async def test_to_let_go_of_very_many_takes_many_small_steps() -> None:
    """What is let go of at once holds every thread for as long as it takes."""
    found = await read(ManyClaims(3_000, 2))
    left: list[int] = []

    class Noted(dict[str, Any]):
        def popitem(self) -> tuple[str, Any]:
            left.append(len(self))
            return super().popitem()

    found.people = Noted(found.people)
    found.clear()
    assert left == list(range(3_000, 0, -1))
