"""The roll, its claims and the ends of epochs in MongoDB: what checked records come to."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from services.publisher.registrations import Document, Registration, as_of
from shared.commands.state import PairKey
from shared.contracts.identity import claim_id
from shared.process.errors import NotYet
from shared.runtime.turns import Turns
from shared.store.mongo import IndexModel, Mongo, ReplaceOne, UpdateOne
from shared.store.progress import ProgressStore

ROLL = "roll"
CLAIMS = "claims"
EPOCHS = "roll_epochs"


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """A valid marker on `registration.checked.v1`."""

    partition: int
    epoch: int
    offset: int


class RollStore:
    """Writes are guarded and repeating them is harmless."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def prepare(self) -> None:
        """Make the indexes; repeating it is harmless."""
        await self._mongo.collection(ROLL).create_indexes(
            [IndexModel([("districts", 1)], name="by_district")]
        )

    async def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """The roll's documents of some registrations, by id."""
        return {found["_id"]: found for found in await self._mongo.find_by_ids(ROLL, ids)}

    async def save(self, documents: Sequence[Document]) -> None:
        """Replace documents by their next revision.

        Raises TransientError if another process was faster: it holds the partition now, or did until now.
        """
        lost = await self._mongo.write(
            ROLL,
            [
                ReplaceOne({"_id": each["_id"], "revision": each["revision"] - 1}, each, upsert=True)
                for each in documents
            ],
        )
        if lost:
            raise NotYet("another process wrote to the roll")

    async def add_claims(self, claims: Mapping[PairKey, int]) -> None:
        """Keep claims, each with its epoch; they only add up."""
        await self._mongo.write(
            CLAIMS,
            [
                UpdateOne(
                    {"_id": claim_id(*pair)},
                    {"$setOnInsert": {"pair": [list(version) for version in pair], "epoch": epoch}},
                    upsert=True,
                )
                for pair, epoch in claims.items()
            ],
        )

    async def end_epochs(self, ends: Sequence[EpochEnd]) -> None:
        """Note where epochs ended; what is noted twice counts once."""
        of_partition: dict[str, list[dict[str, int]]] = {}
        for end in ends:
            noted = {"epoch": end.epoch, "offset": end.offset}
            of_partition.setdefault(str(end.partition), []).append(noted)
        await self._mongo.write(
            EPOCHS,
            [
                UpdateOne({"_id": partition}, {"$addToSet": {"ends": {"$each": noted}}}, upsert=True)
                for partition, noted in of_partition.items()
            ],
        )

    async def ended_epochs(self, partitions: int, progress: ProgressStore) -> list[int]:
        """The newest epoch that ended in each partition, 0 where none did.

        An end counts below the progress of this store. It may have been written by a batch that began on a
        store that was dropped meanwhile, and then what came before the end is not here. Progress is read
        last: the store that it is of has everything below it.
        """
        found = await self._mongo.find_by_ids(EPOCHS, [str(number) for number in range(partitions)])
        positions = await progress.positions(range(partitions))
        ended = dict.fromkeys(range(partitions), 0)
        for document in found:
            partition = int(document["_id"])
            passed = [end["epoch"] for end in document["ends"] if end["offset"] < positions[partition]]
            ended[partition] = max(passed, default=0)
        return list(ended.values())

    async def claims(self, epoch: int) -> AsyncIterator[PairKey]:
        """The pairs that were claimed in the epochs up to this one."""
        async for found in self._mongo.collection(CLAIMS).find({"epoch": {"$lte": epoch}}, {"pair": 1}):
            (one, digest), (other, other_digest) = found["pair"]
            yield (one, digest), (other, other_digest)

    async def registrations(self, ids: Sequence[str], epoch: int) -> dict[str, Registration]:
        """Some registrations as the epoch has them; those that came later are left out."""
        people: dict[str, Registration] = {}
        turns = Turns()
        for document in await self._mongo.find_by_ids(ROLL, ids):
            await turns.give()
            registration = as_of(document, epoch)
            if registration is not None:
                people[registration.registration_id] = registration
        return people

    async def districts(self) -> list[str]:
        """Every district in which a registration ever had its residence."""
        return sorted(await self._mongo.collection(ROLL).distinct("districts"))

    async def district(self, district: str, epoch: int) -> list[Registration]:
        """The registrations whose last residence lay in that district at the end of the epoch."""
        found: list[Registration] = []
        async for document in self._mongo.collection(ROLL).find({"districts": district}):
            registration = as_of(document, epoch)
            if registration is not None and registration.district == district:
                found.append(registration)
        return found
