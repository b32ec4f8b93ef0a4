"""Reads every accepted record, of all partitions and from the first on, into this process's memory.

The barrier that keeps pairs from falling between two workers is here: a worker asks for the end offsets after
it got its batch, and waits until the feed has passed them. Of two records, the one that became visible second
is then scored by a worker that has the first.
"""

import asyncio
import gc
import time
from dataclasses import dataclass
from sys import intern

import structlog

from matching.matcher import Matcher
from matching.model import load_model
from services.dedup.ledger import Appearance, Ledger
from services.dedup.records import AcceptedRecord, read
from shared.commands.feed import CommandFeed
from shared.commands.skips import Skips
from shared.contracts.identity import VersionId
from shared.contracts.topics import Topic
from shared.process.errors import StopService, UnreadableRecord
from shared.process.metrics import Metrics
from shared.process.settings import Settings
from shared.reference.files import MissingReference, ReferenceStore
from shared.runtime.feed import TopicFeed
from shared.runtime.record import Record
from shared.runtime.turns import Turns

FREEZE_EVERY = 10_000
"""Records after which what was read is taken out of the garbage collector's sight.

It looks through all that may be garbage whenever a quarter came on top: a million registrations, none of them
garbage, would hold the event loop for 300 ms each time.
"""


@dataclass(frozen=True, slots=True)
class Matching:
    """The matcher and the model that it was made of; `model` is the file's SHA-256."""

    matcher: Matcher
    model: str


class IndexFeed:
    """Follows `registration.accepted.v1` into the matching index and the ledger, once a model is adopted."""

    name = "index"

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        commands: CommandFeed,
        references: ReferenceStore,
        ledger: Ledger,
        skips: Skips,
    ) -> None:
        self._runtime = settings.runtime
        self._metrics = metrics
        self._commands = commands
        self._references = references
        self._ledger = ledger
        self._skips = skips
        self._matching: Matching | None = None
        self._turns = Turns()
        self._read = 0
        self._feed = TopicFeed(
            settings, self.name, Topic.ACCEPTED.value, settings.kafka.partitions, self._insert, metrics
        )
        self._feed.unreadable = skips.require

    @property
    def topic(self) -> TopicFeed:
        """What follows the topic."""
        return self._feed

    async def run(self) -> None:
        """Read for ever. A record that cannot be read stops the service: the index would lack it."""
        await self._load_model()
        await self._feed.run()

    async def ready(self) -> None:
        """Return when everything that lay on the topic at the call is in the index."""
        await self.catch_up()

    async def catch_up(self, timeout: float | None = None) -> None:
        """Read the end offsets, wait until the index holds all below them.

        Raises TransientError after `timeout` seconds.
        """
        started = time.monotonic()
        await self._feed.wait_for_end(timeout)
        self._metrics.end_offset_wait_seconds.observe(time.monotonic() - started)
        self._metrics.index_versions.set(len(self.matching.matcher))
        self._metrics.index_bytes.set(self.matching.matcher.nbytes)

    @property
    def matching(self) -> Matching:
        """What scores; there once the feed has begun to read."""
        if self._matching is None:
            raise RuntimeError("no model yet: wait for the feed to be ready")
        return self._matching

    def is_claim(self, one: VersionId, other: VersionId) -> bool:
        """Whether two versions that were read are a claim."""
        return self.matching.matcher.is_claim(one, other)

    async def _load_model(self) -> None:
        self._feed.waits_for = "the reference data of epoch 1"
        state = await self._commands.wait_for(lambda state: state.ready_for_epoch(1))
        self._feed.waits_for = None
        sha256 = state.reference_for_epoch("model", 1)
        if sha256 is None:
            raise StopService("no model although all reference data are adopted", cause="reference")
        raw = await self._read_model(sha256)
        try:
            self._matching = Matching(Matcher(load_model(raw)), sha256)
        except ValueError:
            raise StopService(
                f"the adopted model {sha256} cannot be served by this version of the software",
                cause="reference",
            ) from None

    async def _read_model(self, sha256: str) -> bytes:
        waiting = self._metrics.reference_waiting.labels(kind="model")
        while True:
            try:
                raw = self._references.read("model", sha256)
                waiting.set(0)
                self._feed.waits_for = None
                return raw
            except MissingReference as missing:
                self._feed.waits_for = str(missing)
                waiting.set(1)
                structlog.get_logger().warning("waiting for a reference file", kind="model", sha256=sha256)
                await asyncio.sleep(self._runtime.backoff_max_s)

    async def _insert(self, record: Record) -> None:
        await self._turns.give()
        if self._read % FREEZE_EVERY == 0:
            gc.collect(1)
            gc.freeze()
        self._read += 1
        try:
            content = read(record)
        except UnreadableRecord as stopped:
            await self._skips.require(record, stopped)
            return
        if not isinstance(content, AcceptedRecord):
            return
        if content.version is not None:
            self.matching.matcher.insert(content.version)
        self._ledger.add(content.registration_id, appearance(content, record.timestamp))


def appearance(content: AcceptedRecord, accepted_at: int) -> Appearance:
    """What the ledger keeps of a record that was accepted at that time, in ms since 1970."""
    return Appearance(
        content.offset,
        content.epoch,
        content.digest,
        accepted_at,
        # There are 1,652 communes and some reasons: one text of each will do.
        intern(content.commune) if content.commune else None,
        intern(content.removal_reason) if content.removal_reason else None,
    )
