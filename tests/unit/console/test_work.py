"""Caps, assignment, several at once, and what may be taken back."""

from pathlib import Path

import pytest

from shared.contracts.commands import CommandType
from tests.kit.console_kit import Scene

DECIDED, REVERSED = CommandType.DECIDED, CommandType.REVERSED
APPROVED, WITHDRAWN = CommandType.APPROVED, CommandType.WITHDRAWN


def with_conflicts(folder: Path, count: int, **own: int) -> tuple[Scene, list[str]]:
    scene = Scene(folder, own=dict(own))
    conflicts = []
    for at in range(count):
        scene.store.register(f"a{at}", "1")
        scene.store.register(f"b{at}", "2")
        conflicts.append(scene.store.conflict(f"a{at}", f"b{at}", probability=0.9 - at / 100))
    return scene, conflicts


@pytest.mark.parametrize(
    ("own", "answer", "told"),
    [
        ({"decisions_a_day": 2}, "different", "decisions a day"),
        ({"exclusions_a_day": 2}, "left", "exclusions a day"),
    ],
)
async def test_caps_hold_whatever_was_restarted(
    tmp_path: Path, own: dict[str, int], answer: str, told: str
) -> None:
    scene, conflicts = with_conflicts(tmp_path, 4, **own)
    async with scene.browser("adjudicator") as one:
        for each in conflicts[:2]:
            await one.get(f"/conflicts/{each}")
            await one.post(f"/conflicts/{each}/decide", answer=answer, reason="seen")
        await one.get(f"/conflicts/{conflicts[2]}")
        await one.post(f"/conflicts/{conflicts[2]}/decide", answer=answer, reason="seen")
        assert told in one.text and "2 of at most 2" in one.text
        assert scene.sent() == [DECIDED] * 2
        if answer == "left":  # what excludes nobody is still allowed
            await one.post(f"/conflicts/{conflicts[2]}/decide", answer="different", reason="seen")
            assert scene.sent() == [DECIDED] * 3


async def test_what_an_approver_approves_counts_for_them_and_several_count_together(tmp_path: Path) -> None:
    scene, conflicts = with_conflicts(tmp_path, 3, decisions_a_day=3, exclusions_a_day=2)
    async with scene.browser("adjudicator") as one, scene.browser("approver") as two:
        await one.get("/conflicts")
        await one.post("/bulk/propose", id=conflicts, answer="keep_first", reason="one device")
        assert "0 of at most 2" in one.text and scene.sent() == []
        await one.get("/conflicts")
        await one.post("/bulk/propose", id=conflicts, answer="different", reason="one device")
        assert "3 proposed." in one.text and scene.sent() == [DECIDED] * 3
        scene.console.casework.follow(scene.feed.state)
        ids = [each.ce_id for each in scene.console.casework.open_proposals(scene.feed.state)]
        await two.get("/proposals")
        assert "one device" in two.text
        await two.post("/proposals/approve", id=[*ids, "x"], answer="approve", reason="yes")
        assert scene.sent() == [DECIDED] * 3, "what is not on the page stops all of it"
        await two.get("/proposals")
        await two.post("/proposals/approve", id=ids[:2], answer="approve", reason="yes")
        await two.get("/proposals")
        await two.post("/proposals/approve", id=ids[2:], answer="return", reason="look again")
    assert scene.sent()[3:] == [APPROVED, APPROVED, WITHDRAWN]
    assert scene.feed.state.verdicts[ids[2]].verdict == "returned"
    assert scene.console.casework.done("approver", scene.log.messages[-1].timestamp)["decisions"] == 2


async def test_two_officers_are_led_to_different_conflicts(tmp_path: Path) -> None:
    scene, conflicts = with_conflicts(tmp_path, 2)
    async with scene.browser("adjudicator") as one, scene.browser("both") as two:
        await one.get("/conflicts/next")
        await two.get("/conflicts/next")
        assert conflicts[0] in one.path and conflicts[1] in two.path
        await two.get(f"/conflicts/{conflicts[0]}")
        assert "adjudicator works on this conflict." in two.text and "/decide" not in two.text
        await two.post(f"/conflicts/{conflicts[0]}/decide", answer="left", reason="seen")
        await two.get("/conflicts")
        await two.post("/bulk/propose", id=[conflicts[0]], answer="different", reason="seen")
        assert scene.sent() == []


async def test_a_slip_of_the_fingers_is_taken_back(tmp_path: Path) -> None:
    scene, conflicts = with_conflicts(tmp_path, 2)
    async with scene.browser("adjudicator") as one, scene.browser("both") as two:
        await one.get(f"/conflicts/{conflicts[0]}")
        await one.post(f"/conflicts/{conflicts[0]}/decide", answer="left", reason="seen")
        scene.console.casework.follow(scene.feed.state)
        [proposal] = scene.console.casework.open_proposals(scene.feed.state)
        await two.get("/")
        answer = await two.post(f"/proposals/{proposal.ce_id}/withdraw", reason="not mine")
        assert answer.status_code == 403
        await one.get(f"/conflicts/{conflicts[1]}")
        assert "Take back my last proposal" in one.text
        await one.post(f"/proposals/{proposal.ce_id}/withdraw", reason="slip")
    assert scene.sent() == [DECIDED, WITHDRAWN]
    assert scene.feed.state.verdicts[proposal.ce_id].verdict == "withdrawn"


async def test_a_reason_is_required(tmp_path: Path) -> None:
    scene, conflicts = with_conflicts(tmp_path, 1)
    async with scene.browser("adjudicator") as one:
        await one.get(f"/conflicts/{conflicts[0]}")
        for reason in ("", "   "):
            await one.post(f"/conflicts/{conflicts[0]}/decide", answer="left", reason=reason)
            assert "Give a reason." in one.text
        await one.post(f"/conflicts/{conflicts[0]}/decide", answer="king", reason="seen")
        assert "Choose an answer." in one.text
    assert scene.sent() == []


async def test_a_publisher_with_areas_neither_cuts_off_nor_finalises(tmp_path: Path) -> None:
    scene, _ = with_conflicts(tmp_path, 0)
    scene.add_user("publisher", ("publisher",), "publisher", areas=["01"])
    async with scene.browser("publisher") as one:
        for act in ("cut-off", "preview", "finalise"):
            await one.get("/")
            assert (await one.post(f"/roll/{act}", epoch="1", sure="yes")).status_code == 403
    assert scene.sent() == []
