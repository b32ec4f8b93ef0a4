"""The officers: whatever is away, they try again until their commands lie on the topic."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError

from client import commands
from client.commands import SignedCommand, Signer, approval, sign
from demo.measure import ordered
from demo.officers import Known, decisions
from demo.state import ROLL
from demo.waiting import epoch_complete
from shared.contracts.commands import CommandType
from shared.crypto import signing
from shared.process.settings import Settings
from shared.runtime.clients import TopicMissing
from shared.runtime.outages import is_outage
from shared.store.mongo import Mongo
from simulator.stream import Stream


class Officers:
    """They propose, approve, decide by the truth, and finalise."""

    def __init__(self, settings: Settings, keys: Path, mongo: Mongo, stream: Stream) -> None:
        self._settings = settings
        self._keys = keys
        self._mongo = mongo
        self._stream = stream
        self.decided = 0
        self.finalised: list[SignedCommand] = []

    async def together(
        self, proposer: str, ce_type: CommandType, proposals: Sequence[Mapping[str, Any]], reason: str
    ) -> list[SignedCommand]:
        """One proposes and another approves; answers the proposals when all lie on the topic.

        What was not acknowledged is sent again as it is: of messages with one id the first counts.
        """
        first, second = self._signer(proposer), self._signer("second-officer")
        register = self._settings.register
        signed = [sign(register, first, ce_type, data) for data in proposals]
        messages = [
            each for command in signed for each in (command, approval(register, second, command, reason))
        ]
        while True:
            try:
                async with asyncio.timeout(20):
                    await commands.send(self._settings, messages)
                return signed
            except (KafkaError, TimeoutError, OSError, TopicMissing):
                await asyncio.sleep(0.5)

    async def cut_off(self, epoch: int = 1) -> None:
        """End an epoch."""
        await self.together("publisher", CommandType.CUT_OFF, [{"epoch": epoch}], "end of registration")

    async def epoch_complete(self, epoch: int = 1) -> None:
        """Return when everyone captured in the epoch has been checked."""
        while True:
            try:
                return await epoch_complete(self._settings, epoch)
            except Exception as error:
                if not is_outage(error):
                    raise
                await asyncio.sleep(0.5)

    async def decide(self, most: int = 1_000) -> None:
        """Decide open conflicts by the truth, as far as the store tells them now."""
        try:
            proposals = await self._proposals(most)
        except Exception as error:
            if not is_outage(error):
                raise
            return  # the store is away, and the officers go home
        if proposals:
            await self.together("adjudicator", CommandType.DECIDED, proposals, "looked at together")
            self.decided += len(proposals)

    async def finalise(self, epoch: int = 1, undecided: str = "hold_later") -> SignedCommand:
        """Ask for the roll; whoever is undecided is held, so that there are lists whatever was decided."""
        data = {
            "roll": ROLL,
            "epoch": epoch,
            "election": {"kind": "commune_council", "day": self._stream.election_day.isoformat()},
            "kind": "final",
            "undecided": undecided,
        }
        [command] = await self.together("publisher", CommandType.FINALISED, [data], "the roll")
        self.finalised.append(command)
        return command

    async def adopt_signing_key(self, sha256: str, version: str, *, lost: bool) -> SignedCommand:
        """Put another signing key in force."""
        data = {"kind": "signing_key", "version": version, "sha256": sha256, "lost": lost}
        [command] = await self.together("administrator", CommandType.ADOPTED, [data], "rotation")
        return command

    async def _proposals(self, most: int) -> list[dict[str, Any]]:
        people = self._stream.people
        query = {"status": "open"}
        found = await self._mongo.collection("conflicts").find(query, {"pair": 1}).to_list(most)
        pairs = [ordered(*(version["registration_id"] for version in each["pair"])) for each in found]
        known: dict[str, Known] = {}
        async for each in self._mongo.collection("registrations").find({}):
            known[each["_id"]] = Known(
                each["digest"],
                each["residence"]["commune"],
                each["status"] == "active",
                each["first_accepted_at"],
            )
        # The order is another than the truth's, so that somebody may be registered whom it does not know.
        return decisions([each for each in pairs if set(each) <= people.keys() & known.keys()], people, known)

    def _signer(self, name: str) -> Signer:
        return Signer(name, signing.load_private_key(self._keys / f"{name}.pem"))
