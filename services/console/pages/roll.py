"""The roll: epochs and how complete they are, versions, cut-off and finalise by two, with a preview."""

import re
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from client.incomplete import CLOSED_INCOMPLETE
from services.console.acts import NotDone
from services.console.preview import Previews
from services.console.web import Rule, Visit
from shared.contracts.commands import CommandType, Finalised

MOST_BATCHES = 50
"""Incomplete batches on a page."""
_BATCH = re.compile(r"[A-Za-z0-9._-]{1,64}/[A-Za-z0-9._-]{1,64}")


class RollPages:
    """One page, and what may be proposed on it."""

    def __init__(self, previews: Previews) -> None:
        self._previews = previews

    def rules(self) -> list[Rule]:
        """Who may; a publisher with areas may do nothing here."""
        publisher: Any = {"roles": ("publisher",), "act": True, "everywhere": True}
        return [
            Rule("/roll", self.roll),
            Rule("/roll/batches", self.batches),
            Rule("/roll/cut-off", self.cut_off, **publisher),
            Rule("/roll/preview", self.preview, **publisher),
            Rule("/roll/finalise", self.finalise, **publisher),
        ]

    async def roll(self, visit: Visit) -> Response:
        """Epochs, versions, and what is open."""
        mongo, state = visit.console.mongo, visit.console.state
        versions = await mongo.collection("rolls").find({}).sort("_id", 1).to_list(None)
        conflicts = mongo.collection("conflicts")
        return visit.page(
            "roll.html",
            cut_offs=[(epoch, state.timestamp_of(at)) for epoch, at in state.cut_offs.items()],
            last=state.last_cut_off,
            complete=await self._previews.complete(),
            versions=versions,
            open_conflicts=await conflicts.count_documents({"status": "open"}, limit=1_001),
            incomplete=await mongo.collection("capture_batches").count_documents(
                dict(CLOSED_INCOMPLETE), limit=1_001
            ),
            preview=self._previews.last,
            place=visit.console.places(),
            claim=_claim,
        )

    async def batches(self, visit: Visit) -> Response:
        """Closed batches that lack captures, a page at a time in order of device and batch."""
        after = visit.query("after") if _BATCH.fullmatch(visit.query("after")) else ""
        query = {**CLOSED_INCOMPLETE, **({"_id": {"$gt": after}} if after else {})}
        shown = dict.fromkeys(("office", "count", "missing", "missing_count", "overfull"), 1)
        found = visit.console.mongo.collection("capture_batches").find(query, shown)
        batches = await found.sort("_id", 1).limit(MOST_BATCHES + 1).to_list(MOST_BATCHES + 1)
        more = len(batches) > MOST_BATCHES
        batches = batches[:MOST_BATCHES]
        next_page = batches[-1]["_id"] if more else ""
        return visit.page("batches.html", batches=batches, next_page=next_page, place=visit.console.places())

    async def cut_off(self, visit: Visit) -> Response:
        """Propose to end the epoch that runs."""
        epoch = visit.console.state.last_cut_off + 1
        if visit.value("epoch") != str(epoch) or visit.value("sure") != "yes":
            visit.tell("roll.not_sure", good=False)
            return visit.go("/roll")
        return await self._propose(visit, CommandType.CUT_OFF, {"epoch": epoch})

    async def preview(self, visit: Visit) -> Response:
        """Find out what the roll would be."""
        data = _finalised(visit)
        if data is None:
            visit.tell("refused.invalid", good=False)
        elif data.epoch not in visit.console.state.cut_offs:
            visit.tell("reason.no_cut_off", good=False)
        elif not self._previews.begin(visit.console.state, data):
            visit.tell("roll.preview_runs", good=False)
        return visit.go("/roll#preview")

    async def finalise(self, visit: Visit) -> Response:
        """Propose exactly what was previewed, and that as long as nothing was decided since."""
        preview, state = self._previews.last, visit.console.state
        data = _finalised(visit)
        if preview is None or data is None or preview.data != data or not preview.done or preview.failed:
            visit.tell("roll.preview_first", good=False)
            return visit.go("/roll")
        if preview.as_of != state.next_offset:
            visit.tell("roll.preview_old", good=False)
            return visit.go("/roll")
        return await self._propose(visit, CommandType.FINALISED, data.model_dump(mode="json"))

    async def _propose(self, visit: Visit, ce_type: CommandType, data: dict[str, Any]) -> Response:
        try:
            [made] = await visit.console.acts.propose(visit.session, visit.person, ce_type, [data])
        except NotDone as not_done:
            visit.tell(not_done.text, good=False, **not_done.values)
            return visit.go("/roll")
        visit.tell("roll.proposed")
        return visit.go(f"/proposals/{made}")


def _claim(names: list[list[str]] | list[str]) -> bool:
    """Whether a refusal names pairs."""
    return bool(names) and not isinstance(names[0], str)


def _finalised(visit: Visit) -> Finalised | None:
    try:
        return Finalised.model_validate(
            {
                "roll": visit.value("roll"),
                "epoch": int(visit.value("epoch") or 0),
                "election": {"kind": visit.value("election"), "day": visit.value("day")},
                "kind": visit.value("kind"),
                "undecided": visit.value("undecided"),
            }
        )
    except (ValidationError, ValueError):
        return None
