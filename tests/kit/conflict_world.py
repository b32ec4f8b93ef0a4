"""The topics, some dedup processes that read of them as much as they are told to, and one store."""

from typing import Any, cast

from services.dedup.claims import Pair
from services.dedup.feed import IndexFeed
from services.dedup.keeper import ConflictKeeper
from services.dedup.ledger import Appearance, Ledger
from services.dedup.store import CONFLICTS, ConflictStore
from shared.commands.feed import CommandFeed
from shared.commands.state import Decision, DecisionChange, State
from shared.contracts.identity import VersionId, claim_id
from shared.process.budget import Budget
from shared.process.metrics import Metrics
from tests.kit.memory_mongo import MemoryMongo

FACTS = {
    "class": "multiple_registration",
    "probability": 0.99,
    "weight": 12.5,
    "evidence": [{"field": "name", "level": "equal", "weight": 12.5}],
    "model": "m" * 64,
    "epoch": 1,
}
A1, A2, B1 = ("a", "1" * 64), ("a", "2" * 64), ("b", "3" * 64)
PAIR: Pair = (A1, B1)
COMMUNE = "010203"


class World:
    """The topics: accepted versions and decisions, in their order."""

    def __init__(self) -> None:
        self.versions: list[tuple[str, Appearance]] = []
        self.decisions: list[DecisionChange] = []
        self.claims: dict[Pair, Any] = {}

    def version(self, id_: str, digest: str, epoch: int = 1, commune: str = COMMUNE) -> None:
        offset = len(self.versions)
        came = Appearance(offset, epoch, digest, accepted_at=1000 * offset, commune=commune)
        self.versions.append((id_, came))

    def remove(self, id_: str, reason: str, epoch: int = 1) -> None:
        """It leaves the last digest."""
        offset = len(self.versions)
        digest = next(came.digest for each, came in reversed(self.versions) if each == id_)
        self.versions.append((id_, Appearance(offset, epoch, digest, 1000 * offset, removal_reason=reason)))

    def decide(
        self,
        pair: Pair = PAIR,
        keep: str | None = "a",
        reverse: bool = False,
        communes: tuple[str, str] = (COMMUNE, COMMUNE),
    ) -> None:
        offset = 10 + len(self.decisions)
        said: Any = "same_person" if keep else "different_persons"
        ce_id = f"c-{offset}"
        decision = Decision(pair, said, keep, ce_id, offset, ("one", "two"), "seen", communes)
        change = DecisionChange(pair, None if reverse else decision, offset, ce_id, communes)
        self.decisions.append(change)


class Process:
    """One dedup process: it knows of the world what it has read."""

    def __init__(self, world: World, mongo: MemoryMongo) -> None:
        self.world, self.mongo = world, mongo
        self.ledger, self.state = Ledger(), State("kh-test", "f" * 64)
        self.followed = 0
        self.keeper = ConflictKeeper(
            ConflictStore(mongo.as_mongo()),
            self.ledger,
            cast(IndexFeed, self),
            cast(CommandFeed, self),
            Metrics("dedup"),
            Budget(),
        )

    # In the place of both feeds

    async def catch_up(self, timeout: float | None = None) -> None:
        for id_, appearance in self.world.versions:
            self.ledger.add(id_, appearance)

    async def wait_for_end(self) -> State:
        for at, change in enumerate(self.world.decisions[len(self.state.decision_log) :]):
            self.state.record(change.command_offset, at, bytes([at]), (), change)
        return self.state

    def is_claim(self, one: VersionId, other: VersionId) -> bool:
        return (one, other) in self.world.claims

    # What the handler and `run` do

    async def take(self, *ids: str, claims: dict[Pair, Any] | None = None) -> None:
        """A batch with records of these registrations."""
        await self.catch_up()
        self.world.claims |= claims or {}
        await self.keeper.found((claims or {}).items())
        await self.keeper.changed(ids)

    async def follow(self) -> None:
        await self.wait_for_end()
        self.followed = await self.keeper._follow(self.followed)


class Scene:
    def __init__(self) -> None:
        self.world, self.mongo = World(), MemoryMongo()
        self.process = self.another()

    def another(self) -> Process:
        return Process(self.world, self.mongo)

    def conflict(self, pair: Pair = PAIR) -> dict[str, Any]:
        return self.mongo.collection(CONFLICTS).documents[claim_id(*pair)]

    async def publish(self, epoch: int) -> None:
        rolls = self.mongo.collection("rolls").documents
        rolls[f"r/{epoch}"] = {"_id": f"r/{epoch}", "state": "published", "epoch": epoch}
