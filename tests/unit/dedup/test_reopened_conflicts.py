"""Two registrations decided to be one person are asked about again when their data change (rule 2)."""

import random
from itertools import product
from typing import Any

import pytest

from services.dedup.claims import Pair
from services.dedup.store import CONFLICTS
from shared.contracts.identity import VersionId, claim_id
from tests.kit.conflict_world import A1, A2, B1, FACTS, PAIR, Scene

A3, B2 = ("a", "4" * 64), ("b", "5" * 64)
AFTER: Pair = (A2, B1)


@pytest.fixture
async def decided() -> Scene:
    """Two registrations that are one person, as officers said."""
    made = Scene()
    made.world.version(*A1)
    made.world.version(*B1)
    await made.process.take("a", "b", claims={PAIR: FACTS})
    made.world.decide()
    await made.process.follow()
    return made


async def corrected(scene: Scene, version: VersionId = A2, claims: dict[Pair, Any] | None = None) -> None:
    scene.world.version(*version)
    await scene.process.take(version[0], claims=claims)


def status(scene: Scene, pair: Pair = AFTER) -> str | None:
    found = scene.mongo.collection(CONFLICTS).documents.get(claim_id(*pair))
    return None if found is None else str(found["status"])


async def test_corrected_data_that_no_longer_look_alike_open_the_question_again(decided: Scene) -> None:
    await corrected(decided)
    assert (status(decided, PAIR), status(decided)) == ("void", "open")
    assert decided.conflict(AFTER)["class"] == "reported"
    assert decided.conflict(AFTER)["decision"] is None
    decided.world.decide(AFTER)
    await decided.process.follow()
    assert status(decided) == "decided"


async def test_whether_the_decision_or_the_correction_is_read_first_makes_no_difference() -> None:
    scene = Scene()
    for version in (A1, B1, A2):
        scene.world.version(*version)
    await scene.process.take("a", "b", "a", claims={PAIR: FACTS})
    assert status(scene) is None  # nothing is kept for registrations that no decision names
    scene.world.decide()
    await scene.process.follow()
    assert (status(scene, PAIR), status(scene)) == ("void", "open")


async def test_data_that_look_alike_still_keep_what_the_matching_says(decided: Scene) -> None:
    await corrected(decided)
    await decided.process.take("a", claims={AFTER: FACTS})
    assert decided.conflict(AFTER)["class"] == FACTS["class"]
    await corrected(decided, A3, claims={(A3, B1): FACTS})
    await decided.another().follow()
    assert decided.conflict((A3, B1))["class"] == FACTS["class"]


async def test_a_reversal_on_later_versions_ends_what_was_decided_on_earlier_ones(decided: Scene) -> None:
    await corrected(decided)
    decided.world.decide(AFTER)
    decided.world.decide(AFTER, reverse=True)
    await decided.process.follow()
    assert status(decided) == "open"
    await corrected(decided, A3)
    assert status(decided, (A3, B1)) == "void"


async def test_two_people_are_not_asked_about_again(decided: Scene) -> None:
    await corrected(decided)
    decided.world.decide(AFTER, keep=None)
    await decided.process.follow()
    await corrected(decided, A3)
    assert status(decided, (A3, B1)) == "void"
    await decided.process.take("a", claims={(A3, B1): FACTS})  # but when their new data look alike
    assert status(decided, (A3, B1)) == "open"


async def test_two_people_of_whom_nobody_ever_said_otherwise_keep_nothing() -> None:
    scene = Scene()
    for version in (A1, B1):
        scene.world.version(*version)
    await scene.process.take("a", "b", claims={PAIR: FACTS})
    scene.world.decide(keep=None)
    await scene.process.follow()
    await corrected(scene)
    assert status(scene) is None


async def test_a_decision_that_is_taken_back_asks_nothing_of_later_versions(decided: Scene) -> None:
    await corrected(decided)
    decided.world.decide(reverse=True)
    await decided.process.follow()
    assert status(decided) == "void"
    assert decided.conflict(AFTER)["as_of"]["command_offset"] == 11


async def test_a_process_behind_with_decisions_does_not_forget_a_version_that_it_takes(
    decided: Scene,
) -> None:
    """The other has followed the decision before the version came; only this one ever takes it."""
    late = decided.another()
    await late.catch_up()
    decided.world.version(*A2)
    await late.take("a")
    assert status(decided) == "open"


async def test_a_process_behind_with_decisions_does_not_take_an_answer_back(decided: Scene) -> None:
    await corrected(decided)
    late = decided.another()
    await late.follow()
    decided.world.decide(AFTER, keep=None)
    await decided.process.follow()
    await corrected(decided, A3)
    before = dict(decided.conflict((A3, B1)))
    await late.take("a")
    assert decided.conflict((A3, B1)) == before


def steps(scene: Scene) -> list[Any]:
    """What happens, in its order: versions of both, a decision, another."""
    world = scene.world
    return [
        lambda: world.version(*A1),
        lambda: world.version(*B1),
        lambda: world.decide(),
        lambda: world.version(*A2),
        lambda: world.version(*B2, epoch=2),
        lambda: world.decide((A2, B2), keep=None),
        lambda: world.version(*A3, epoch=2),
        lambda: world.decide((A3, B2), keep="b"),
        lambda: world.version(*A1, epoch=3),
    ]


@pytest.mark.parametrize("seed", range(20))
async def test_the_conflicts_are_the_same_however_many_processes_read_and_when(seed: int) -> None:
    dice = random.Random(seed)
    claimed = dict.fromkeys(((A1, B1), (A3, B1), (A2, B2)), FACTS)
    scene, straight = Scene(), Scene()
    processes = [scene.process, scene.another()]
    for step in steps(scene):
        step()
        if dice.random() < 0.5:
            process = dice.choice(processes)
            await (process.follow() if dice.random() < 0.5 else process.take(dice.choice("ab")))
    for step in steps(straight):
        step()
    # In the end everything was taken by one of them, and followed by all.
    ends = [lambda: dice.choice(processes).take("a", "b", claims=claimed), *(p.follow for p in processes)]
    dice.shuffle(ends)
    for end in ends:
        await end()
    await straight.process.follow()
    await straight.process.take("a", "b", claims=claimed)
    documents = scene.mongo.collection(CONFLICTS).documents
    assert documents == straight.mongo.collection(CONFLICTS).documents
    assert set(documents) == {claim_id(*pair) for pair in product((A1, A2, A3), (B1, B2))}
