"""One dedup worker without a broker: its own handler and keeper over topics and a store in memory."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from matching.matcher import Matcher
from matching.model import default_model_bytes, load_model
from services.dedup.feed import IndexFeed, Matching, appearance
from services.dedup.handler import DedupHandler
from services.dedup.keeper import ConflictKeeper
from services.dedup.ledger import Ledger
from services.dedup.records import AcceptedRecord, read
from services.dedup.store import ConflictStore
from shared.commands.feed import CommandFeed
from shared.commands.fold import Message
from shared.commands.marker_reader import MarkerReader
from shared.commands.skips import Skips
from shared.commands.state import State
from shared.contracts.identity import VersionId
from shared.contracts.outputs import Checked
from shared.contracts.topics import Topic
from shared.process.budget import Budget
from shared.process.errors import TransientError
from shared.process.metrics import Metrics
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output, Record
from shared.runtime.turns import Turns
from shared.store.progress import ProgressStore
from tests.kit.command_log import CommandLog
from tests.kit.memory_mongo import MemoryMongo
from tests.kit.memory_register import LATER, MemoryFiles

COMMANDS = CommandLog().found().adopt_all()
COMMANDS.cut_off(1)


class Topics:
    """Both topics: what lies on the one, and in which rounds the other was written."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.rounds: list[list[Output]] = []
        self.broken = False

    def put(self, output: Output) -> Record:
        """Lay a record on the accepted topic."""
        offset = sum(each.partition == output.partition for each in self.records)
        record = Record(
            Topic.ACCEPTED.value, output.partition, offset, LATER, output.key, output.value, output.headers
        )
        self.records.append(record)
        return record

    async def send(self, outputs: Sequence[Output]) -> None:
        if self.broken:
            raise TransientError("away")
        self.rounds.append(list(outputs))

    @property
    def sent(self) -> list[Output]:
        return [each for outputs in self.rounds for each in outputs]


class Feed:
    """In the place of `IndexFeed` and of `CommandFeed`: reads the topic when it is told to catch up."""

    def __init__(self, topics: Topics, ledger: Ledger) -> None:
        self.matching = Matching(Matcher(load_model(default_model_bytes())), "0" * 64)
        self.state = COMMANDS.state()
        self.behind = False
        self._topics, self._ledger = topics, ledger
        self._next, self._turns = 0, Turns()

    async def catch_up(self, timeout: float | None = None) -> None:
        if self.behind:
            raise TransientError("behind")
        while self._next < len(self._topics.records):
            content = read(self._topics.records[self._next])
            self._next += 1
            await self._turns.give()
            if isinstance(content, AcceptedRecord):
                if content.version is not None:
                    self.matching.matcher.insert(content.version)
                self._ledger.add(content.registration_id, appearance(content, 1000))

    def is_claim(self, one: VersionId, other: VersionId) -> bool:
        return self.matching.matcher.is_claim(one, other)

    async def wait_for_end(self, _timeout: float | None = None) -> State:
        return self.state

    async def wait_until_read(self, _timeout: float) -> None:
        return

    @property
    def unfolded(self) -> tuple[Message, ...]:
        return ()


async def _first_records(partitions: Iterable[int]) -> Mapping[int, str | None]:
    return dict.fromkeys(partitions, "first")


class Worker:
    """A process: what it has read is its own, topics and store are everybody's."""

    def __init__(self, topics: Topics, mongo: MemoryMongo, budget: Budget | None = None) -> None:
        budget = budget or Budget()
        ledger, metrics = Ledger(), Metrics("dedup")
        self.feed = Feed(topics, ledger)
        self.progress = ProgressStore(mongo.as_mongo(), "dedup", Topic.ACCEPTED.value, _first_records)
        feed, commands = cast(IndexFeed, self.feed), cast(CommandFeed, self.feed)
        keeper = ConflictKeeper(ConflictStore(mongo.as_mongo()), ledger, feed, commands, metrics, budget)
        markers = MarkerReader(commands, MemoryFiles(COMMANDS.files))
        skips = Skips(commands)
        self.handler = DedupHandler(
            feed, keeper, markers, skips, self.progress, cast(Outputs, topics), metrics, budget
        )

    async def positions(self) -> Mapping[int, int]:
        """The stored progress of both partitions."""
        return await self.progress.load([0, 1])


def marker_of(epoch: int, partition: int, **other: Any) -> Output:
    """A marker as registration passes it on, or with something wrong in it."""
    record = COMMANDS.marker(epoch, partition, **other)
    return Output(Topic.ACCEPTED.value, partition, record.key, record.value, record.headers)


def claims_of(output: Output) -> list[str]:
    """Whom a checked record names."""
    told = Checked.model_validate_json(output.value or b"")
    return [claim.other.registration_id for claim in told.claims]
