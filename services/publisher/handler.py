"""Keeps the roll, its claims and the ends of epochs from checked records."""

from collections.abc import Collection, Mapping, Sequence

import structlog
from pydantic import ValidationError

from services.publisher.editions import EditionStore
from services.publisher.finalise import Finaliser
from services.publisher.registrations import merge
from services.publisher.store import EpochEnd, RollStore
from shared.commands.marker_reader import MarkerReader
from shared.commands.markers import is_marker
from shared.commands.skips import Skips
from shared.commands.state import PairKey
from shared.contracts.cloudevents import header
from shared.contracts.events import Marker
from shared.contracts.identity import ordered_pair
from shared.contracts.outputs import Checked, FurtherClaims, Outcome, OutputType
from shared.process.budget import Budget
from shared.process.errors import UnreadableRecord
from shared.process.metrics import SKIPPED, Metrics
from shared.runtime.record import Record
from shared.runtime.turns import Turns
from shared.store.progress import ProgressStore

_log = structlog.get_logger()

JUDGING_PARTITION = 0
"""The process that holds this partition judges."""


class PublisherHandler:
    """Order of a batch: progress checked, roll and claims stored, then ends of epochs, then progress.

    The end of an epoch in a partition is stored only after every record before it.
    """

    def __init__(
        self,
        roll: RollStore,
        editions: EditionStore,
        finaliser: Finaliser,
        markers: MarkerReader,
        skips: Skips,
        progress: ProgressStore,
        metrics: Metrics,
        budget: Budget,
    ) -> None:
        self._roll = roll
        self._editions = editions
        self._finaliser = finaliser
        self._markers = markers
        self._skips = skips
        self._progress = progress
        self._metrics = metrics
        self._budget = budget

    async def assigned(self, committed: Mapping[int, int | None]) -> Mapping[int, int]:
        """Start at the stored progress."""
        starts = await self._progress.load(committed)
        if JUDGING_PARTITION in committed:
            self._finaliser.hold(True)
        return starts

    async def revoked(self, partitions: Collection[int]) -> None:
        """Another process may judge from now on."""
        self._progress.forget(partitions)
        if JUDGING_PARTITION in partitions:
            self._finaliser.hold(False)

    async def handle(self, batch: Sequence[Record]) -> None:
        """Settle the batch; repeating it is harmless."""
        markers = [record for record in batch if is_marker(record)]
        ends = _valid(markers, await self._markers.valid(markers))
        await self._progress.check({record.partition for record in batch})
        checked: dict[str, list[Checked]] = {}
        claims: dict[PairKey, int] = {}
        turns, skipped = Turns(), 0
        for record in batch:
            await turns.give()
            if is_marker(record):
                continue
            try:
                content = read(record)
            except UnreadableRecord as stopped:
                await self._skips.require(record, stopped)
                skipped += 1
                continue
            claims.update(_claims(content))
            if len(claims) >= self._budget.claims:  # a batch of records with 500 each has 250,000
                await self._roll.add_claims(claims)
                claims.clear()
            if isinstance(content, Checked):
                # Without its claims, of which 500 are 2 MB once they are parsed.
                bare = content.model_copy(update={"claims": []})
                checked.setdefault(content.registration_id, []).append(bare)
                if len(checked) >= self._budget.registrations:
                    await self._store(checked)
                    checked.clear()
        await self._store(checked)
        await self._roll.add_claims(claims)
        if ends:
            await self._roll.end_epochs(ends)
            self._finaliser.wake()
        await self._progress.store({record.partition: record.following for record in batch})
        for outcome, number in (
            (Outcome.MARKER.value, len(ends)),
            (Outcome.VOID_MARKER.value, len(markers) - len(ends)),
            (Outcome.ACCEPTED.value, len(batch) - len(markers) - skipped),
            (SKIPPED, skipped),
        ):
            self._metrics.records.labels(outcome=outcome).inc(number)

    async def _store(self, checked: Mapping[str, Sequence[Checked]]) -> None:
        floor = await self._editions.newest_epoch()
        known = await self._roll.documents(list(checked))
        merged = (merge(known.get(each), records, floor) for each, records in checked.items())
        await self._roll.save([document for document in merged if document is not None])


def read(record: Record) -> Checked | FurtherClaims:
    """Read a record of `registration.checked.v1`.

    Raises UnreadableRecord: it is our own topic, and a skipped record would make an epoch falsely complete.
    """
    try:
        if record.fault is not None or record.value is None:
            raise ValueError(record.fault)
        if header(record.headers, "ce_type") == OutputType.CLAIMS.encode():
            return FurtherClaims.model_validate_json(record.value)
        return Checked.model_validate_json(record.value)
    except (ValueError, ValidationError):
        raise UnreadableRecord(record.place, "no checked record") from None


def _valid(records: Sequence[Record], markers: Sequence[Marker | None]) -> list[EpochEnd]:
    """The markers that count; dedup passes no other on, so a stranger wrote one."""
    ends: list[EpochEnd] = []
    for record, marker in zip(records, markers, strict=True):
        if marker is None:
            _log.warning("void marker", topic=record.topic, partition=record.partition, offset=record.offset)
        else:
            ends.append(EpochEnd(record.partition, marker.epoch, record.offset))
    return ends


def _claims(record: Checked | FurtherClaims) -> dict[PairKey, int]:
    mine = (record.registration_id, record.digest)
    return {
        ordered_pair(mine, (claim.other.registration_id, claim.other.digest)): claim.epoch
        for claim in record.claims
    }
