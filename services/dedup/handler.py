"""Scores accepted records and passes them on with their claims; repeating it is harmless.

A batch of 500 records may have millions of claims. So it is settled in parts: each with its conflicts stored,
its outputs acknowledged, its progress stored; and what is left after some seconds is given back, to be read
again. Matching and writing go on in small steps, between which the event loop has its turn.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from matching.index import PAIRS_AT_ONCE
from matching.matcher import Candidates, Claim
from services.dedup.claims import NamedClaim, claim_facts, named
from services.dedup.feed import IndexFeed
from services.dedup.keeper import ConflictKeeper
from services.dedup.records import AcceptedRecord, MarkerRecord, SkippedRecord, checked_outputs, read
from services.dedup.schedule import fair_order
from shared.commands.marker_reader import MarkerReader
from shared.commands.markers import passed_marker
from shared.commands.skips import Skips
from shared.contracts.outputs import Outcome
from shared.contracts.topics import Topic
from shared.process.budget import Budget
from shared.process.errors import UnreadableRecord
from shared.process.metrics import SKIPPED, Metrics
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output, Record
from shared.runtime.turns import Turns
from shared.store.progress import ProgressStore

CATCH_UP_SECONDS = 20.0
"""Longest wait of a batch for the index feed; then it is given back and tried again."""

SETTLE_SECONDS = 10.0
"""How long a batch is worked on before the rest is given back; the part in hand comes on top."""

PART_SECONDS = 2.0
"""A part ends with the record that brings it to the claims of the budget, or that is done after so long."""

LOOKED_UP = 64
"""Records looked up in the index before the event loop has its turn: some 3 ms."""


_log = structlog.get_logger()


@dataclass(slots=True)
class Work:
    """A record in the batch, what is worth comparing with it, and its claims so far.

    `is_void`: it is a marker that does not count.
    """

    record: Record
    content: AcceptedRecord | MarkerRecord | SkippedRecord
    is_void: bool = False
    candidates: Candidates | None = None
    claims: list[NamedClaim] = field(default_factory=list)

    def add(self, claim: Claim) -> None:
        """One more claim of the record's version."""
        if isinstance(self.content, AcceptedRecord):
            self.claims.append(named((self.content.registration_id, self.content.digest), claim))

    @property
    def takes_long(self) -> bool:
        """Whether it is compared with more than fits one step."""
        return self.candidates is not None and self.candidates.count > PAIRS_AT_ONCE


class DedupHandler:
    """Index complete; then of each part: progress checked, conflicts stored, outputs acknowledged, progress
    stored."""

    def __init__(
        self,
        feed: IndexFeed,
        keeper: ConflictKeeper,
        markers: MarkerReader,
        skips: Skips,
        progress: ProgressStore,
        outputs: Outputs,
        metrics: Metrics,
        budget: Budget,
    ) -> None:
        self._feed = feed
        self._keeper = keeper
        self._markers = markers
        self._skips = skips
        self._progress = progress
        self._outputs = outputs
        self._metrics = metrics
        self._budget = budget
        self._committed: dict[int, int] = {}
        self._turns = Turns()

    async def assigned(self, committed: Mapping[int, int | None]) -> Mapping[int, int]:
        """Start at the stored progress; what lies below the committed offset is not sent again."""
        self._committed.update({partition: offset or 0 for partition, offset in committed.items()})
        return await self._progress.load(committed.keys())

    async def revoked(self, partitions: Collection[int]) -> None:
        """Forget what is another process's now."""
        self._progress.forget(partitions)

    async def handle(self, batch: Sequence[Record]) -> Sequence[Record]:
        """Settle the batch, or as much of it as goes in some seconds; answers what is left.

        Raises TransientError while a server is away or the feed behind, StopService.
        """
        works = [Work(record, await self._read(record)) for record in batch]
        await self._find_void([work for work in works if isinstance(work.content, MarkerRecord)])
        await self._feed.catch_up(CATCH_UP_SECONDS)
        await self._look_up(works)
        order = fair_order([(work.record.partition, work.takes_long) for work in works])
        return await self._settle([works[place] for place in order])

    async def _read(self, record: Record) -> AcceptedRecord | MarkerRecord | SkippedRecord:
        await self._turns.give()
        try:
            return read(record)
        except UnreadableRecord as stopped:
            await self._skips.require(record, stopped)
            return SkippedRecord()

    async def _find_void(self, markers: Sequence[Work]) -> None:
        """Markers that do not count: registration passes none of them on, so a stranger wrote here."""
        verdicts = await self._markers.valid([work.record for work in markers])
        for work, marker in zip(markers, verdicts, strict=True):
            if marker is None:
                work.is_void = True
                record = work.record
                _log.warning(
                    "void marker", topic=record.topic, partition=record.partition, offset=record.offset
                )

    async def _look_up(self, works: Sequence[Work]) -> None:
        """Find what is worth comparing. A removal has no claims: what it leaves has been scored."""
        scored = [
            (work, work.content.version)
            for work in works
            if isinstance(work.content, AcceptedRecord) and work.content.version is not None
        ]
        for start in range(0, len(scored), LOOKED_UP):
            some = scored[start : start + LOOKED_UP]
            found = self._feed.matching.matcher.look_up([version for _, version in some])
            for (work, _), candidates in zip(some, found, strict=True):
                work.candidates = candidates
            await self._turns.give()

    async def _settle(self, works: Sequence[Work]) -> list[Record]:
        """Settle in this order, part by part; answers what is left."""
        started = part_started = time.monotonic()
        places = [place for place, work in enumerate(works) if work.candidates is not None]
        candidates = [work.candidates for work in works if work.candidates is not None]
        settled = 0
        for step in self._feed.matching.matcher.claims(candidates):
            done = places[step.done]
            full = sum(len(work.claims) for work in works[settled:done]) >= self._budget.claims
            if settled < done and (full or time.monotonic() - part_started >= PART_SECONDS):
                await self._settle_part(works[settled:done])
                settled, part_started = done, time.monotonic()
                if part_started - started >= SETTLE_SECONDS:
                    break
            for at, claim in step.claims:
                works[places[at]].add(claim)
            await self._turns.give()
        else:
            await self._settle_part(works[settled:])
            settled = len(works)
        return [work.record for work in works[settled:]]

    async def _settle_part(self, works: Sequence[Work]) -> None:
        # The store may have been dropped since the part before.
        await self._progress.check({work.record.partition for work in works})
        model = self._feed.matching.model
        await self._keeper.found(
            (each.pair, claim_facts(each.claim, model)) for work in works for each in work.claims
        )
        await self._keeper.changed(
            [work.content.registration_id for work in works if isinstance(work.content, AcceptedRecord)]
        )
        for outputs in _sends(self._outputs_of(works), self._budget.outputs_bytes):
            await self._outputs.send(outputs)
        await self._progress.store({work.record.partition: work.record.following for work in works})
        self._count(works)
        for work in works:
            work.claims.clear()

    def _outputs_of(self, works: Sequence[Work]) -> Iterator[tuple[Output, bool]]:
        """What is to be sent, each told whether it is a marker."""
        for work in works:
            if work.is_void or isinstance(work.content, SkippedRecord) or not self._is_new(work):
                continue
            if isinstance(work.content, MarkerRecord):
                yield passed_marker(work.record, Topic.CHECKED), True
                continue
            model = self._feed.matching.model
            for output in checked_outputs(work.record, work.content, work.claims, model):
                yield output, False

    def _is_new(self, work: Work) -> bool:
        """Whether nothing of it was acknowledged yet, as far as the group knows."""
        return work.record.offset >= self._committed.get(work.record.partition, 0)

    def _count(self, works: Sequence[Work]) -> None:
        now = time.time()
        for work in works:
            if isinstance(work.content, SkippedRecord):
                self._metrics.records.labels(outcome=SKIPPED).inc()
                continue
            if isinstance(work.content, MarkerRecord):
                outcome = Outcome.VOID_MARKER if work.is_void else Outcome.MARKER
                self._metrics.records.labels(outcome=outcome.value).inc()
                continue
            self._metrics.records.labels(outcome=Outcome.ACCEPTED.value).inc()
            if self._is_new(work):
                self._metrics.capture_to_checked_seconds.observe(
                    max(0.0, now - work.content.event_time / 1000)
                )


def _sends(outputs: Iterable[tuple[Output, bool]], most_bytes: int) -> Iterator[list[Output]]:
    """What to send at a time, each to be acknowledged before the next: no more than `most_bytes` and one
    output; a marker alone.

    With an idempotent producer on Apache Kafka five failed outputs were followed by an acknowledged marker.
    """
    together: list[Output] = []
    size = 0
    for output, is_marker in outputs:
        if together and (is_marker or size >= most_bytes):
            yield together
            together, size = [], 0
        if is_marker:
            yield [output]
        else:
            together.append(output)
            size += len(output.value or b"")
    if together:
        yield together
