"""A voter's page: found by a form, in the areas only, and no address names them."""

import re

from shared.contracts.commands import CommandType
from shared.contracts.identity import claim_id
from tests.kit.console_kit import Browser, Scene


async def find(browser: Browser, wanted: str) -> None:
    await browser.get("/voters")
    await browser.post("/voters/find", wanted=wanted)


async def test_a_registration_is_found_by_its_id_and_by_its_events(scene: Scene) -> None:
    conflict = scene.store.conflict("a", "b")
    async with scene.browser("approver") as one:
        for wanted in ("a", "event-a"):
            await find(one, wanted)
            assert "SOK" in one.text and f"/conflicts/{conflict}" in one.text
            assert re.fullmatch(r"/voters/[0-9a-f]{34,}", one.path)
        for wanted in ("nobody", "", "$ne", "a" * 300):
            await find(one, wanted)
            assert "Nothing is stored under this id." in one.text and one.path == "/voters"


async def test_a_voter_of_another_area_is_not_shown(scene: Scene) -> None:
    async with scene.browser("north") as north, scene.browser("adjudicator") as one:
        await find(north, "a")
        assert north.page is not None and north.page.status_code == 403 and "SOK" not in north.text
        await find(one, "b")
        assert (await north.get(one.path)).status_code == 404, "the address is another session's"
        await find(north, "b")
        assert "SOKH" in north.text


async def test_a_duplicate_that_matching_missed_is_reported_from_a_voters_page(scene: Scene) -> None:
    async with scene.browser("adjudicator") as one:
        await find(one, "c")
        here = one.path
        for other, told in (("c", "no such other"), ("nobody", "no such other"), ("$gt", "no such other")):
            await one.post(f"{here}/report", other=other, answer="this", reason="seen")
            assert told in one.text
        await one.post(f"{here}/report", other="a", answer="this", reason="")
        assert "Give a reason." in one.text
        assert scene.sent() == []
        await one.post(f"{here}/report", other="a", answer="this", reason="both came")
        assert scene.sent() == [CommandType.DECIDED]
        scene.console.casework.follow(scene.feed.state)
        [proposal] = scene.console.casework.open_proposals(scene.feed.state)
        assert proposal.data is not None
        assert [each["registration_id"] for each in proposal.data["pair"]] == ["a", "c"]
        assert [each["commune"] for each in proposal.data["pair"]] == ["010203", "030405"]
        assert proposal.data["keep"] == "c"
        await one.get(here)
        await one.post(f"{here}/report", other="a", answer="different", reason="again")
        assert "waits for approval already" in one.text
    assert scene.sent() == [CommandType.DECIDED]


async def test_what_another_officer_has_before_them_is_not_reported(scene: Scene) -> None:
    pair = ("a", "1" * 64), ("c", "3" * 64)
    scene.console.assignments.take(claim_id(*pair), "both")
    async with scene.browser("adjudicator") as one:
        await find(one, "a")
        await one.post(f"{one.path}/report", other="c", answer="other", reason="seen")
        assert "Another officer works on this conflict." in one.text
    assert scene.sent() == []
