"""The claims of an epoch that matter to its roll, read from the store without holding them all in memory."""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from services.publisher.registrations import Registration
from services.publisher.roll import Ids, is_current
from services.publisher.store import RollStore
from shared.commands.state import PairKey
from shared.runtime.turns import Turns

CLAIMS_AT_ONCE = 500
"""Claims read before their registrations are asked for: two each at most."""

FREEZE_EVERY = 5_000
"""Registrations after which the garbage collector is told to pass over those that are here. It would look
through all of them again and again, and hold the event loop for over a second with 200,000."""


@dataclass(slots=True)
class CurrentClaims:
    """The pairs of registrations whose current versions are claimed to be one person's.

    A pair costs one reference of 8 bytes. It is here once: only one pair of its versions is current, and the
    store keeps each claim once.
    """

    people: dict[str, Registration]
    """All who are named by a claim, and who were here before."""
    _others: dict[str, list[str]] = field(default_factory=dict)
    _frozen: int = 0

    def __iter__(self) -> Iterator[Ids]:
        for one, others in self._others.items():
            for other in others:
                yield one, other

    async def read(self, roll: RollStore, epoch: int) -> None:
        """Add the claims of the epochs up to `epoch`."""
        turns, block = Turns(), list[PairKey]()
        async for pair in roll.claims(epoch):
            block.append(pair)
            if len(block) == CLAIMS_AT_ONCE:
                await self._add(block, roll, epoch)
                block.clear()
            await turns.give()
        await self._add(block, roll, epoch)

    async def _add(self, block: Sequence[PairKey], roll: RollStore, epoch: int) -> None:
        unknown = {each for pair in block for each, _ in pair if each not in self.people}
        self.people |= await roll.registrations(sorted(unknown), epoch)
        if len(self.people) - self._frozen >= FREEZE_EVERY:
            self._frozen = len(self.people)
            gc.collect(1)  # what is garbage by now would be passed over, too
            gc.freeze()
        for pair in block:
            if is_current(pair, self.people):
                # The ids of `people`: one object for a registration, however often it is claimed.
                one, other = (self.people[each].registration_id for each, _ in pair)
                self._others.setdefault(one, []).append(other)

    def clear(self) -> None:
        """Let go of everything one by one: at once, no other thread would run for half a second."""
        for held in (self.people, self._others):
            while held:
                held.popitem()
