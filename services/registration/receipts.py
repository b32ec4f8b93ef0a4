"""Sends the receipts that are owed for the capture batches of the partitions that this process holds."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

import structlog

from services.registration.batches import Batch
from services.registration.holdings import Holdings
from services.registration.outputs import OutputBuilder
from services.registration.rebuild import Rebuild
from services.registration.store import Store
from shared.process.budget import Budget
from shared.process.logging import describe
from shared.process.metrics import Metrics
from shared.runtime.outages import is_outage
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output, Record
from shared.store.progress import ProgressStore

LOOK_EVERY_S = 1.0
"""A batch has at most one receipt in this time, however often it changes."""
COUNT_EVERY_S = 30.0
"""How often incomplete batches are counted: nobody acts on them within seconds."""

ReadReceipts = Callable[[], AsyncIterator[Record]]
"""Reads the whole topic of receipts as it is now."""


class ReceiptSender:
    """Runs beside the consumer, which only notes in the store which receipts are owed.

    One process sends those of a batch, whoever judges its events: the one that holds the partition of its
    closes. A process that was paused may send an old receipt after another's; the batch then owes one more.
    While a store is rebuilt nothing is sent, since a batch may lack what has not been read again. After it a
    receipt is sent only if the last one on the topic says something else.
    """

    name = "receipts"

    def __init__(
        self,
        store: Store,
        progress: ProgressStore,
        rebuild: Rebuild,
        holdings: Holdings,
        build: OutputBuilder,
        outputs: Outputs,
        read_receipts: ReadReceipts,
        metrics: Metrics,
        budget: Budget,
    ) -> None:
        self._store = store
        self._progress = progress
        self._rebuild = rebuild
        self._holdings = holdings
        self._build = build
        self._outputs = outputs
        self._read_receipts = read_receipts
        self._metrics = metrics
        self._budget = budget
        self._count_again = 0.0
        self._log = structlog.get_logger()

    async def ready(self) -> None:
        """Nothing to wait for."""

    async def run(self) -> None:
        """Send what is owed until cancelled. Raises StopService if the store was taken away."""
        while True:
            try:
                await self.send_owed()
            except Exception as error:
                if not is_outage(error):
                    raise
                self._log.warning("receipts not sent", **describe(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def send_owed(self) -> None:
        """Send each receipt that is owed now, once.

        Raises TransientError if one was not acknowledged, or a partition is another process's by now; the
        next call sends it again. Raises StopService if the store was taken away.
        """
        held = self._holdings.all().keys()
        if not held:
            return
        self._metrics.receipts_owed.set(await self._store.count_owed(held))
        if time.monotonic() >= self._count_again:
            self._metrics.batches_incomplete.set(await self._store.count_incomplete(held))
            self._count_again = time.monotonic() + COUNT_EVERY_S
        if await self._rebuild.goes_on():
            return
        last: Mapping[bytes, bytes] | None = None
        after = ""
        while batches := await self._store.owed(held, after, self._budget.capture_batches):
            after = batches[-1].id
            await self._progress.check(held)
            if last is None and any(batch.owed == "check" for batch in batches):
                last = await self._last_receipts(held)
            await self._outputs.send(self._receipts(batches, last or {}))
            await self._store.receipts_sent(batches)
        self._metrics.receipts_owed.set(0)

    def _receipts(self, batches: Sequence[Batch], last: Mapping[bytes, bytes]) -> list[Output]:
        """Those of the receipts that say something new."""
        outputs: list[Output] = []
        for batch in batches:
            receipt = batch.receipt()
            if receipt is not None:
                output = self._build.receipt(receipt)
                if batch.owed == "new" or last.get(output.key or b"") != _hash(output.value):
                    outputs.append(output)
        return outputs

    async def _last_receipts(self, partitions: Collection[int]) -> dict[bytes, bytes]:
        """The hash of the last receipt on the topic, by key, of the batches of these partitions."""
        found: dict[bytes, bytes] = {}
        async for record in self._read_receipts():
            if record.key and self._build.closes_in(record.key) in partitions:
                found[record.key] = _hash(record.value)
        return found


def _hash(value: bytes | None) -> bytes:
    return hashlib.sha256(value or b"").digest()
