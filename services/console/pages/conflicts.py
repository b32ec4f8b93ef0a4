"""The queue of conflicts, and the page on which one is decided."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from client.already import pair_key
from services.console.acts import NotDone
from services.console.dossier import Dossier, Dossiers
from services.console.queue import (
    CLASSES,
    MOST_COUNTED,
    PAGE,
    ConflictQueue,
    Filters,
    Position,
    from_cursor,
    to_cursor,
)
from services.console.waterfall import waterfall
from services.console.web import Rule, Visit
from shared.contracts.commands import CommandType

LOOKED_AT = 8
"""Pages that are passed over at once while all of their conflicts are others' or wait for approval."""

MOST_REASON = 500


class ConflictPages:
    """Queue, dossier, decisions and reversals."""

    def __init__(self, queue: ConflictQueue, dossiers: Dossiers) -> None:
        self._queue = queue
        self._dossiers = dossiers

    def rules(self) -> list[Rule]:
        """Who may."""
        people = {"roles": ("adjudicator", "approver"), "people": True}
        adjudicator = {"roles": ("adjudicator",), "act": True, "people": True}
        return [
            Rule("/conflicts", self.queue),
            Rule("/conflicts/next", self.next, **people),  # type: ignore[arg-type]
            Rule("/conflicts/{id}", self.conflict, **people),  # type: ignore[arg-type]
            Rule("/conflicts/{id}/decide", self.decide, **adjudicator),  # type: ignore[arg-type]
            Rule("/conflicts/{id}/reverse", self.reverse, **adjudicator),  # type: ignore[arg-type]
            Rule("/conflicts/{id}/release", self.release, **adjudicator),  # type: ignore[arg-type]
        ]

    async def queue(self, visit: Visit) -> Response:
        """A page of open conflicts."""
        filters = Filters.of(dict(visit.request.query_params))
        after = from_cursor(visit.query("after"))
        found, end = await self._queue.page(filters, visit.person.areas, after)
        count = await self._queue.count(filters, visit.person.areas)
        console = visit.console
        rows = [
            {
                "conflict": each,
                "holder": console.assignments.holder(each["_id"]),
                "waits": console.casework.waiting_on(console.state, key) if (key := pair_key(each)) else None,
                "places": [*dict.fromkeys(filter(None, (v.get("commune") for v in each["pair"])))],
            }
            for each in found
        ]
        return visit.page(
            "conflicts.html",
            rows=rows,
            filters=filters,
            classes=CLASSES,
            count=count,
            most=MOST_COUNTED,
            size=PAGE,
            first=after is None,
            next_page=filters.query(after=to_cursor(end)) if end else "",
            place=console.places(),
        )

    async def next(self, visit: Visit) -> Response:
        """To the next conflict that nobody else has and on which no proposal waits."""
        filters = Filters.of(dict(visit.request.query_params))
        found, end = await self._free(visit, filters, from_cursor(visit.query("after")))
        if found is None:
            visit.tell("queue.nothing_left" if end is None else "queue.all_taken")
            return visit.go(f"/conflicts?{filters.query()}")
        return visit.go(f"/conflicts/{found['_id']}?{filters.query()}")

    async def conflict(self, visit: Visit) -> Response:
        """Both registrations side by side, with the evidence."""
        dossier = await self._dossier(visit)
        if dossier is None:
            return visit.refuse("conflict.none", 404)
        if not visit.person.reaches(dossier.communes):
            return visit.refuse("error.area")
        conflict = dossier.conflict or {}
        holder = None
        if conflict["status"] == "open" and visit.person.may("adjudicator"):
            holder = visit.console.assignments.take(conflict["_id"], visit.session.user.name)
        filters = Filters.of(dict(visit.request.query_params))
        position = (conflict.get("probability" if filters.order == "surest" else "found_at"), conflict["_id"])
        return visit.page(
            "conflict.html",
            dossier=dossier,
            conflict=conflict,
            holder=holder,
            filters=filters,
            fall=waterfall(conflict.get("evidence") or []),
            next_query=filters.query(after=to_cursor(position)),
        )

    async def decide(self, visit: Visit) -> Response:
        """Propose what was found, and go on with the next."""
        dossier = await self._dossier(visit)
        filters = Filters.of(
            {name: visit.value(name) for name in ("kind", "place", "order", "least", "days")}
        )
        here = f"/conflicts/{visit.request.path_params['id']}?{filters.query()}"
        if dossier is None:
            return visit.refuse("conflict.none", 404)
        if not visit.person.reaches(dossier.communes):
            return visit.refuse("error.area")
        conflict, reason = dossier.conflict or {}, visit.value("reason")[:MOST_REASON]
        visit.session.reason = reason
        data = decision(dossier, visit.value("answer"), reason)
        problem = self._problem(visit, dossier, data)
        if problem is not None or data is None:
            visit.tell(problem or "conflict.no_answer", good=False)
            return visit.go(here)
        try:
            [made] = await visit.console.acts.propose(
                visit.session, visit.person, CommandType.DECIDED, [data]
            )
        except NotDone as not_done:
            visit.tell(not_done.text, good=False, **not_done.values)
            return visit.go(here)
        visit.session.last = made
        visit.console.assignments.give_up(conflict["_id"], visit.session.user.name)
        visit.tell("conflict.proposed")
        name = "probability" if filters.order == "surest" else "found_at"
        after = to_cursor((conflict.get(name), conflict["_id"]))
        return visit.go(f"/conflicts/next?{filters.query(after=after)}")

    async def reverse(self, visit: Visit) -> Response:
        """Propose to take the decision back."""
        dossier = await self._dossier(visit)
        if dossier is None:
            return visit.refuse("conflict.none", 404)
        if not visit.person.reaches(dossier.communes):
            return visit.refuse("error.area")
        here = f"/conflicts/{visit.request.path_params['id']}"
        reason = visit.value("reason")[:MOST_REASON]
        if dossier.pair is None or not reason:
            visit.tell("conflict.undecidable" if dossier.pair is None else "act.reason_missing", good=False)
            return visit.go(here)
        data = {"pair": dossier.pair, "reason": reason}
        try:
            [made] = await visit.console.acts.propose(
                visit.session, visit.person, CommandType.REVERSED, [data]
            )
            visit.session.last = made
            visit.tell("conflict.reversal_proposed")
        except NotDone as not_done:
            visit.tell(not_done.text, good=False, **not_done.values)
        return visit.go(here)

    async def release(self, visit: Visit) -> Response:
        """Leave it to others."""
        visit.console.assignments.give_up(visit.request.path_params["id"], visit.session.user.name)
        return visit.go("/conflicts")

    def _problem(self, visit: Visit, dossier: Dossier, data: Mapping[str, Any] | None) -> str | None:
        """Why it cannot be proposed now, in a text's key."""
        if dossier.pair is None:
            return "conflict.undecidable"
        if data is None:
            return "conflict.no_answer"
        if not data["reason"]:
            return "act.reason_missing"
        if dossier.proposal is not None:
            return "conflict.waits_already"
        conflict = dossier.conflict or {}
        holder = visit.console.assignments.holder(conflict["_id"])
        if holder is not None and holder != visit.session.user.name:
            return "conflict.held"
        return None

    async def _dossier(self, visit: Visit) -> Dossier | None:
        conflict = await self._queue.one(visit.request.path_params["id"])
        if conflict is None:
            return None
        console = visit.console
        return await self._dossiers.read(console.state, console.places(), conflict["pair"], conflict)

    async def _free(
        self, visit: Visit, filters: Filters, after: Position | None
    ) -> tuple[Mapping[str, Any] | None, Position | None]:
        """The first conflict to be worked on, and where the search ended; None: at the end."""
        console, me = visit.console, visit.session.user.name
        for _ in range(LOOKED_AT):
            found, end = await self._queue.page(filters, visit.person.areas, after)
            for each in found:
                key = pair_key(each)
                taken = console.assignments.holder(each["_id"]) not in (None, me)
                if key is not None and not taken and console.casework.waiting_on(console.state, key) is None:
                    return each, end
            if end is None:
                return None, None
            after = end
        return None, after


def decision(dossier: Dossier, answer: str, reason: str) -> dict[str, Any] | None:
    """The data of a decision: `left` and `right` keep that registration, `different` both."""
    if dossier.pair is None:
        return None
    said: dict[str, Any] = {"pair": dossier.pair, "reason": reason}
    match answer:
        case "left" | "right":
            keep = dossier.ids[0 if answer == "left" else 1]
            return {**said, "decision": "same_person", "keep": keep}
        case "different":
            return {**said, "decision": "different_persons"}
        case _:
            return None
