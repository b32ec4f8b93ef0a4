"""Settles a batch of capture events: effects, outputs acknowledged, progress; repeating it is harmless."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from services.registration.authority import UNKNOWN, Sender
from services.registration.batches import BatchChanges
from services.registration.domain import Accepted, Judgement, Rejected
from services.registration.fold import BatchFold, Position, slices
from services.registration.holdings import Holding, Holdings
from services.registration.intake import DeadLetter, Incoming, read
from services.registration.outcomes import Ended, Repeated, Result, Settled, Void, outcome_document
from services.registration.outputs import OutputBuilder
from services.registration.rebuild import Rebuild
from services.registration.references import References
from services.registration.store import Store
from shared.commands.marker_reader import MarkerReader
from shared.commands.markers import passed_marker
from shared.contracts.events import Marker
from shared.contracts.topics import Topic
from shared.process.budget import Budget
from shared.process.errors import NotYet
from shared.process.metrics import Metrics
from shared.runtime.dead_letters import dead_letter
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output, Record
from shared.runtime.rounds import rounds
from shared.store.progress import ProgressStore

SERVICE = "registration"
_MOST_TRIES = 20


@dataclass(frozen=True, slots=True)
class Parts:
    """What the handler works with."""

    store: Store
    progress: ProgressStore
    outputs: Outputs
    rejections: Outputs
    """Of rejections alone, which capture systems read: their compression is another."""
    rebuild: Rebuild
    markers: MarkerReader
    references: References
    holdings: Holdings
    metrics: Metrics
    budget: Budget


class RegistrationHandler:
    """Judges what comes in on `registration.events.v1`."""

    def __init__(self, register: str, partitions: int, parts: Parts) -> None:
        self._register = register
        self._partitions = partitions
        self._parts = parts
        self._build = OutputBuilder(register, partitions)

    async def assigned(self, committed: Mapping[int, int | None]) -> Mapping[int, int]:
        """Start at the stored progress; what lies below the committed offset is not sent again."""
        await self._parts.rebuild.begin()
        starts = await self._parts.progress.load(committed.keys())
        if await self._parts.rebuild.goes_on():
            await self._parts.store.doubt_owed()
        epochs = await self._parts.store.epochs(committed.keys())
        for partition, offset in committed.items():
            self._parts.holdings.take(partition, Holding(offset or 0, starts[partition], epochs[partition]))
        return starts

    async def revoked(self, partitions: Collection[int]) -> None:
        """Forget what is another process's now."""
        self._parts.progress.forget(partitions)
        self._parts.holdings.give_up(partitions)

    async def handle(self, batch: Sequence[Record]) -> None:
        """Settle `batch`. Raises TransientError while a server or reference data are away, StopService."""
        partitions = {record.partition for record in batch}
        held = self._parts.holdings.of(partitions)
        settled = await self._judge(batch, held)
        unsent = [each for each in settled if not held[each.record.partition].was_sent(each.record.offset)]
        await self._store(settled, held)
        await self._send(unsent)
        following = {record.partition: record.following for record in batch}
        await self._parts.progress.store(following)
        for partition, position in following.items():
            held[partition].position = position
        # Last, so that what is tried again is counted once.
        self._count(settled, unsent)

    async def _judge(self, batch: Sequence[Record], held: Mapping[int, Holding]) -> list[Settled]:
        """What became of each record. The registrations are stored, since their guard is part of judging."""
        read_records = [(record, read(record)) for record in batch]
        # Markers first: the epochs of what follows them depend on them.
        markers = [
            record
            for record, incoming in read_records
            if isinstance(incoming, Incoming) and incoming.is_marker
        ]
        ends: dict[tuple[int, int], Result] = {
            (record.partition, record.offset): _judge_marker(record, marker, held[record.partition])
            for record, marker in zip(markers, await self._parts.markers.valid(markers), strict=True)
        }
        events = [each for _, each in read_records if isinstance(each, Incoming) and not each.is_marker]
        judgements: dict[Position, Judgement] = {}
        senders: dict[Position, Sender] = {}
        for some in slices(events, self._parts.budget.registrations):
            fold = BatchFold(
                self._register,
                some,
                lambda partition, offset: held[partition].epochs.of(offset),
                self._parts.references.of_epoch,
                self._partitions,
            )
            await self._judge_events(fold, held.keys())
            judgements |= fold.judgements
            senders |= fold.senders
        results = {**judgements, **ends}
        return [
            Settled(record, None, each)
            if isinstance(each, DeadLetter)
            else Settled(
                record,
                each,
                results[record.partition, record.offset],
                senders.get((record.partition, record.offset), UNKNOWN).proven,
            )
            for record, each in read_records
        ]

    async def _judge_events(self, fold: BatchFold, partitions: Collection[int]) -> None:
        """Judge and store. Progress is checked between reading and writing: a store that was taken away
        before we read would have known registrations rejected as unknown."""
        store, progress = self._parts.store, self._parts.progress
        registrations = await store.registrations(fold.registration_ids)
        closes = await store.closes(fold.closed_batch_ids)
        await progress.check(partitions)
        changed = fold.judge(registrations, closes)
        for _ in range(_MOST_TRIES):
            lost = await store.save_registrations(changed)
            if not lost:
                return
            # Somebody else, paused or new to the partition, judged the same events; what they stored counts.
            registrations = await store.registrations(lost)
            await progress.check(partitions)
            changed = fold.judge_again(registrations)
        raise NotYet("others keep writing the same registrations")

    async def _store(self, settled: Sequence[Settled], held: Mapping[int, Holding]) -> None:
        store = self._parts.store
        changes = BatchChanges(self._register)
        for each in settled:
            if each.incoming is not None and isinstance(each.result, Judgement):
                sent = held[each.record.partition].was_sent(each.record.offset)
                changes.note(each.incoming, each.result, proven=each.proven, new=not sent)
        await store.change_batches(
            changes.by_id,
            lambda name: self._build.closes_in(name.encode()),
            self._parts.budget.capture_batches,
        )
        documents = (outcome_document(each) for each in settled)
        await store.save_outcomes([document for document in documents if document is not None])
        await store.end_epochs(
            [
                (each.record.partition, each.result.marker.epoch, each.record.offset)
                for each in settled
                if isinstance(each.result, Ended)
            ]
        )

    async def _send(self, unsent: Sequence[Settled]) -> None:
        ends = [each.result.marker for each in unsent if isinstance(each.result, Ended)]
        await self._parts.markers.wait_until_old(ends)
        outputs = [(self._output(each), isinstance(each.result, Ended)) for each in unsent]
        for each in rounds([(output, is_marker) for output, is_marker in outputs if output is not None]):
            answers = [output for output in each if output.topic == Topic.REJECTED]
            others = [output for output in each if output.topic != Topic.REJECTED]
            if others:
                await self._parts.outputs.send(others)
            if answers:
                await self._parts.rejections.send(answers)

    def _output(self, settled: Settled) -> Output | None:
        record, incoming, result = settled.record, settled.incoming, settled.result
        if isinstance(result, DeadLetter):
            return dead_letter(record, reason=result.reason, detail=result.detail, service=SERVICE)
        if isinstance(result, Ended):
            return passed_marker(record, Topic.ACCEPTED)
        if incoming is not None and isinstance(result, Accepted):
            return self._build.accepted(incoming, result)
        if incoming is not None and isinstance(result, Rejected):
            return self._build.rejected(incoming, result)
        return None

    def _count(self, settled: Sequence[Settled], sent: Sequence[Settled]) -> None:
        """What is settled again in a rebuild is no news: nobody is called for a dead letter of last year."""
        metrics = self._parts.metrics
        for each in settled:
            metrics.records.labels(outcome=each.outcome.value).inc()
        for each in sent:
            if isinstance(each.result, Rejected):
                metrics.rejections.labels(reason=each.result.reason.value).inc()
            elif isinstance(each.result, DeadLetter):
                metrics.dead_letters.labels(reason=each.result.reason).inc()


def _judge_marker(record: Record, marker: Marker | None, holding: Holding) -> Ended | Repeated | Void:
    """What a marker does in its partition, valid or not (None)."""
    if marker is None:
        holding.found_void(record)
        return Void()
    if marker.epoch < holding.epochs.of(record.offset):
        return Repeated(marker)
    holding.epochs.end(marker.epoch, record.offset)
    return Ended(marker)
