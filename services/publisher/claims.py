"""The claims of an epoch that matter to its roll, read from the store without holding them all in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from services.publisher.registrations import Registration
from services.publisher.roll import Ids, is_current
from services.publisher.store import RollStore
from shared.commands.state import PairKey
from shared.runtime.turns import Turns

CLAIMS_AT_ONCE = 500
"""Claims read before their registrations are asked for: two each at most."""


@dataclass(slots=True)
class CurrentClaims:
    """The pairs of registrations whose current versions are claimed to be one person's.

    A pair costs one reference of 8 bytes. It is here once: only one pair of its versions is current, and the
    store keeps each claim once.
    """

    people: dict[str, Registration]
    """All who are named by a claim, and who were here before."""
    _others: dict[str, list[str]] = field(default_factory=dict)

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
        for pair in block:
            if is_current(pair, self.people):
                # The ids of `people`: one object for a registration, however often it is claimed.
                one, other = (self.people[each].registration_id for each, _ in pair)
                self._others.setdefault(one, []).append(other)
