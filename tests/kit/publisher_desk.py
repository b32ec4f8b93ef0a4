"""The publisher's parts over memory: several processes on one store and the same topics."""

import itertools
from collections.abc import Iterable
from typing import Any, cast

from audit.log import LogRecord
from services.publisher.editions import EditionStore
from services.publisher.finalise import CAUSES, Finaliser
from services.publisher.handler import PublisherHandler
from services.publisher.publish import Publication
from services.publisher.store import RollStore
from services.publisher.verdicts import VerdictStore
from shared.commands.feed import CommandFeed
from shared.commands.marker_reader import MarkerReader
from shared.commands.skips import Skips
from shared.contracts.topics import Topic
from shared.process.budget import Budget
from shared.process.metrics import Metrics
from shared.process.settings import KafkaSettings, Settings
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output, Record
from shared.store.progress import ProgressStore
from tests.kit.checked_records import checked_output
from tests.kit.command_log import REGISTER, CommandLog, key_of
from tests.kit.memory_mongo import MemoryMongo
from tests.kit.memory_register import MemoryFeed, MemoryFiles, MemoryManifests, MemoryTopics

PARTITIONS = 2
STATIONS = b"""station,name_km,name_latin,commune,villages,capacity
S-1,,,010203,,2
S-2,,,020304,,2
S-3,,,020305,,2
"""


class Desk:
    """One register; `finaliser` makes another process on its store and topics."""

    def __init__(self) -> None:
        self.commands = CommandLog().found().adopt_all(stations=STATIONS)
        self.topics = MemoryTopics()
        self.offsets = [itertools.count() for _ in range(PARTITIONS)]
        self.mongo = MemoryMongo()
        self.checked: list[Record] = []
        self.settings = Settings(register=REGISTER, kafka=KafkaSettings(partitions=PARTITIONS))

    @property
    def editions(self) -> EditionStore:
        return EditionStore(self.mongo.as_mongo())

    def finaliser(
        self,
        outputs: MemoryTopics | None = None,
        roll: RollStore | None = None,
        key: str = "signer",
        mongo: MemoryMongo | None = None,
    ) -> Finaliser:
        """A process that judges; `mongo` is how it sees the store."""
        store = (mongo or self.mongo).as_mongo()
        files, metrics = MemoryFiles(self.commands.files), Metrics("publisher")
        roll, editions, verdicts = roll or RollStore(store), EditionStore(store), VerdictStore(store)
        progress = ProgressStore(store, "publisher", Topic.CHECKED.value, _no_first_records)
        sends = cast(Outputs, outputs or self.topics)
        publication = Publication(
            self.settings, key_of(key), files, roll, progress, editions, verdicts, sends, metrics
        )
        self.manifests = MemoryManifests(self.topics)
        publication._manifests = self.manifests  # type: ignore[assignment]
        feed = cast(CommandFeed, self.feed())
        made = Finaliser(self.settings, feed, roll, progress, editions, verdicts, publication, metrics)
        made.hold(True)
        return made

    def feed(self) -> MemoryFeed:
        feed = MemoryFeed(REGISTER, self.commands.officers_sha, self._log(), MemoryFiles(self.commands.files))
        while not feed.at_end:
            feed.fold_one()
        return feed

    def _log(self) -> Iterable[LogRecord]:
        for headers, message in zip(self.commands.headers, self.commands.messages, strict=True):
            yield LogRecord(0, message.offset, message.timestamp, b"k", message.value, headers)

    def handler(self, roll: RollStore | None = None) -> PublisherHandler:
        """That of a process."""
        mongo = self.mongo.as_mongo()
        commands = cast(CommandFeed, self.feed())
        markers = MarkerReader(commands, MemoryFiles(self.commands.files))
        progress = ProgressStore(mongo, "publisher", Topic.CHECKED.value, _no_first_records)
        roll, metrics = roll or RollStore(mongo), Metrics("publisher")
        skips = Skips(commands)
        return PublisherHandler(
            roll, self.editions, self.finaliser(), markers, skips, progress, metrics, Budget()
        )

    async def read(self, *records: Record, roll: RollStore | None = None) -> None:
        """As the consumer does that begins where the store is."""
        handler = self.handler(roll)
        await handler.assigned(dict.fromkeys(range(PARTITIONS)))
        await handler.handle(records)

    async def epoch(self, epoch: int, *records: tuple[str, int, dict[str, Any]]) -> None:
        outputs = [
            checked_output(each, offset, PARTITIONS, epoch=epoch, **more) for each, offset, more in records
        ]
        await self.read(*self.records(epoch, outputs))

    def records(self, epoch: int, outputs: Iterable[Output]) -> list[Record]:
        """Records of an epoch and its markers, as they lie on the checked records from now on."""
        return [
            *(self._next(each.partition, each) for each in outputs),
            *(
                self._next(each, self.commands.marker(epoch, each, topic=Topic.CHECKED, later=5_000))
                for each in range(PARTITIONS)
            ),
        ]

    def _next(self, partition: int, what: Output | Record) -> Record:
        """At the end of its partition of the checked records."""
        offset = next(self.offsets[partition])
        timestamp = what.timestamp if isinstance(what, Record) else 0
        record = Record(what.topic, partition, offset, timestamp, what.key, what.value, what.headers)
        self.checked.append(record)
        return record

    async def lose_store(self) -> None:
        """The database is dropped, and the publisher has read everything again."""
        self.mongo = MemoryMongo()
        await self.read(*self.checked)

    async def versions(self) -> list[dict[str, Any]]:
        """Every version that took effect, without the token of who published it."""
        return [{**each, "token": None} for each in await self.editions.versions()]

    def verdict_on(self, ce_id: str) -> dict[str, Any]:
        """What is stored of a command."""
        (found,) = [each for each in self.mongo.dump()["commands"] if each["_id"] == ce_id]
        return found

    def sent(self) -> dict[bytes | None, set[bytes | None]]:
        """What lies on the topics, by key: one value each, however often."""
        found: dict[bytes | None, set[bytes | None]] = {}
        for records in self.topics.records.values():
            for record in records:
                found.setdefault(record.key, set()).add(record.value)
        return found


async def _no_first_records(partitions: Iterable[int]) -> dict[int, str | None]:
    return dict.fromkeys(partitions, "first")


FIRST = (
    ("r-1", 0, {"village": "01020304"}),
    ("r-2", 1, {"village": "02030405"}),
    ("r-3", 2, {"village": "02030501"}),
)
SECOND = (
    ("r-1", 10, {"village": "02030405", "data": "b"}),
    ("r-2", 11, {"removal": "deceased"}),
    ("r-3", 12, {"village": "01020304", "data": "b"}),
)


async def first_version() -> Desk:
    desk = Desk()
    desk.commands.cut_off(1)
    desk.commands.finalise()
    await desk.epoch(1, *FIRST)
    return desk


def blocked(finaliser: Finaliser) -> set[str]:
    """What a process says that a `finalised` waits for."""
    gauge = finaliser._metrics.finalised_blocked
    return {cause for cause in CAUSES if gauge.labels(cause=cause)._value.get() == 1}
