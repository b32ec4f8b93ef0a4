"""Several conflicts decided together, where a batch or a device went wrong.

All are shown first, then proposed with one reason. They stand together on the page of proposals, and are
approved as one.
"""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from services.console.acts import NotDone
from services.console.dossier import Dossier, Dossiers
from services.console.pages.conflicts import MOST_REASON
from services.console.queue import PAGE, ConflictQueue, Filters
from services.console.web import Rule, Visit
from shared.contracts.commands import CommandType

ANSWERS = ("keep_first", "different")
"""One answer for all: the registration that was accepted first stays, or both do."""


class BulkPages:
    """Preview and proposal."""

    def __init__(self, queue: ConflictQueue, dossiers: Dossiers) -> None:
        self._queue = queue
        self._dossiers = dossiers

    def rules(self) -> list[Rule]:
        """Who may."""
        return [
            Rule("/bulk", self.preview, ("adjudicator",), act=True, people=True),
            Rule("/bulk/propose", self.propose, ("adjudicator",), act=True, people=True),
        ]

    async def preview(self, visit: Visit) -> Response:
        """All of them side by side in short, and what each answer would mean."""
        chosen = await self._chosen(visit)
        if not chosen:
            visit.tell("bulk.choose", good=False, most=PAGE)
            return visit.go(f"/conflicts?{self._filters(visit).query()}")
        return visit.page(
            "bulk.html",
            dossiers=chosen,
            kept=[first_accepted(each) for each in chosen],
            differs=[[fact.name for fact in each.facts if fact.differs] for each in chosen],
            filters=self._filters(visit),
            place=visit.console.places(),
        )

    async def propose(self, visit: Visit) -> Response:
        """Propose the answer on each. What has changed since the preview is left out, and nothing is sent."""
        ids, answer = [*dict.fromkeys(visit.values("id"))], visit.value("answer")
        reason = visit.value("reason")[:MOST_REASON]
        chosen = await self._chosen(visit)
        back = visit.go(f"/conflicts?{self._filters(visit).query()}")
        if len(chosen) != len(ids) or answer not in ANSWERS:
            visit.tell("bulk.changed" if answer in ANSWERS else "conflict.no_answer", good=False)
            return back
        if not reason:
            visit.tell("act.reason_missing", good=False)
            return back
        visit.session.reason = reason
        try:
            made = await visit.console.acts.propose(
                visit.session,
                visit.person,
                CommandType.DECIDED,
                [_decision(each, answer, reason) for each in chosen],
            )
        except NotDone as not_done:
            visit.tell(not_done.text, good=False, **not_done.values)
            return back
        visit.tell("bulk.proposed", count=len(made))
        return back

    async def _chosen(self, visit: Visit) -> list[Dossier]:
        """Those of the conflicts that this person may decide now; a page of them at most."""
        console, me = visit.console, visit.session.user.name
        found: list[Dossier] = []
        for each in dict.fromkeys(visit.values("id")[: PAGE + 1]):
            conflict = await self._queue.one(each)
            if conflict is None or conflict["status"] != "open":
                continue
            dossier = await self._dossiers.read(console.state, console.places(), conflict["pair"], conflict)
            free = console.assignments.take(each, me) is None and dossier.proposal is None
            if free and dossier.pair is not None and visit.person.reaches(dossier.communes):
                found.append(dossier)
        return found[:PAGE]

    def _filters(self, visit: Visit) -> Filters:
        return Filters.of({name: visit.value(name) for name in ("kind", "place", "order", "least", "days")})


def first_accepted(dossier: Dossier) -> int:
    """Which side was accepted first: 0 is the left one."""
    times = [(str(side.get("first_accepted_at") or "~"), at) for at, side in enumerate(dossier.sides)]
    return min(times)[1]


def _decision(dossier: Dossier, answer: str, reason: str) -> dict[str, Any]:
    pair: Sequence[dict[str, str]] = dossier.pair or []
    data: dict[str, Any] = {"pair": list(pair), "reason": reason}
    if answer == "different":
        return {**data, "decision": "different_persons"}
    return {**data, "decision": "same_person", "keep": dossier.ids[first_accepted(dossier)]}
