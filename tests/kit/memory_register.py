"""Registration and publisher without a broker: their own handlers and stores over a log in memory.

Batches, their order across partitions and topics, repetition and the moment at which officers' commands come
are drawn by dice; matching is not run, its claims are given. What comes out is what they stored and sent.
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.log import LogRecord, SeenClaim
from services.publisher.editions import EditionStore
from services.publisher.finalise import Finaliser
from services.publisher.handler import PublisherHandler
from services.publisher.lists import Edition
from services.publisher.manifests import verified
from services.publisher.publish import Publication
from services.publisher.store import RollStore
from services.publisher.verdicts import VerdictStore
from services.registration.handler import Parts, RegistrationHandler
from services.registration.holdings import Holdings
from services.registration.outputs import OutputBuilder
from services.registration.rebuild import Rebuild
from services.registration.receipts import ReceiptSender
from services.registration.references import References
from services.registration.store import Store
from shared.commands.feed import CommandFeed
from shared.commands.fold import Message, State, apply, empty
from shared.commands.marker_reader import MarkerReader
from shared.commands.skips import Skips
from shared.contracts.cloudevents import header, is_utf8
from shared.contracts.events import EventType
from shared.contracts.identity import canonical
from shared.contracts.outputs import OutputType
from shared.contracts.topics import Topic
from shared.crypto import signing
from shared.process.budget import Budget
from shared.process.errors import TransientError
from shared.process.metrics import Metrics
from shared.process.settings import KafkaSettings, Settings
from shared.reference.files import MissingReference, ReferenceStore
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output, Record
from shared.store.progress import ProgressStore
from tests.kit.memory_mongo import MemoryMongo
from tests.reference.good_run import Run
from tests.reference.strategies import History

PARTITIONS = 2
LATER = 1_900_000_000_000
"""Time stamp of what is sent, in ms since 1970: after all commands."""


@dataclass
class MemoryTopics:
    """What was sent, in the place of `Outputs`; offsets count by partition."""

    records: dict[tuple[str, int], list[Record]] = field(default_factory=dict)

    async def send(self, outputs: Iterable[Output]) -> None:
        for each in outputs:
            there = self.records.setdefault((each.topic, each.partition), [])
            record = Record(
                each.topic, each.partition, len(there), LATER, each.key, each.value, tuple(each.headers)
            )
            there.append(record)

    def of(self, topic: Topic, partition: int) -> list[Record]:
        return self.records.get((topic.value, partition), [])


class MemoryFeed:
    """The commands folded so far, in the place of `CommandFeed`."""

    def __init__(
        self, register: str, founding: str, commands: Iterable[LogRecord], files: "MemoryFiles"
    ) -> None:
        self.state: State = empty(register, founding)
        self._left = messages_of(commands)
        self._files = files

    @property
    def at_end(self) -> bool:
        return not self._left

    def fold_one(self) -> None:
        """Fold the next command, if there is one."""
        if self._left:
            apply(self.state, self._left.pop(0), self._files.read)

    async def wait_for_end(self, _timeout: float | None = None) -> State:
        while self._left:
            self.fold_one()
        return self.state

    async def wait_until_read(self, _timeout: float) -> None:
        """Everything is folded as soon as it is read."""
        await self.wait_for_end()

    @property
    def unfolded(self) -> tuple[Message, ...]:
        return ()

    def seconds_since(self, _offset: int) -> float:
        return 60.0


def messages_of(commands: Iterable[LogRecord]) -> list[Message]:
    """The messages as the feed reads them; what cannot be decompressed is none."""
    return [
        Message.of_record(
            each.offset, each.timestamp, each.headers, each.value, key=each.key, append_time=each.append_time
        )
        for each in commands
        if each.fault != "undecodable_batch"
    ]


class MemoryFiles(ReferenceStore):
    """Reference files by hash, without a folder."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self._parsed = {}

    def read(self, kind: str, sha256: str) -> bytes:
        if sha256 not in self._files:
            raise MissingReference(kind, sha256)
        return self._files[sha256]


class MemoryManifests:
    """The manifests topic, in the place of `ManifestTopic`."""

    def __init__(self, topics: MemoryTopics) -> None:
        self._topics = topics
        self.looks = 0

    async def roll_manifest(self, edition: Edition, signing_keys: Sequence[bytes]) -> dict[str, Any] | None:
        self.looks += 1
        keys = [signing.load_public_pem(pem) for pem in signing_keys]
        for record in self._topics.of(Topic.MANIFESTS, 0):
            if record.key == edition.name.encode():
                found = verified(record.value or b"", edition, keys)
                if found is not None:
                    return found
        return None


async def _first_records(partitions: Iterable[int]) -> Mapping[int, str | None]:
    return dict.fromkeys(partitions, "first")


class MemoryRegister:
    """Both services over one history."""

    def __init__(self, history: History, dice: Random) -> None:
        self.history = history
        self.dice = dice
        self.mongo = MemoryMongo()
        self.topics = MemoryTopics()
        self._files = MemoryFiles(history.files)
        self._settings = Settings(register=history.log.register, kafka=KafkaSettings(partitions=PARTITIONS))
        self._claims = _claims_by_source(history.claims)
        self._settled: dict[int, int | None] = dict.fromkeys(range(PARTITIONS))

    async def run(self) -> None:
        """Registration settles the whole log, publisher what comes of it; then all commands are known."""
        feed = self._feed()
        events = [_of_partition(self.history.log.events, number) for number in range(PARTITIONS)]
        await self._settle(feed, events)
        await self._settle_publisher()

    async def run_half(self) -> None:
        """Registration settles some of each partition."""
        feed = self._feed()
        events = [_of_partition(self.history.log.events, number) for number in range(PARTITIONS)]
        some = [records[: self.dice.randint(0, len(records))] for records in events]
        await self._settle(feed, some)

    async def run_again(self) -> None:
        """The store is lost: everything is settled anew, and nothing that was sent is sent again."""
        self.mongo = MemoryMongo()
        await self.run()

    def written(self) -> Run:
        """All that lies on the topics and in the store, as an audit reads it. Nobody here keeps conflicts."""
        log = self.history.log
        topics: dict[Topic, list[LogRecord]] = {topic: [] for topic in Topic}
        topics |= {Topic.EVENTS: list(log.events), Topic.COMMANDS: list(log.commands)}
        for (name, _), records in self.topics.records.items():
            topics[Topic(name)] += map(_as_read, records)
        for partition in range(PARTITIONS):
            topics[Topic.CHECKED] += map(_as_read, self._checked(partition))
        run = Run(log.register, log.founding, PARTITIONS, self.history.files, topics, self.mongo.dump())
        run.commit()
        run.committed_offsets[Topic.EVENTS] = {
            partition: offset or 0 for partition, offset in self._settled.items()
        }
        return run

    def _feed(self) -> MemoryFeed:
        log = self.history.log
        return MemoryFeed(log.register, log.founding, log.commands, self._files)

    def _registration(self, feed: MemoryFeed) -> tuple[RegistrationHandler, ReceiptSender]:
        mongo, metrics = self.mongo.as_mongo(), Metrics("registration")
        commands = cast(CommandFeed, feed)
        progress = ProgressStore(mongo, "registration", Topic.EVENTS.value, _first_records)
        parts = Parts(
            store=Store(mongo),
            progress=progress,
            outputs=cast(Outputs, self.topics),
            rejections=cast(Outputs, self.topics),
            rebuild=Rebuild(progress, self._committed),
            markers=MarkerReader(commands, self._files),
            references=References(commands, self._files, metrics),
            holdings=Holdings(),
            metrics=metrics,
            budget=Budget(),
        )
        sender = ReceiptSender(
            parts.store,
            progress,
            parts.rebuild,
            parts.holdings,
            OutputBuilder(self._settings.register, PARTITIONS),
            parts.outputs,
            self._receipts,
            metrics,
            parts.budget,
        )
        return RegistrationHandler(self._settings.register, PARTITIONS, parts), sender

    async def _receipts(self) -> AsyncIterator[Record]:
        for partition in range(PARTITIONS):
            for record in self.topics.of(Topic.RECEIPTS, partition):
                yield record

    async def _committed(self) -> dict[int, int]:
        return {partition: offset or 0 for partition, offset in self._settled.items()}

    async def _settle(self, feed: MemoryFeed, topic: list[list[Record]]) -> None:
        handler, sender = self._registration(feed)
        positions = dict(await handler.assigned(self._settled))
        while _left(topic, positions):
            for _ in range(self.dice.choice([0, 1, 3, 40])):
                feed.fold_one()
            if feed.at_end and feed.state.missing_kinds():
                break  # nothing runs
            if not feed.state.ready_for_epoch(1):
                continue
            batch = self._batch(topic, positions)
            try:
                await handler.handle(batch)
            except TransientError:
                assert not feed.at_end, "waits for something that will never come"
                continue
            if self.dice.random() < 0.2:  # the offsets were not committed: the same again
                await handler.handle(batch)
            for record in batch:
                positions[record.partition] = _after(record)
            if self.dice.random() < 0.3:
                await sender.send_owed()
        self._settled.update(positions)
        await sender.send_owed()

    def _batch(self, topic: list[list[Record]], positions: Mapping[int, int]) -> list[Record]:
        chosen = self.dice.sample(range(PARTITIONS), self.dice.randint(1, PARTITIONS))
        sizes = {number: self.dice.choice([1, 2, 5, 100]) for number in chosen}
        return [
            record
            for number, size in sizes.items()
            for record in [each for each in topic[number] if each.offset >= positions[number]][:size]
        ]

    async def _settle_publisher(self) -> None:
        feed = self._feed()
        mongo, metrics = self.mongo.as_mongo(), Metrics("publisher")
        roll, editions = RollStore(mongo), EditionStore(mongo)
        progress = ProgressStore(mongo, "publisher", Topic.CHECKED.value, _first_records)
        finalisers = [
            self._finaliser(feed, key, roll, progress, editions) for key in self.history.signing_keys
        ]
        commands = cast(CommandFeed, feed)
        markers, skips = MarkerReader(commands, self._files), Skips(commands)
        handler = PublisherHandler(roll, editions, finalisers[0], markers, skips, progress, metrics, Budget())
        topic = [self._checked(number) for number in range(PARTITIONS)]
        positions = dict(await handler.assigned(dict.fromkeys(range(PARTITIONS))))
        while _left(topic, positions) or not feed.at_end:
            for _ in range(self.dice.choice([0, 1, 3, 40])):
                feed.fold_one()
            batch = self._batch(topic, positions)
            if batch:
                await handler.handle(batch)
            for record in batch:
                positions[record.partition] = _after(record)
            if self.dice.random() < 0.3:
                await _judge(finalisers)
        await _judge(finalisers)

    def _finaliser(
        self,
        feed: MemoryFeed,
        key: Ed25519PrivateKey,
        roll: RollStore,
        progress: ProgressStore,
        editions: EditionStore,
    ) -> Finaliser:
        commands, metrics = cast(CommandFeed, feed), Metrics("publisher")
        verdicts, outputs = VerdictStore(self.mongo.as_mongo()), cast(Outputs, self.topics)
        publication = Publication(
            self._settings, key, self._files, roll, progress, editions, verdicts, outputs, metrics
        )
        publication._manifests = MemoryManifests(self.topics)  # type: ignore[assignment]
        finaliser = Finaliser(
            self._settings, commands, roll, progress, editions, verdicts, publication, metrics
        )
        finaliser.hold(True)
        return finaliser

    def _checked(self, partition: int) -> list[Record]:
        """What dedup makes of the accepted records: the same with their claims."""
        records: list[Record] = []
        for record in self.topics.of(Topic.ACCEPTED, partition):
            value = record.value or b""
            headers = record.headers
            if header(headers, "ce_type") != EventType.MARKER.encode():
                told = json.loads(value)
                version = (told["registration_id"], told["digest"], told["epoch"])
                claims = [
                    each.model_dump(mode="json", by_alias=True) for each in self._claims.get(version, [])
                ]
                value = canonical({**told, "claims": claims})
                headers = (("ce_type", OutputType.CHECKED.encode()),)
            records.append(
                Record(Topic.CHECKED.value, partition, len(records), LATER, record.key, value, headers)
            )
        return records


def _as_read(record: Record) -> LogRecord:
    return LogRecord(
        record.partition, record.offset, record.timestamp, record.key, record.value, tuple(record.headers)
    )


async def _judge(finalisers: list[Finaliser]) -> None:
    for each in [*finalisers, *finalisers]:  # as with a key that was changed: the one that has it goes on
        await each.judge_all()


def _claims_by_source(claims: Iterable[SeenClaim]) -> dict[tuple[str, str, int], list[Any]]:
    """Each claim lies with a version of the later of both epochs, as the finder of that version writes it."""
    found: dict[tuple[str, str, int], list[Any]] = {}
    for claim in claims:
        (one, digest), other = (claim.registration_id, claim.digest), claim.claim.other
        found.setdefault((one, digest, claim.claim.epoch), []).append(claim.claim)
        mirrored = claim.claim.model_copy(
            update={"other": other.model_copy(update={"registration_id": one, "digest": digest})}
        )
        found.setdefault((other.registration_id, other.digest, claim.claim.epoch), []).append(mirrored)
    return found


def _of_partition(events: Iterable[LogRecord], partition: int) -> list[Record]:
    """The records as the runtime reads them: names of headers that are not UTF-8 have escapes."""
    records = []
    for each in events:
        if each.partition == partition:
            spoilt = not all(is_utf8(name) for name, _ in each.headers)
            records.append(
                Record(
                    Topic.EVENTS.value,
                    partition,
                    each.offset,
                    each.timestamp,
                    each.key,
                    each.value,
                    each.headers,
                    "headers" if spoilt else each.fault,
                    each.last_offset,
                )
            )
    return records


def _after(record: Record) -> int:
    return (record.offset if record.last_offset is None else record.last_offset) + 1


def _left(topic: Iterable[list[Record]], positions: Mapping[int, int]) -> bool:
    return any(records and _after(records[-1]) > positions[records[-1].partition] for records in topic)
