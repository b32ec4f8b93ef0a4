"""Two officers decide a conflict through the pages."""

from shared.contracts.commands import CommandType
from tests.kit.console_kit import Scene

DECIDED, APPROVED, WITHDRAWN = CommandType.DECIDED, CommandType.APPROVED, CommandType.WITHDRAWN


async def test_one_proposes_and_another_approves(scene: Scene) -> None:
    conflict = scene.store.conflict("a", "b")
    async with scene.browser("adjudicator") as one, scene.browser("approver") as two:
        await one.get("/conflicts")
        assert f"/conflicts/{conflict}" in one.text
        await one.get("/conflicts/next")
        assert one.path.startswith(f"/conflicts/{conflict}")
        await one.post(f"/conflicts/{conflict}/decide", answer="left", reason="seen both")
        assert "Proposed. A second officer must approve it." in one.text
        assert scene.sent() == [DECIDED]
        await one.get(f"/conflicts/{conflict}")
        assert "adjudicator has proposed" in one.text

        await two.get("/proposals")
        [proposal] = list(scene.console.casework.open_proposals(scene.feed.state))
        await two.get(f"/proposals/{proposal.ce_id}")
        assert "one person, keep left" in two.text
        await two.post(f"/proposals/{proposal.ce_id}/approve", reason="I agree")
        assert "Approved. It is in effect." in two.text
    assert scene.sent() == [DECIDED, APPROVED]
    decision = scene.feed.state.decision_of((("a", "1" * 64), ("b", "2" * 64)))
    assert decision is not None
    assert (decision.keep, decision.officers, decision.reason) == (
        "a",
        ("adjudicator", "approver"),
        "seen both",
    )
