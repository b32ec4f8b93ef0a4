"""A paused process that wakes up, and others that write at the same moment, leave what is right."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, cast

import pytest

from services.registration.batches import Batch
from services.registration.fold import BatchFold
from services.registration.handler import Parts, RegistrationHandler
from services.registration.holdings import Holding, Holdings
from services.registration.markers import Epochs
from services.registration.outputs import OutputBuilder
from services.registration.rebuild import Rebuild
from services.registration.receipts import ReceiptSender
from services.registration.registrations import Registration
from services.registration.store import Store
from shared.commands.marker_reader import MarkerReader
from shared.contracts.events import EventType as Type
from shared.contracts.topics import Topic
from shared.process.budget import Budget
from shared.process.errors import TransientError
from shared.process.metrics import Metrics
from shared.process.settings import MongoSettings
from shared.runtime.record import Output, Record
from shared.store.mongo import Mongo
from tests.kit.registration_kit import (
    PARTITIONS,
    REFERENCE,
    REGISTER,
    REGISTRATION,
    batch_closed,
    event,
    incoming,
    registration,
)
from tests.kit.registration_register import values

BATCH = "D-0042/D-0042-20261020-1"


@pytest.fixture
async def mongo(engines: Any) -> AsyncIterator[Mongo]:
    database = f"t-{uuid.uuid4().hex[:12]}"
    made = Mongo(MongoSettings.model_validate({"uri": engines.mongo_uri, "database": database}), "test")
    yield made
    made.close()


class Fakes:
    """A handler on a real store; topics, commands and progress are kept here."""

    def __init__(self, mongo: Mongo, store: Store | None = None) -> None:
        self.sent: list[Output] = []
        self.before_send: Callable[[Sequence[Output]], Awaitable[None]] | None = None
        self.metrics = Metrics("registration")
        self.holdings = Holdings()
        for partition in range(PARTITIONS):
            self.holdings.take(partition, Holding(0, 0, Epochs()))
        parts = Parts(
            store=store or Store(mongo),
            progress=cast(Any, self),
            outputs=cast(Any, self),
            rejections=cast(Any, self),
            rebuild=Rebuild(cast(Any, self), self.committed),
            markers=MarkerReader(cast(Any, None), cast(Any, None)),
            references=cast(Any, self),
            holdings=self.holdings,
            metrics=self.metrics,
            budget=Budget(),
        )
        self.handler = RegistrationHandler(REGISTER, PARTITIONS, parts)
        self.sender = ReceiptSender(
            parts.store,
            cast(Any, self),
            parts.rebuild,
            self.holdings,
            OutputBuilder(REGISTER, PARTITIONS),
            cast(Any, self),
            self.read_receipts,
            self.metrics,
            Budget(),
        )

    async def committed(self) -> dict[int, int]:
        return {}

    async def read_receipts(self) -> AsyncIterator[Record]:
        for each in list(self.sent):
            if each.topic == Topic.RECEIPTS:
                yield Record(each.topic, each.partition, 0, 0, each.key, each.value, ())

    async def check(self, _partitions: object) -> None:
        return

    async def store(self, _following: object) -> None:
        return

    def of_epoch(self, _epoch: int) -> object:
        return REFERENCE

    async def send(self, outputs: Sequence[Output]) -> None:
        if self.before_send is not None:
            await self.before_send(outputs)
        self.sent += outputs

    def receipts(self) -> list[dict[str, Any]]:
        sent = [output for output in self.sent if output.topic == Topic.RECEIPTS]
        return values([Record(each.topic, 0, 0, 0, each.key, each.value, ()) for each in sent])


def revision(number: int, offset: int) -> Record:
    return event(
        Type.CORRECTED if number > 1 else Type.REGISTERED,
        registration(revision=number, capture__batch="D-0042-other"),
        event_id=f"e-{number}",
        offset=offset,
    )


def judged(registrations: dict[str, Registration], *records: Record) -> tuple[BatchFold, list[Registration]]:
    fold = BatchFold(
        REGISTER, [incoming(each) for each in records], lambda *_: 1, lambda _: REFERENCE, PARTITIONS
    )
    return fold, fold.judge(registrations, {})


async def receipt_of(mongo: Mongo) -> dict[str, Any]:
    found = Batch.of((await stored(mongo, "capture_batches"))[BATCH]).receipt()
    assert found is not None
    return found


async def stored(mongo: Mongo, collection: str) -> dict[str, Any]:
    return {each["_id"]: each for each in await mongo.collection(collection).find().to_list(None)}


async def test_a_writer_who_read_before_another_wrote_loses_its_guard_and_judges_again(mongo: Mongo) -> None:
    store = Store(mongo)
    log = [revision(1, 0), revision(2, 1), revision(3, 2)]
    stale = await store.registrations([REGISTRATION])
    _, changed = judged(await store.registrations([REGISTRATION]), *log)
    assert await store.save_registrations(changed) == []
    written = await stored(mongo, "registrations")

    fold, changed = judged(stale, *log[:2])
    first = dict(fold.judgements)
    assert await store.save_registrations(changed) == [REGISTRATION]
    assert fold.judge_again(await store.registrations([REGISTRATION])) == []
    assert fold.judgements == first
    assert await stored(mongo, "registrations") == written
    assert len(written[REGISTRATION]["history"]) == 3


async def test_a_writer_whose_guard_holds_adds_to_what_is_there(mongo: Mongo) -> None:
    store = Store(mongo)
    for record in (revision(1, 0), revision(2, 1)):
        _, changed = judged(await store.registrations([REGISTRATION]), record)
        assert await store.save_registrations(changed) == []
    written = (await stored(mongo, "registrations"))[REGISTRATION]
    assert (written["revision"], written["last_offset"], len(written["history"])) == (2, 1, 2)


async def test_a_paused_handler_that_wakes_up_in_mid_batch_changes_nothing(mongo: Mongo) -> None:
    class Paused(Store):
        """Lets another process settle everything between its reading and its writing."""

        async def save_registrations(self, registrations: Sequence[Registration]) -> list[str]:
            if not other.sent:
                await other.handler.handle(log)
            return await super().save_registrations(registrations)

    log = [revision(1, 0), revision(2, 1), revision(5, 2), revision(4, 3)]
    other, paused = Fakes(mongo), Fakes(mongo, Paused(mongo))
    await paused.handler.handle(log[:2])
    written = (await stored(mongo, "registrations"))[REGISTRATION]
    assert [version["offset"] for version in written["history"]] == [0, 1, 2]
    assert [each.value for each in paused.sent] == [each.value for each in other.sent[:2]]
    assert list(await stored(mongo, "outcomes")) == [f"{log[3].partition}/3"]


async def test_a_change_while_a_receipt_is_under_way_has_a_receipt_of_its_own(mongo: Mongo) -> None:
    this, other = Fakes(mongo), Fakes(mongo)

    async def interfere(_outputs: Sequence[Output]) -> None:
        if not other.sent:
            await other.handler.handle([event(Type.REGISTERED, registration(capture__sequence=2))])

    await this.handler.handle([event(Type.BATCH_CLOSED, batch_closed(), event_id="c")])
    this.before_send = interfere
    await this.sender.send_owed()
    await this.sender.send_owed()
    await this.sender.send_owed()
    assert [each["received"] for each in this.receipts()] == [0, 1]
    batch = (await stored(mongo, "capture_batches"))[BATCH]
    assert (batch["received"], batch["missing"], batch["owed"]) == ([2], [[1, 1], [3, 3]], None)


async def test_of_four_who_add_to_one_batch_at_the_same_moment_nothing_is_lost(mongo: Mongo) -> None:
    async def settle(numbers: range) -> None:
        handler = Fakes(mongo).handler
        for number in numbers:
            data = registration(registration_id=f"R-{number}", capture__sequence=number)
            await handler.handle([event(Type.REGISTERED, data)])

    await asyncio.gather(*(settle(range(process, 40, 4)) for process in range(4)))
    batch = (await stored(mongo, "capture_batches"))[BATCH]
    assert batch["received"] == list(range(40))
    assert len(batch["arrivals"]) == 40 * 34


async def test_a_receipt_that_was_not_acknowledged_is_sent_at_the_next_look(mongo: Mongo) -> None:
    this = Fakes(mongo)

    async def away(_outputs: Sequence[Output]) -> None:
        raise TransientError("no broker answers")

    await this.handler.handle([event(Type.BATCH_CLOSED, batch_closed(), event_id="c")])
    this.before_send = away
    with pytest.raises(TransientError):
        await this.sender.send_owed()
    this.before_send = None
    await this.sender.send_owed()
    await this.sender.send_owed()
    assert len(this.receipts()) == 1
    assert len((await stored(mongo, "capture_batches"))[BATCH]["closes"]) == 1


async def test_a_batch_that_outlasted_its_partition_is_not_settled(mongo: Mongo) -> None:
    this = Fakes(mongo)
    this.holdings.give_up(range(PARTITIONS))
    with pytest.raises(TransientError):
        await this.handler.handle([revision(1, 0)])
    assert not await stored(mongo, "registrations")


async def test_outputs_below_the_committed_offset_are_not_sent_again(mongo: Mongo) -> None:
    this = Fakes(mongo)
    log = [revision(1, 0), revision(2, 1), event(Type.BATCH_CLOSED, batch_closed(), event_id="c")]
    for record in log:
        this.holdings.take(record.partition, Holding(1, 0, Epochs()))
    await this.handler.handle(log)
    this.sent.append(OutputBuilder(REGISTER, PARTITIONS).receipt(await receipt_of(mongo)))
    before = list(this.sent)
    await this.sender.send_owed()
    assert this.sent == before
    assert [output.topic for output in this.sent] == [Topic.ACCEPTED, Topic.RECEIPTS]
    assert (await stored(mongo, "capture_batches"))[BATCH]["count"] == 3
