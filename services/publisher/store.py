"""The roll, its claims and the ends of epochs in MongoDB: what checked records come to."""

from collections.abc import AsyncIterator, Mapping, Sequence

from services.publisher.registrations import Document, Registration, as_of
from shared.commands.state import PairKey
from shared.contracts.identity import claim_id
from shared.process.errors import NotYet
from shared.store.mongo import IndexModel, Mongo, ReplaceOne, UpdateOne

ROLL = "roll"
CLAIMS = "claims"
EPOCHS = "roll_epochs"


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

    async def end_epochs(self, ends: Mapping[int, int]) -> None:
        """Note the newest epoch that ended in each of these partitions."""
        await self._mongo.write(
            EPOCHS,
            [
                UpdateOne({"_id": str(partition)}, {"$max": {"epoch": epoch}}, upsert=True)
                for partition, epoch in ends.items()
            ],
        )

    async def ended_epochs(self, partitions: int) -> list[int]:
        """The newest epoch that ended in each partition, 0 where none did."""
        found = await self._mongo.find_by_ids(EPOCHS, [str(number) for number in range(partitions)])
        epochs = {document["_id"]: int(document["epoch"]) for document in found}
        return [epochs.get(str(number), 0) for number in range(partitions)]

    async def claims(self, epoch: int) -> AsyncIterator[PairKey]:
        """The pairs that were claimed in the epochs up to this one."""
        async for found in self._mongo.collection(CLAIMS).find({"epoch": {"$lte": epoch}}, {"pair": 1}):
            (one, digest), (other, other_digest) = found["pair"]
            yield (one, digest), (other, other_digest)

    async def registrations(self, ids: Sequence[str], epoch: int) -> dict[str, Registration]:
        """Some registrations as the epoch has them; those that came later are left out."""
        people: dict[str, Registration] = {}
        for document in await self._mongo.find_by_ids(ROLL, ids):
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
