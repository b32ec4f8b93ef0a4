"""Scores a batch of accepted records and passes them on with their claims; repeating it is harmless."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import structlog

from matching.matcher import Claim
from services.dedup.feed import IndexFeed
from services.dedup.keeper import ConflictKeeper, Pair
from services.dedup.records import (
    AcceptedRecord,
    MarkerRecord,
    checked_output,
    claim_facts,
    read,
)
from shared.commands.marker_reader import MarkerReader
from shared.commands.markers import passed_marker
from shared.contracts.identity import ordered_pair
from shared.contracts.outputs import Outcome
from shared.contracts.topics import Topic
from shared.process.metrics import Metrics
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output, Record
from shared.runtime.rounds import rounds
from shared.store.progress import ProgressStore

CATCH_UP_SECONDS = 20.0
"""Longest wait of a batch for the index feed; then it is given back and tried again."""


_log = structlog.get_logger()


class DedupHandler:
    """A batch: progress checked, index complete, conflicts stored, outputs acknowledged, progress stored."""

    def __init__(
        self,
        feed: IndexFeed,
        keeper: ConflictKeeper,
        markers: MarkerReader,
        progress: ProgressStore,
        outputs: Outputs,
        metrics: Metrics,
    ) -> None:
        self._feed = feed
        self._keeper = keeper
        self._markers = markers
        self._progress = progress
        self._outputs = outputs
        self._metrics = metrics
        self._committed: dict[int, int] = {}

    async def assigned(self, committed: Mapping[int, int | None]) -> Mapping[int, int]:
        """Start at the stored progress; what lies below the committed offset is not sent again."""
        self._committed.update({partition: offset or 0 for partition, offset in committed.items()})
        return await self._progress.load(committed.keys())

    async def revoked(self, partitions: Collection[int]) -> None:
        """Forget what is another process's now."""
        self._progress.forget(partitions)

    async def handle(self, batch: Sequence[Record]) -> None:
        """Settle the batch. Raises TransientError while a server is away or the feed behind, StopService."""
        await self._progress.check({record.partition for record in batch})
        contents = [read(record) for record in batch]
        void = await self._void_markers(batch, contents)
        await self._feed.catch_up(CATCH_UP_SECONDS)
        claims = self._claims(contents)
        await self._keeper.found(self._facts(contents, claims))
        await self._keeper.changed(
            [content.registration_id for content in contents if isinstance(content, AcceptedRecord)]
        )
        outputs = [
            self._output(record, content, found)
            for record, content, found in zip(batch, contents, claims, strict=True)
            if record.offset >= self._committed.get(record.partition, 0) and record not in void
        ]
        for wave in rounds(outputs):
            await self._outputs.send(wave)
        await self._progress.store({record.partition: record.offset + 1 for record in batch})
        self._count(batch, contents, void)

    async def _void_markers(
        self, batch: Sequence[Record], contents: Sequence[AcceptedRecord | MarkerRecord]
    ) -> list[Record]:
        """The markers that do not count: registration passes none of them on, so a stranger wrote here."""
        markers = [
            record
            for record, content in zip(batch, contents, strict=True)
            if isinstance(content, MarkerRecord)
        ]
        verdicts = zip(markers, await self._markers.valid(markers), strict=True)
        void = [record for record, marker in verdicts if marker is None]
        for record in void:
            _log.warning("void marker", topic=record.topic, partition=record.partition, offset=record.offset)
        return void

    def _claims(self, contents: Sequence[AcceptedRecord | MarkerRecord]) -> list[Sequence[Claim]]:
        """The claims of each record; a removal has none of its own: what it leaves has been scored."""
        versions = {
            at: content.version
            for at, content in enumerate(contents)
            if isinstance(content, AcceptedRecord) and content.version is not None
        }
        found = self._feed.matching.matcher.claims_of(list(versions.values()))
        claims = dict(zip(versions, found, strict=True))
        return [claims.get(at, ()) for at in range(len(contents))]

    def _facts(
        self, contents: Sequence[AcceptedRecord | MarkerRecord], claims: Sequence[Sequence[Claim]]
    ) -> dict[Pair, dict[str, Any]]:
        return {
            ordered_pair((content.registration_id, content.digest), (claim.registration_id, claim.digest)): (
                claim_facts(claim, self._feed.matching.model)
            )
            for content, found in zip(contents, claims, strict=True)
            if isinstance(content, AcceptedRecord)
            for claim in found
        }

    def _output(
        self, record: Record, content: AcceptedRecord | MarkerRecord, claims: Sequence[Claim]
    ) -> tuple[Output, bool]:
        if isinstance(content, MarkerRecord):
            return passed_marker(record, Topic.CHECKED), True
        return checked_output(record, content, claims, self._feed.matching.model), False

    def _count(
        self,
        batch: Sequence[Record],
        contents: Sequence[AcceptedRecord | MarkerRecord],
        void: Sequence[Record],
    ) -> None:
        now = time.time()
        for record, content in zip(batch, contents, strict=True):
            if isinstance(content, MarkerRecord):
                outcome = Outcome.VOID_MARKER if record in void else Outcome.MARKER
                self._metrics.records.labels(outcome=outcome.value).inc()
                continue
            self._metrics.records.labels(outcome=Outcome.ACCEPTED.value).inc()
            if record.offset >= self._committed.get(record.partition, 0):
                self._metrics.capture_to_checked_seconds.observe(max(0.0, now - content.event_time / 1000))
