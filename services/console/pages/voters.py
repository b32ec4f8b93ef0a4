"""A voter's way through the system from one search, and the duplicate that matching missed.

What is searched is sent in a form and stands in no address. A page about one registration has a handle in its
address that only this session can read.
"""

import re
from typing import Any

from starlette.responses import Response

from client.find_registration import facts_of
from client.people import side_by_side
from client.status import SIDE, side
from services.console.acts import NotDone
from services.console.pages.conflicts import MOST_REASON
from services.console.web import Rule, Visit
from shared.contracts.commands import CommandType
from shared.contracts.identity import claim_id

_IDENTIFIER = re.compile(r"[A-Za-z0-9._-]{1,64}")


class VoterPages:
    """Search, one registration, and a report of two."""

    def rules(self) -> list[Rule]:
        """Who may."""
        people: Any = {"roles": ("adjudicator", "approver"), "people": True}
        return [
            Rule("/voters", self.form, **people),
            Rule("/voters/find", self.find, act=True, **people),
            Rule("/voters/{handle}", self.voter, **people),
            Rule("/voters/{handle}/report", self.report, ("adjudicator",), act=True, people=True),
        ]

    async def form(self, visit: Visit) -> Response:
        """What to search for."""
        return visit.page("voters.html")

    async def find(self, visit: Visit) -> Response:
        """By the id of a registration, or of an event about it."""
        wanted = visit.value("wanted")
        mongo = visit.console.mongo
        found = await mongo.find_by_ids("registrations", [wanted], {"_id": 1}) if wanted else []
        if wanted and not found:
            events = mongo.collection("registrations").find({"history.event_id": wanted}, {"_id": 1})
            found = await events.limit(2).to_list(2)
        if len(found) != 1:
            visit.tell("voters.none" if not found else "voters.several", good=False)
            return visit.go("/voters")
        return visit.go(f"/voters/{visit.session.handle(found[0]['_id'])}")

    async def voter(self, visit: Visit) -> Response:
        """All that is stored of one: data, versions, claims, decisions, lists."""
        document = await self._document(visit)
        if document is None:
            return visit.refuse("voters.gone", 404)
        if not visit.person.reaches(_communes(document)):
            return visit.refuse("error.area")
        console, mine = visit.console, side(document["_id"], document["digest"], document)
        rows = [row for row in side_by_side(mine, mine, console.places()) if row.left]
        return visit.page(
            "voter.html",
            id=document["_id"],
            rows=rows,
            facts=await facts_of(console.mongo, document),
            place=console.places(),
        )

    async def report(self, visit: Visit) -> Response:
        """Propose that this and another registration, which no conflict joins, are one person or two."""
        document = await self._document(visit)
        if document is None:
            return visit.refuse("voters.gone", 404)
        here = f"/voters/{visit.request.path_params['handle']}"
        other = await self._other(visit, document["_id"])
        answer, reason = visit.value("answer"), visit.value("reason")[:MOST_REASON]
        problem = None
        if other is None:
            problem = "voters.no_other"
        elif not visit.person.reaches([*_communes(document), *_communes(other)]):
            return visit.refuse("error.area")
        elif answer not in ("this", "other", "different"):
            problem = "conflict.no_answer"
        elif not reason:
            problem = "act.reason_missing"
        if problem is not None or other is None:
            visit.tell(problem or "voters.no_other", good=False)
            return visit.go(here)
        data: dict[str, Any] = {"pair": _pair(document, other), "reason": reason}
        if answer == "different":
            data["decision"] = "different_persons"
        else:
            kept = document if answer == "this" else other
            data |= {"decision": "same_person", "keep": kept["_id"]}
        one, two = ((each["registration_id"], each["digest"]) for each in data["pair"])
        if visit.console.casework.waiting_on(visit.console.state, (one, two)) is not None:
            visit.tell("conflict.waits_already", good=False)
            return visit.go(here)
        holder = visit.console.assignments.holder(claim_id(one, two))
        if holder not in (None, visit.session.user.name):
            visit.tell("conflict.held", good=False)
            return visit.go(here)
        try:
            [made] = await visit.console.acts.propose(
                visit.session, visit.person, CommandType.DECIDED, [data]
            )
        except NotDone as not_done:
            visit.tell(not_done.text, good=False, **not_done.values)
            return visit.go(here)
        visit.session.last = made
        visit.tell("conflict.proposed")
        return visit.go(f"/proposals/{made}")

    async def _document(self, visit: Visit) -> dict[str, Any] | None:
        name = visit.session.registration(visit.request.path_params["handle"])
        return None if name is None else await _registration(visit, name)

    async def _other(self, visit: Visit, this: str) -> dict[str, Any] | None:
        name = visit.value("other")
        if name == this or not _IDENTIFIER.fullmatch(name):
            return None
        return await _registration(visit, name)


async def _registration(visit: Visit, name: str) -> dict[str, Any] | None:
    wanted = dict.fromkeys((*SIDE, "history"), 1)
    found = await visit.console.mongo.find_by_ids("registrations", [name], wanted)
    return found[0] if found else None


def _communes(document: dict[str, Any]) -> list[str | None]:
    """Of the residence as last captured; a removed one keeps it."""
    return [(document.get("residence") or {}).get("commune")]


def _pair(one: dict[str, Any], other: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "registration_id": each["_id"],
            "digest": each["digest"],
            "commune": each["residence"]["commune"],
        }
        for each in sorted((one, other), key=lambda each: str(each["_id"]))
    ]
