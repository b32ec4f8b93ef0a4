"""What waits for a second officer: the list, and the page on which a proposal is approved or returned."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from client.already import already, is_open
from services.console.acts import NotDone
from services.console.casework import is_on_pair
from services.console.dossier import Dossier, Dossiers
from services.console.permissions import may_approve
from services.console.queue import ConflictQueue
from services.console.waterfall import waterfall
from services.console.web import Rule, Visit
from shared.commands.state import Verdict
from shared.contracts.identity import claim_id

MOST_SHOWN = 200
"""Proposals on the page; the oldest come first, and the others when these are settled."""
MOST_AT_ONCE = 100
"""Proposals that one act approves or returns."""


class ProposalPages:
    """List, one proposal, and what may be done with it."""

    def __init__(self, queue: ConflictQueue, dossiers: Dossiers) -> None:
        self._queue = queue
        self._dossiers = dossiers

    def rules(self) -> list[Rule]:
        """Who may; taking back one's own is any proposer's right, and the fold judges it again."""
        signing = ("adjudicator", "approver", "publisher", "administrator")
        return [
            Rule("/proposals", self.proposals),
            Rule("/proposals/approve", self.approve_many, ("approver",), act=True),
            Rule("/proposals/{id}", self.proposal),
            Rule("/proposals/{id}/approve", self.approve, ("approver",), act=True),
            Rule("/proposals/{id}/return", self.give_back, ("approver",), act=True),
            Rule("/proposals/{id}/withdraw", self.withdraw, signing, act=True),  # type: ignore[arg-type]
        ]

    async def proposals(self, visit: Visit) -> Response:
        """What this officer may approve, grouped by who proposed it and why; own ones; all others."""
        approvable = for_approval(visit)[:MOST_SHOWN]
        mine = own(visit)[:MOST_SHOWN]
        known = {each.ce_id for each in (*approvable, *mine)}
        state = visit.console.state
        others = [each for each in visit.console.casework.open_proposals(state) if each.ce_id not in known]
        return visit.page(
            "proposals.html",
            groups=groups(approvable),
            own=mine,
            others=others[:MOST_SHOWN],
            place=visit.console.places(),
            at_once=MOST_AT_ONCE,
        )

    async def proposal(self, visit: Visit) -> Response:
        """One proposal with what it means."""
        verdict = self._found(visit)
        if verdict is None:
            return visit.refuse("proposal.none", 404)
        dossier = None
        if is_on_pair(verdict.command_type) and visit.person.sees_people:
            if not visit.person.reaches(communes_of(verdict)):
                return visit.refuse("error.area")
            dossier = await self._dossier(visit, verdict)
        state = visit.console.state
        evidence = (dossier.conflict or {}).get("evidence") or [] if dossier else []
        return visit.page(
            "proposal.html",
            verdict=verdict,
            dossier=dossier,
            conflict=dossier.conflict if dossier else None,
            fall=waterfall(evidence),
            open=is_open(verdict),
            mine=verdict.proposed_by == visit.person.officer,
            may=may_approve(visit.person, verdict.command_type, communes_of(verdict)),
            warnings=len(already(state, verdict.command_type, verdict.data or {}, verdict.ce_id)),
            place=visit.console.places(),
        )

    async def approve(self, visit: Visit) -> Response:
        """Approve one: with that it takes effect. Then to the next one of the same kind."""
        return await self._answer(visit, approving=True)

    async def give_back(self, visit: Visit) -> Response:
        """Return one to its proposer, with a reason."""
        return await self._answer(visit, approving=False)

    async def withdraw(self, visit: Visit) -> Response:
        """Take back one's own."""
        verdict = self._found(visit)
        if verdict is None or verdict.proposed_by != visit.person.officer:
            return visit.refuse("proposal.not_yours")
        reason = visit.value("reason")
        if not reason:
            visit.tell("act.reason_missing", good=False)
            return visit.go(f"/proposals/{verdict.ce_id}")
        try:
            await visit.console.acts.withdraw(visit.session, visit.person, [verdict], reason)
            visit.tell("proposal.withdrawn")
            if visit.session.last == verdict.ce_id:
                visit.session.last = ""
        except NotDone as not_done:
            visit.tell(not_done.text, good=False, **not_done.values)
        return visit.go("/proposals")

    async def approve_many(self, visit: Visit) -> Response:
        """Approve or return several at once, for one reason; all were listed on the page."""
        ids = dict.fromkeys(visit.values("id"))
        reason = visit.value("reason")
        found = {each.ce_id: each for each in for_approval(visit)}
        chosen = [found[each] for each in ids if each in found]
        if not reason or not chosen or len(chosen) < len(ids) or len(chosen) > MOST_AT_ONCE:
            visit.tell("act.reason_missing" if chosen and not reason else "proposal.choose", good=False)
            return visit.go("/proposals")
        approving = visit.value("answer") == "approve"
        do = visit.console.acts.approve if approving else visit.console.acts.withdraw
        try:
            await do(visit.session, visit.person, chosen, reason)
            visit.tell("proposal.many_approved" if approving else "proposal.many_returned", count=len(chosen))
        except NotDone as not_done:
            visit.tell(not_done.text, good=False, **not_done.values)
        return visit.go("/proposals")

    async def _answer(self, visit: Visit, *, approving: bool) -> Response:
        verdict = self._found(visit)
        if verdict is None:
            return visit.refuse("proposal.none", 404)
        here = f"/proposals/{verdict.ce_id}"
        if verdict.proposed_by == visit.person.officer:
            return visit.refuse("reason.same_officer")
        if not may_approve(visit.person, verdict.command_type, communes_of(verdict)):
            return visit.refuse("error.area")
        reason = visit.value("reason")
        if not reason:
            visit.tell("act.reason_missing", good=False)
            return visit.go(here)
        do = visit.console.acts.approve if approving else visit.console.acts.withdraw
        try:
            await do(visit.session, visit.person, [verdict], reason)
            visit.session.reason = reason
            visit.tell("proposal.approved" if approving else "proposal.returned")
        except NotDone as not_done:
            visit.tell(not_done.text, good=False, **not_done.values)
            return visit.go(here)
        left = [each for each in for_approval(visit) if is_on_pair(each.command_type)]
        if is_on_pair(verdict.command_type) and left:
            return visit.go(f"/proposals/{left[0].ce_id}")
        return visit.go("/proposals")

    def _found(self, visit: Visit) -> Verdict | None:
        return visit.console.state.proposal(visit.request.path_params["id"])

    async def _dossier(self, visit: Visit, verdict: Verdict) -> Dossier:
        pair: Sequence[Mapping[str, Any]] = (verdict.data or {})["pair"]
        one, other = ((each["registration_id"], each["digest"]) for each in pair)
        conflict = await self._queue.one(claim_id(one, other))
        console = visit.console
        return await self._dossiers.read(console.state, console.places(), pair, conflict)


def communes_of(verdict: Verdict) -> list[str]:
    """The communes that a decision names; nothing for what is on no pair."""
    pair = (verdict.data or {}).get("pair") or ()
    return [str(version.get("commune")) for version in pair]


def for_approval(visit: Visit) -> list[Verdict]:
    """Others' open proposals that this person may approve, the oldest first."""
    person = visit.person
    if not person.may("approver"):
        return []
    return [
        each
        for each in visit.console.casework.open_proposals(visit.console.state)
        if each.proposed_by != person.officer and may_approve(person, each.command_type, communes_of(each))
    ]


def own(visit: Visit) -> list[Verdict]:
    """This person's open proposals, the oldest first."""
    proposals = visit.console.casework.open_proposals(visit.console.state)
    return [each for each in proposals if each.proposed_by == visit.person.officer is not None]


def groups(proposals: Sequence[Verdict]) -> list[tuple[str, str, list[Verdict]]]:
    """By who proposed them and for which reason, in order of their first: what was proposed as one is
    approved as one."""
    found: defaultdict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for each in proposals:
        on_pair = is_on_pair(each.command_type)
        reason = str((each.data or {}).get("reason", "")) if on_pair else each.ce_id
        found[each.proposed_by, reason].append(each)
    return [
        (who, reason if is_on_pair(of_reason[0].command_type) else "", of_reason)
        for (who, reason), of_reason in found.items()
    ]
