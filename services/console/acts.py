"""How an officer's act becomes commands on the log: judged by the fold first, signed with their key, sent.

Nothing else changes anything: what the pages show afterwards was folded from the log.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiokafka.errors import KafkaError

from client import commands
from client.commands import CommandNotSent, SignedCommand, Signer
from services.console.casework import DECISIONS, EXCLUSIONS, Casework, total, weight
from services.console.permissions import Person
from services.console.sessions import Session
from shared.commands.feed import CommandFeed
from shared.commands.fold import Message, State, foresee
from shared.commands.state import Verdict
from shared.contracts.commands import CommandType
from shared.process.errors import StopService, TransientError
from shared.process.settings import Settings
from shared.reference.files import MissingReference, ReferenceStore
from shared.runtime.clients import TopicMissing

READ_SECONDS = 5.0
"""Longest wait for the commands to be read to their end, before an act and after it."""
SEND_SECONDS = 30.0

Send = Callable[[Settings, Sequence[SignedCommand]], Awaitable[list[int]]]


class NotDone(Exception):
    """An act that was not carried out; `text` names what people are told, with `values`."""

    def __init__(self, text: str, **values: object) -> None:
        super().__init__(text)
        self.text = text
        self.values = values


class Acts:
    """Signs and sends for whoever is signed in."""

    def __init__(
        self,
        settings: Settings,
        feed: CommandFeed,
        references: ReferenceStore,
        casework: Casework,
        send: Send = commands.send,
    ) -> None:
        self._settings = settings
        self._feed = feed
        self._references = references
        self._casework = casework
        self._send = send
        # One act of a person after the other: of two at once both would find room under the cap.
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def propose(
        self, session: Session, person: Person, ce_type: CommandType, data: Sequence[Mapping[str, Any]]
    ) -> list[str]:
        """Propose some commands of one type; answers their ids. Raises NotDone, and then none was sent
        unless it says so."""
        signer = self._signer(session, person)
        made = [self._made(signer, ce_type, each) for each in data]
        return await self._do(person, made, [weight(ce_type, each) for each in data])

    async def approve(
        self, session: Session, person: Person, proposals: Sequence[Verdict], reason: str
    ) -> list[str]:
        """Approve other officers' proposals. Raises NotDone."""
        signer = self._signer(session, person)
        made = [
            self._made(
                signer,
                CommandType.APPROVED,
                {"command_id": each.ce_id, "command_sha256": each.value_sha256, "reason": reason},
            )
            for each in proposals
        ]
        on_pairs = [each for each in proposals if "pair" in (each.data or {})]
        return await self._do(person, made, [weight(each.command_type, each.data or {}) for each in on_pairs])

    async def withdraw(
        self, session: Session, person: Person, proposals: Sequence[Verdict], reason: str
    ) -> list[str]:
        """Take own proposals back, or return others'. Raises NotDone."""
        signer = self._signer(session, person)
        made = [
            self._made(signer, CommandType.WITHDRAWN, {"command_id": each.ce_id, "reason": reason})
            for each in proposals
        ]
        return await self._do(person, made, [])

    def _signer(self, session: Session, person: Person) -> Signer:
        if session.key is None or person.officer is None:
            raise NotDone("refused.no_key")
        return Signer(person.officer, session.key)

    def _made(self, signer: Signer, ce_type: CommandType, data: Mapping[str, Any]) -> SignedCommand:
        try:
            return commands.sign(self._settings.register, signer, ce_type, data)
        except CommandNotSent:
            raise NotDone("refused.invalid") from None

    async def _do(
        self, person: Person, made: Sequence[SignedCommand], weights: Sequence[Mapping[str, int]]
    ) -> list[str]:
        async with self._one_at_a_time[person.officer or ""]:
            state = await self._up_to_date()
            self._require_room(person, state, weights)
            for each in made:
                self._require_allowed(state, each)
            await self._send_all(made)
        return [each.id for each in made]

    async def _up_to_date(self) -> State:
        """All that lies on the topic, so that nobody acts on what is settled already. Raises NotDone."""
        try:
            state = await self._feed.wait_for_end(READ_SECONDS)
        except (TransientError, StopService, KafkaError, OSError):
            raise NotDone("refused.behind") from None
        self._casework.follow(state)
        return state

    def _require_room(self, person: Person, state: State, weights: Sequence[Mapping[str, int]]) -> None:
        self._casework.follow(state)
        done, wanted = self._casework.done(person.officer or "", round(time.time() * 1000)), total(weights)
        limits = self._settings.console
        for what, most in ((DECISIONS, limits.decisions_a_day), (EXCLUSIONS, limits.exclusions_a_day)):
            if wanted[what] and done.get(what, 0) + wanted[what] > most:
                raise NotDone(f"refused.cap_{what}", most=most, done=done.get(what, 0))

    def _require_allowed(self, state: State, command: SignedCommand) -> None:
        """As every service will judge it. Raises NotDone."""
        now = max(round(time.time() * 1000), state.timestamp_of(state.next_offset - 1) or 0)
        message = Message.of_record(state.next_offset, now, command.headers, command.value, key=command.key)
        try:
            reason = foresee(state, message, self._references.read) or _too_early(state, command)
        except MissingReference as missing:
            raise NotDone("refused.missing_file", kind=missing.kind, sha256=missing.sha256[:12]) from None
        if reason:
            raise NotDone(f"reason.{reason}")

    async def _send_all(self, made: Sequence[SignedCommand]) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                offsets = await self._send(self._settings, made)
        except (TimeoutError, KafkaError, OSError, TopicMissing):
            raise NotDone("refused.not_acknowledged") from None
        try:
            state = await self._feed.wait_for(lambda state: state.next_offset > offsets[-1], READ_SECONDS)
            self._casework.follow(state)
        except (TimeoutError, StopService):
            return  # it is on the log; the page shows it as soon as it is read


def _too_early(state: State, command: SignedCommand) -> str | None:
    """What only the publisher judges, and what is known here."""
    data = json.loads(command.value)
    ce_type = command.type
    if command.type == CommandType.APPROVED and (proposal := state.proposal(data["command_id"])):
        ce_type, data = proposal.command_type, proposal.data or {}
    return "no_cut_off" if ce_type == CommandType.FINALISED and data["epoch"] not in state.cut_offs else None
