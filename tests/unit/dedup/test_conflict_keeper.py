"""Conflicts follow claims, versions and decisions, whichever process writes and in which order."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.dedup.store import CONFLICTS
from shared.commands.state import State
from shared.contracts.identity import claim_id, ordered_pair
from shared.process.errors import TransientError
from tests.kit.conflict_world import A1, A2, B1, COMMUNE, FACTS, PAIR, Process, Scene


@pytest.fixture
async def scene() -> Scene:
    """Two registrations that look like one person, and the conflict that says so."""
    made = Scene()
    made.world.version(*A1)
    made.world.version(*B1)
    await made.process.take("a", "b", claims={PAIR: FACTS})
    return made


async def test_a_claim_opens_a_conflict_with_all_that_operators_read(scene: Scene) -> None:
    assert scene.conflict() == {
        "_id": claim_id(*PAIR),
        "pair": [{"registration_id": id_, "digest": digest, "commune": COMMUNE} for id_, digest in PAIR],
        "places": ["01", "0102", "010203"],
        "status": "open",
        "decision": None,
        "found_at": "1970-01-01T00:00:01.000Z",
        "as_of": {"command_offset": -1, "first_source": 0, "second_source": 1, "finalised": 0},
        **FACTS,
    }


async def test_a_correction_voids_the_conflict_and_correcting_back_opens_it_again(scene: Scene) -> None:
    scene.world.version(*A2)
    await scene.process.take("a")
    assert scene.conflict()["status"] == "void"
    scene.world.version(*A1)
    await scene.process.take("a")
    assert scene.conflict()["status"] == "open"
    assert scene.conflict()["class"] == "multiple_registration"


async def test_a_decision_closes_the_conflict_and_its_reversal_opens_it_again(scene: Scene) -> None:
    scene.world.decide()
    await scene.process.follow()
    assert scene.conflict()["status"] == "decided"
    assert scene.conflict()["decision"]["keep"] == "a"
    scene.world.decide(reverse=True)
    await scene.process.follow()
    assert (scene.conflict()["status"], scene.conflict()["decision"]) == ("open", None)
    assert scene.conflict()["as_of"]["command_offset"] == 11


async def test_corrected_back_after_a_decision_finds_the_decision_again(scene: Scene) -> None:
    scene.world.decide()
    await scene.process.follow()
    for version, status in ((A2, "void"), (A1, "decided")):
        scene.world.version(*version)
        await scene.process.take("a")
        assert scene.conflict()["status"] == status


async def test_a_decision_without_a_claim_opens_a_conflict_of_class_reported() -> None:
    scene = Scene()
    scene.world.version(*A1)
    scene.world.version(*B1)
    await scene.process.take("a", "b")
    scene.world.decide()
    await scene.process.follow()
    assert (scene.conflict()["class"], scene.conflict()["status"]) == ("reported", "decided")
    assert scene.conflict()["probability"] is None
    await scene.process.take("b", claims={PAIR: FACTS})
    assert (scene.conflict()["class"], scene.conflict()["status"]) == ("multiple_registration", "decided")


async def test_a_claim_keeps_its_class_when_officers_decide(scene: Scene) -> None:
    scene.world.decide()
    await scene.process.follow()
    assert scene.conflict()["class"] == "multiple_registration"
    assert scene.conflict()["evidence"] == FACTS["evidence"]


@pytest.mark.parametrize("later", [A1, B1])
async def test_a_decision_on_a_version_that_has_yet_to_arrive_is_in_force_when_it_does(later: Any) -> None:
    scene = Scene()
    scene.world.version(*(B1 if later == A1 else A1))
    scene.world.decide()
    await scene.process.follow()
    assert (scene.conflict()["status"], scene.conflict()["found_at"]) == ("void", None)
    scene.world.version(*later)
    await scene.process.take(later[0])
    assert (scene.conflict()["status"], scene.conflict()["found_at"]) == (
        "decided",
        "1970-01-01T00:00:01.000Z",
    )


async def test_finalising_a_later_epoch_voids_what_its_versions_left_behind(scene: Scene) -> None:
    scene.world.version(*A2, epoch=2)
    await scene.process.take("a")
    assert scene.conflict()["status"] == "open"  # both were current together in epoch 1
    await scene.publish(1)
    await scene.process.follow()
    assert scene.conflict()["status"] == "open"
    await scene.publish(2)
    await scene.process.follow()
    assert scene.conflict()["status"] == "void"


async def test_a_roll_that_was_noticed_while_storing_still_voids_the_other_conflicts(scene: Scene) -> None:
    scene.world.version(*A2, epoch=2)
    await scene.process.take("a")
    await scene.publish(2)
    scene.world.version("c", "4" * 64, epoch=2)
    await scene.process.take("c", claims={(A2, ("c", "4" * 64)): FACTS})
    await scene.process.follow()
    assert scene.conflict()["status"] == "void"


async def test_what_a_roll_left_behind_is_voided_after_a_failure_in_between(scene: Scene) -> None:
    scene.world.version(*A2, epoch=2)
    await scene.process.take("a")
    await scene.publish(2)
    save = scene.process.keeper._save

    async def fails(*_args: Any, **_options: Any) -> None:
        raise TransientError("away")

    scene.process.keeper._save = fails  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        await scene.process.follow()
    scene.process.keeper._save = save  # type: ignore[method-assign]
    await scene.process.follow()
    assert scene.conflict()["status"] == "void"


async def _a_corrected(scene: Scene) -> None:
    scene.world.version(*A2)
    await scene.process.take("a")


async def _b_corrected(scene: Scene) -> None:
    scene.world.version("b", "5" * 64)
    await scene.process.take("b")


async def _decided(scene: Scene) -> None:
    scene.world.decide()
    await scene.process.follow()


async def _finalised(scene: Scene) -> None:
    await scene.publish(1)
    await scene.process.follow()


@pytest.mark.parametrize("happens", [_a_corrected, _b_corrected, _decided, _finalised])
async def test_a_process_that_is_behind_in_anything_never_takes_a_conflict_back(
    scene: Scene, happens: Callable[[Scene], Awaitable[None]]
) -> None:
    late = scene.another()
    await late.catch_up()
    await happens(scene)
    before = dict(scene.conflict())
    lost = await late.keeper._store.save([(late.keeper._judge(PAIR), FACTS, {})])
    assert lost == {0}
    assert scene.conflict() == before
    await late.keeper.found([(PAIR, FACTS)])  # reads on, and says the same
    assert scene.conflict() == before


async def test_a_process_that_stays_behind_gives_its_batch_back(scene: Scene) -> None:
    late = scene.another()
    await late.catch_up()
    scene.world.decide()
    await scene.process.follow()

    async def reads_nothing() -> State:
        return late.state

    late.wait_for_end = reads_nothing  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        await late.keeper.found([(PAIR, FACTS)])


async def _corrected_and_seen_by_the_other(scene: Scene, other: Process) -> None:
    scene.world.version(*A2)
    await other.take("a")


async def _decided_and_seen_by_the_other(scene: Scene, other: Process) -> None:
    scene.world.decide()
    await other.follow()


@pytest.mark.parametrize(
    ("meanwhile", "status"),
    [(_corrected_and_seen_by_the_other, "void"), (_decided_and_seen_by_the_other, "decided")],
)
async def test_of_two_processes_that_write_at_once_whichever_is_second_sees_the_other(
    meanwhile: Callable[[Scene, Process], Awaitable[None]], status: str
) -> None:
    scene = Scene()
    scene.world.version(*A1)
    scene.world.version(*B1)
    other = scene.another()
    store = scene.process.keeper._store
    save, happened = store.save, False

    async def save_after_the_other(conflicts: Any) -> Any:
        nonlocal happened
        if not happened:  # between our computing and our storing
            happened = True
            await meanwhile(scene, other)
        return await save(conflicts)

    store.save = save_after_the_other  # type: ignore[method-assign]
    await scene.process.take("b", claims={PAIR: FACTS})
    assert happened
    assert scene.conflict()["status"] == status
    assert scene.conflict()["class"] == "multiple_registration"


async def test_the_database_dropped_comes_back_with_identical_conflicts(scene: Scene) -> None:
    scene.world.version("c", "4" * 64)
    third = ordered_pair(B1, ("c", "4" * 64))
    await scene.process.take("c", claims={third: FACTS})
    scene.world.decide(third, keep="c")
    scene.world.decide((A1, ("c", "4" * 64)), keep="c")  # reported
    await scene.process.follow()
    scene.world.version(*A2, epoch=2)
    await scene.process.take("a")
    await scene.publish(1)
    await scene.process.follow()
    before = scene.mongo.dump()[CONFLICTS]
    assert {each["status"] for each in before} == {"open", "decided"}

    scene.mongo.collections.pop(CONFLICTS)
    again = scene.another()
    await again.follow()  # decisions may well be read before the batches
    await again.take("c", "a", claims={third: FACTS})
    await again.take("b", "a", claims={PAIR: FACTS})
    await again.follow()
    after = scene.mongo.dump()[CONFLICTS]
    assert sorted(after, key=lambda each: each["_id"]) == sorted(before, key=lambda each: each["_id"])
