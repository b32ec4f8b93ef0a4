"""`rollstream review`: one pair after the other, one key each.

Each answer is judged, signed and sent at once, so a session can be interrupted at any time.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli import show_proposal
from cli.app import settings
from cli.asking import Keys
from cli.proposing import folded_now, signer_of
from client import commands, foresight
from client.commands import CommandNotSent, SignedCommand, Signer
from client.foresight import Folded
from client.output import echo, fail, to_json, wrapped
from client.places import Places
from client.review import Desk, Filters, Question
from shared.contracts.commands import CommandType, Role
from shared.process.settings import Settings
from shared.reference.files import ReferenceStore
from shared.reference.officers import Officer
from shared.store.mongo import Mongo

DECIDING = {"l": "keep left", "r": "keep right", "d": "different", "s": "skip", "q": "quit"}
APPROVING = {"a": "approve", "t": "take back to its proposer", "s": "skip", "q": "quit"}
WHY = "w"
"""The key by which the reason is told anew."""


@dataclass(slots=True)
class Session:
    """What one officer does in one sitting."""

    current: Settings
    signer: Signer
    folded: Folded
    store: ReferenceStore
    keys: Keys
    reason: str
    quiet: bool
    sent: list[dict[str, Any]] = field(default_factory=list)
    skipped: int = 0
    undecidable: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)

    def say(self, text: str) -> None:
        """To whoever reads; a script gets nothing but JSON on stdout."""
        echo(text, err=self.quiet)

    async def decide(self, desk: Desk, limit: int | None) -> None:
        """Go through the open conflicts."""
        place = self._places()
        async for asked in desk.conflicts():
            if limit is not None and self._answered >= limit:
                return
            self.say(show_proposal.question(asked, place))
            if asked.pair is None:
                self.say("Nobody can decide on these versions: the commune of one is not known any more.\n")
                self.undecidable += 1
                continue
            key = await self._answer(DECIDING)
            if key == "q":
                return
            if key == "s":
                self.skipped += 1
            else:
                data = {"pair": asked.pair, "reason": self.reason, **_decision(key, asked)}
                made = commands.sign(self.current.register, self.signer, CommandType.DECIDED, data)
                await self._send(made, asked, DECIDING[key])

    async def approve(self, desk: Desk, limit: int | None) -> None:
        """Go through others' proposals of decisions and reversals."""
        place = self._places()
        async for asked in desk.proposals():
            if limit is not None and self._answered >= limit:
                return
            proposal = asked.proposal
            assert proposal is not None  # that is what `proposals` gives
            self.say(f"{show_proposal.heading(proposal)}\n")
            self.say(show_proposal.question(asked, place))
            for each in show_proposal.warnings_of(self.folded.state, proposal):
                self.say(wrapped(f"Warning: {each}"))
            key = await self._answer(APPROVING)
            if key == "q":
                return
            if key == "s":
                self.skipped += 1
                continue
            register, at = self.current.register, SignedCommand(proposal.ce_id, "", b"", b"", ())
            if key == "a":
                data = {"command_id": proposal.ce_id, "command_sha256": proposal.value_sha256}
                made = commands.sign(
                    register, self.signer, CommandType.APPROVED, {**data, "reason": self.reason}
                )
            else:
                made = commands.withdrawal(register, self.signer, at, self.reason)
            await self._send(made, asked, APPROVING[key])

    @property
    def _answered(self) -> int:
        return len(self.sent) + self.skipped + len(self.refused)

    async def _answer(self, choices: Mapping[str, str]) -> str:
        """A key, and a reason where it takes one: said once, it holds until it is told anew."""
        while True:
            keys = "  ".join(f"[{key}] {told}" for key, told in {**choices, WHY: "why"}.items())
            self.say(f"{keys}" + (f"\n    because: {self.reason}" if self.reason else ""))
            key = await asyncio.to_thread(self.keys.key) or "q"
            if key in ("s", "q"):
                return key
            if key == WHY or (key in choices and not self.reason):
                self.reason = await asyncio.to_thread(self.keys.line, "Why (kept for the next ones, too)")
            if key in choices and self.reason:
                return key
            if key in choices:
                return "q"  # a decision takes a reason, and there is nobody to give one

    async def _send(self, made: SignedCommand, asked: Question, told: str) -> None:
        """Send an answer. One that would be refused is told, and the session goes on with the next."""
        ids = [id_ for id_, _ in asked.key]
        try:
            unchecked = foresight.check(self.folded, [made], self.store.read)
        except CommandNotSent as error:
            self.refused.append({"type": made.type, "said": told, "pair": ids, "why": str(error)})
            self.say(wrapped(str(error)) + "\n")
            return
        if unchecked:
            raise CommandNotSent(f"Nothing was sent: {unchecked}")
        await commands.send(self.current, [made])
        conflict = asked.conflict["_id"] if asked.conflict else None
        self.sent.append({"id": made.id, "type": made.type, "said": told, "pair": ids, "conflict": conflict})
        self.say(f"→ {told}: {made.id}\n")

    def _places(self) -> Places:
        state = self.folded.state
        return Places(self.store, state.reference_at("gazetteer", state.next_offset))


def review(
    officer: str, key: Path, filters: Filters, limit: int | None, reason: str, approving: bool, as_json: bool
) -> None:
    """Go through what waits for this officer, and tell at the end what was sent."""
    current = settings()
    signer, folded = signer_of(officer, key), folded_now()
    if folded.missing:
        fail(f"{folded.missing}. Put it into ROLLSTREAM_REFERENCE_DIR and run the command again")
    who = _in_force(officer, folded, "approver" if approving else "adjudicator")
    store = ReferenceStore(current.reference_dir)
    session = Session(current, signer, folded, store, Keys(), reason, as_json)
    why = asyncio.run(_sit(session, who, filters, limit, approving))
    if as_json:
        summary = {"sent": session.sent, "skipped": session.skipped, "undecidable": session.undecidable}
        summary["refused"] = session.refused
        echo(to_json(summary))
    else:
        echo("\n".join(_summary(session, approving)))
    if why:
        fail(why)


async def _sit(
    session: Session, who: Officer, filters: Filters, limit: int | None, approving: bool
) -> str | None:
    """Run the session; answers why it ended early, if something would have been refused."""
    mongo = Mongo(session.current.mongo, "rollstream-review")
    desk = Desk(mongo, session.folded.state, who, filters)
    try:
        await (session.approve if approving else session.decide)(desk, limit)
    except CommandNotSent as error:
        return str(error)
    finally:
        mongo.close()
    if desk.waiting:
        session.say(f"{desk.waiting} conflicts were passed over: a proposal on each waits for approval.")
    return None


def _in_force(officer: str, folded: Folded, role: Role) -> Officer:
    state = folded.state
    who = state.officers_at(state.next_offset).get(officer)
    if who is None:
        fail(f"no officer {officer} is in force: give --officer your name as it is in the officers file")
    if not who.may(role):
        fail(f"{officer} does not hold the role {role}, which this needs")
    return who


def _decision(key: str, asked: Question) -> dict[str, Any]:
    if key == "d":
        return {"decision": "different_persons"}
    (left, _), (right, _) = asked.key
    return {"decision": "same_person", "keep": left if key == "l" else right}


def _summary(session: Session, approving: bool) -> Iterator[str]:
    sent = len(session.sent)
    yield f"{sent} {'answers' if approving else 'decisions'} sent, {session.skipped} skipped."
    if session.refused:
        yield f"{len(session.refused)} not sent, since they would have been refused: the reasons stand above."
    if sent and not approving:
        yield "Next, another officer: rollstream review --approve --officer NAME --key PEM"
        yield "A slip of the fingers: `rollstream withdraw ID` takes a proposal back until it is approved."
