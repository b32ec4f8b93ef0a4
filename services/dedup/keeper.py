"""Keeps the conflicts in MongoDB true to the claims, the versions and the commands."""

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

import structlog

from services.dedup.claims import Pair
from services.dedup.conflicts import Conflict, judge
from services.dedup.feed import IndexFeed
from services.dedup.ledger import Ledger
from services.dedup.rulings import Ids, Rulings, ids_of
from services.dedup.store import ConflictStore
from shared.commands.feed import CommandFeed
from shared.process.budget import Budget
from shared.process.errors import NotYet
from shared.process.metrics import Metrics
from shared.runtime.outages import is_outage
from shared.runtime.turns import Turns

Facts = Mapping[str, Any]

POLL_SECONDS = 2.0
"""How often to look whether a roll was finalised: conflicts of versions that it left behind become void."""

ATTEMPTS = 5
"""How often conflicts are computed anew before a batch is given back."""

READ_ON_SECONDS = 10.0
"""Longest wait for the feeds while conflicts are computed anew."""

_REPORTED: Facts = {
    "class": "reported",
    "probability": None,
    "weight": None,
    "evidence": [],
    "model": None,
    "epoch": None,
}
"""What is said of a pair that officers decided on, on these versions or on earlier ones, and no claim is
known of."""

_log = structlog.get_logger()


class ConflictKeeper:
    """The only writer of conflicts: it computes each from what this process knows and never only sets it.

    Between computing and storing, another process may have taken a newer version of a registration, and found
    no conflict yet that it had to compute anew. So after each storing the feed reads on, and what has become
    different is stored again: whichever of the two comes second sees the other.
    """

    name = "conflicts"

    def __init__(
        self,
        store: ConflictStore,
        ledger: Ledger,
        feed: IndexFeed,
        commands: CommandFeed,
        metrics: Metrics,
        budget: Budget,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._feed = feed
        self._commands = commands
        self._metrics = metrics
        self._budget = budget
        self._finalised = 0
        self._swept = 0  # the newest finalised epoch for which every conflict was computed anew
        self._rulings = Rulings(commands.state.decision_log, ledger)
        self._turns = Turns()

    async def found(self, claims: Iterable[tuple[Pair, Facts]]) -> None:
        """Store the conflicts of claims, with what the matching says of each, some at a time."""
        chunk: dict[Pair, Facts] = {}
        for pair, facts in claims:
            chunk[pair] = facts
            if len(chunk) == self._budget.conflicts:
                await self._save(chunk, claimed=True)
                chunk = {}
        await self._save(chunk, claimed=True)

    async def changed(self, registration_ids: Sequence[str]) -> None:
        """Compute the conflicts of these registrations anew, since each of them has a new version."""
        ids = [
            each
            for each in dict.fromkeys(registration_ids)
            if self._ledger.changed(each) or self._rulings.names(each)
        ]
        if ids:
            await self._recompute_all(
                self._store.of_registrations(ids),
                (
                    (min(each, other), max(each, other))
                    for each in ids
                    for other in self._rulings.partners(each)
                ),
            )

    async def recompute(self, pairs: AsyncIterable[Pair]) -> None:
        """Compute these conflicts anew; a pair that has none opens one of class `reported`."""
        chunk: dict[Pair, Facts] = {}
        async for pair in pairs:
            chunk[pair] = _REPORTED
            if len(chunk) == self._budget.conflicts:
                await self._save(chunk, claimed=False)
                chunk = {}
        await self._save(chunk, claimed=False)

    async def _recompute_all(self, pairs: AsyncIterable[Pair], persons: Iterable[Ids]) -> None:
        """Compute these conflicts anew, and then those of every pair of versions of `persons`.

        The latter are asked for, lazily, when the former are stored and all is read that was there by then.
        So of two processes, one with a new version and one with a new decision, whichever is second has both:
        it meets the other's conflict, or reads its record.
        """
        await self.recompute(pairs)
        await self.recompute(
            _each(
                ((one, digest), (other, other_digest))
                for one, other in persons
                for digest in self._ledger.digests(one)
                for other_digest in self._ledger.digests(other)
            )
        )

    async def ready(self) -> None:
        """Nothing waits for conflicts of the past: `run` catches up beside the batches."""

    async def run(self) -> None:
        """Follow decisions and finalised rolls for ever. An outage is waited out."""
        followed, loaded = 0, False
        while True:
            try:
                if not loaded:  # what is not read yet would make conflicts void
                    await self._feed.ready()
                    loaded = True
                followed = await self._follow(followed)
                await self._show_open()
            except Exception as error:
                if not is_outage(error):
                    raise
                _log.warning("conflicts wait for a server", error=type(error).__name__)
            await self._wait_for_more_than(followed)

    async def _wait_for_more_than(self, followed: int) -> None:
        with contextlib.suppress(TimeoutError):
            await self._commands.wait_for(
                lambda state: len(state.decision_log) > followed, timeout=POLL_SECONDS
            )

    async def _follow(self, followed: int) -> int:
        """Recompute what decisions from number `followed` on are about; answers the number of the next."""
        changes = self._commands.state.decision_log[followed:]
        ids = dict.fromkeys(ids_of(change.pair) for change in changes)
        await self._recompute_all(
            _each(pair for each in ids for pair in self._rulings.pairs(each)),
            filter(self._rulings.were_one_person, ids),
        )
        self._finalised = max(self._finalised, await self._store.newest_finalised())
        if (newest := self._finalised) > self._swept:
            await self.recompute(self._store.all_pairs())
            self._swept = newest
        return followed + len(changes)

    async def _show_open(self) -> None:
        for kind, count in (await self._store.open_by_class()).items():
            self._metrics.open_conflicts.labels(**{"class": kind}).set(count)

    async def _save(self, conflicts: Mapping[Pair, Facts], *, claimed: bool) -> None:
        pending = dict(conflicts)
        for _ in range(ATTEMPTS):
            if not pending:
                return
            judged = [self._judge(pair) for pair in pending]
            facts = pending.values()
            lost = await self._store.save(
                [
                    (each, its, {}) if claimed else (each, {}, its)
                    for each, its in zip(judged, facts, strict=True)
                ]
            )
            await self._read_on(commands=bool(lost))
            pending = {
                each.pair: pending[each.pair]
                for at, each in enumerate(judged)
                if at in lost or self._judge(each.pair) != each
            }
            await self._turns.give()
        if pending:
            raise NotYet("conflicts are ahead of this process")

    async def _read_on(self, *, commands: bool) -> None:
        """Know all that lies on the topics now; `commands`, too, if someone wrote from more than was known.

        A decision that is not known yet is followed when it comes. Raises TransientError if a feed is behind.
        """
        try:
            async with asyncio.timeout(READ_ON_SECONDS):
                await self._feed.catch_up()
                if commands:
                    await self._commands.wait_for_end()
        except TimeoutError:
            raise NotYet("the feeds are behind") from None
        self._finalised = max(self._finalised, await self._store.newest_finalised())

    def _judge(self, pair: Pair) -> Conflict:
        return judge(*pair, self._ledger, self._rulings, self._finalised, self._feed.is_claim)


async def _each(pairs: Iterable[Pair]) -> AsyncIterator[Pair]:
    for pair in pairs:
        yield pair
