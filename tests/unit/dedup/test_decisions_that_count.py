"""What decisions come to in a conflict: one not made is not there, a void one leaves the question open."""

import pytest

from services.dedup.store import CONFLICTS
from tests.kit.conflict_world import A1, A2, B1, COMMUNE, FACTS, PAIR, Scene

ELSEWHERE = "020304"


@pytest.fixture
async def claimed() -> Scene:
    made = Scene()
    made.world.version(*A1)
    made.world.version(*B1)
    await made.process.take("a", "b", claims={PAIR: FACTS})
    return made


def shown(scene: Scene) -> tuple[str, str | None]:
    conflict = scene.conflict()
    return conflict["status"], conflict["decision"] and conflict["decision"]["command_id"]


async def test_a_decision_that_names_another_commune_is_as_if_it_were_not_there(claimed: Scene) -> None:
    claimed.world.decide(communes=(COMMUNE, ELSEWHERE))
    await claimed.process.follow()
    assert shown(claimed) == ("open", None)
    assert claimed.conflict()["as_of"]["command_offset"] == 10


@pytest.mark.parametrize("keep", ["a", None])
async def test_without_a_claim_it_opens_nothing(keep: str | None) -> None:
    scene = Scene()
    scene.world.version(*A1)
    scene.world.version(*B1)
    scene.world.decide(keep=keep, communes=(ELSEWHERE, COMMUNE))
    await scene.process.take("a", "b")
    await scene.process.follow()
    assert shown(scene) == ("void", None)


async def test_the_decision_before_one_that_was_not_made_still_counts(claimed: Scene) -> None:
    claimed.world.decide(keep="b")
    claimed.world.decide(keep="a", communes=(ELSEWHERE, COMMUNE))
    claimed.world.decide(reverse=True, communes=(ELSEWHERE, COMMUNE))
    await claimed.process.follow()
    assert shown(claimed) == ("decided", "c-10")


async def test_a_decision_on_a_version_that_never_came_makes_nobody_one_person(claimed: Scene) -> None:
    claimed.world.decide((A2, B1), communes=(COMMUNE, COMMUNE))
    await claimed.process.follow()
    assert claimed.mongo.collection(CONFLICTS).documents.keys() == {
        claimed.conflict()["_id"],
        claimed.conflict((A2, B1))["_id"],
    }
    assert claimed.conflict((A2, B1))["status"] == "void"
    assert [each["commune"] for each in claimed.conflict((A2, B1))["pair"]] == [None, COMMUNE]
    assert shown(claimed) == ("open", None)


async def test_each_version_has_the_commune_of_its_own_residence(claimed: Scene) -> None:
    claimed.world.version(*A2, commune=ELSEWHERE)
    claimed.world.decide((A2, B1), communes=(ELSEWHERE, COMMUNE))
    await claimed.process.take("a")
    await claimed.process.follow()
    assert [each["commune"] for each in claimed.conflict()["pair"]] == [COMMUNE, COMMUNE]
    assert [each["commune"] for each in claimed.conflict((A2, B1))["pair"]] == [ELSEWHERE, COMMUNE]
    assert claimed.conflict((A2, B1))["status"] == "decided"


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("erroneous", "open"),
        ("moved", "open"),
        ("duplicate", "open"),
        ("deceased", "decided"),
        ("disenfranchised", "decided"),
    ],
)
async def test_a_decision_is_void_while_whom_it_keeps_is_removed_but_not_for_death_or_loss_of_the_vote(
    claimed: Scene, reason: str, status: str
) -> None:
    claimed.world.decide(keep="a")
    await claimed.process.follow()
    claimed.world.remove("a", reason)
    await claimed.process.take("a")
    assert shown(claimed)[0] == status
    claimed.world.version(*A1)  # reinstated: it holds again
    await claimed.process.take("a")
    assert shown(claimed) == ("decided", "c-10")


async def test_a_void_decision_without_a_claim_leaves_the_question_open() -> None:
    scene = Scene()
    scene.world.version(*A1)
    scene.world.version(*B1)
    scene.world.decide(keep="a")
    scene.world.remove("a", "erroneous")
    await scene.process.take("a", "b", "a")
    await scene.process.follow()
    assert shown(scene) == ("open", None)
    assert scene.conflict()["class"] == "reported"


async def test_the_removal_of_the_other_one_leaves_a_decision_as_it_is(claimed: Scene) -> None:
    claimed.world.decide(keep="a")
    claimed.world.remove("b", "duplicate")
    await claimed.process.take("b")
    await claimed.process.follow()
    assert shown(claimed) == ("decided", "c-10")


async def test_the_decision_before_a_void_one_counts(claimed: Scene) -> None:
    claimed.world.decide(keep="b")
    claimed.world.decide(keep="a")
    claimed.world.remove("a", "erroneous")
    await claimed.process.take("a")
    await claimed.process.follow()
    assert shown(claimed) == ("decided", "c-10")
