"""A store with very many claims, made as they are read."""

from collections.abc import AsyncIterator, Sequence

from services.publisher.registrations import Registration
from services.publisher.store import RollStore
from shared.commands.state import PairKey
from tests.kit.checked_records import digest_of, registration
from tests.kit.memory_mongo import MemoryMongo


class ManyClaims(RollStore):
    """`people` registrations, of which each `crowd` are claimed to be one person, each with each.

    As with a driver, every claim comes with strings of its own.
    """

    def __init__(self, people: int, crowd: int) -> None:
        super().__init__(MemoryMongo().as_mongo())
        self._crowd = crowd
        self._ids = [f"registration-{number:08}" for number in range(people)]
        self._digests = [digest_of(each + "first") for each in self._ids]

    async def claims(self, epoch: int) -> AsyncIterator[PairKey]:
        """Every claim; nothing is waited for."""
        for one in range(len(self._ids)):
            for other in range(one + 1, min(len(self._ids), one - one % self._crowd + self._crowd)):
                yield self._version(one), self._version(other)

    async def registrations(self, ids: Sequence[str], epoch: int) -> dict[str, Registration]:
        """All are active, with their first version."""
        return {each: registration(each) for each in ids}

    def _version(self, number: int) -> tuple[str, str]:
        return self._ids[number].encode().decode(), self._digests[number].encode().decode()
