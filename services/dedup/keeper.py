"""Keeps the conflicts in MongoDB true to the claims, the versions and the commands."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog

from services.dedup.conflicts import Conflict, judge
from services.dedup.feed import IndexFeed
from services.dedup.ledger import Ledger
from services.dedup.store import ConflictStore
from shared.commands.feed import CommandFeed
from shared.contracts.identity import VersionId, ordered_pair
from shared.metrics import Metrics
from shared.mongo import is_store_outage
from shared.runtime.errors import TransientError
from shared.timestamps import rfc3339

Pair = tuple[VersionId, VersionId]
Facts = Mapping[str, Any]

POLL_SECONDS = 2.0
"""How often to look whether a roll was finalised: conflicts of versions that it left behind become void."""

ATTEMPTS = 5
"""How often a conflict is computed anew when the store holds one computed from more."""

CHUNK = 500

_log = structlog.get_logger()


class ConflictKeeper:
    """The only writer of conflicts: it computes each from what this process knows and never only sets it."""

    name = "conflicts"

    def __init__(
        self, store: ConflictStore, ledger: Ledger, feed: IndexFeed, commands: CommandFeed, metrics: Metrics
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._feed = feed
        self._commands = commands
        self._metrics = metrics
        self._finalised = 0

    async def found(self, claims: Mapping[Pair, Facts]) -> None:
        """Store the conflicts of claims, with what the matching says of each."""
        await self._save({pair: self._facts(pair, facts) for pair, facts in claims.items()}, claimed=True)

    async def changed(self, registration_ids: Sequence[str]) -> None:
        """Compute the conflicts of these registrations anew, since one of them has a new version."""
        ids = [each for each in registration_ids if self._ledger.changed(each)]
        if ids:
            await self.recompute(map(_pair_of, await self._store.of_registrations(ids)))

    async def recompute(self, pairs: Iterable[Pair]) -> None:
        """Compute these conflicts anew; a pair that has none opens one of class `reported`."""
        chunk: dict[Pair, Facts] = {}
        for pair in pairs:
            chunk[pair] = self._reported(pair)
            if len(chunk) == CHUNK:
                await self._save(chunk, claimed=False)
                chunk = {}
        await self._save(chunk, claimed=False)

    async def ready(self) -> None:
        """Nothing waits for conflicts of the past: `run` catches up beside the batches."""

    async def run(self) -> None:
        """Follow decisions and finalised rolls for ever. An outage of the store is waited out."""
        followed = 0
        while True:
            try:
                followed = await self._follow(followed)
            except Exception as error:
                if not isinstance(error, TransientError) and not is_store_outage(error):
                    raise
                _log.warning("conflicts wait for the store", error=type(error).__name__)
            await self._wait_for_more_than(followed)

    async def _wait_for_more_than(self, followed: int) -> None:
        with contextlib.suppress(TimeoutError):
            await self._commands.wait_for(
                lambda state: len(state.decision_log) > followed, timeout=POLL_SECONDS
            )

    async def _follow(self, followed: int) -> int:
        """Recompute what decisions from number `followed` on are about; answers the number of the next."""
        changes = self._commands.state.decision_log[followed:]
        await self.recompute({change.pair: None for change in changes})
        newest = await self._store.newest_finalised()
        if newest > self._finalised:
            self._finalised = newest
            await self.recompute([_pair_of(document) async for document in self._store.all_pairs()])
        for kind, count in (await self._store.open_by_class()).items():
            self._metrics.open_conflicts.labels(**{"class": kind}).set(count)
        return followed + len(changes)

    async def _save(self, conflicts: Mapping[Pair, Facts], *, claimed: bool) -> None:
        pending = dict(conflicts)
        for attempt in range(ATTEMPTS):
            if not pending:
                return
            if attempt:
                await self._know_more()
            judged = [(self._judge(pair), facts) for pair, facts in pending.items()]
            lost = await self._store.save(
                [(each, facts, {}) if claimed else (each, {}, facts) for each, facts in judged]
            )
            pending = {judged[at][0].pair: judged[at][1] for at in lost}
        if pending:
            raise TransientError("conflicts are ahead of this process")

    async def _know_more(self) -> None:
        """Someone wrote a conflict from more than this process had read: read on before trying again."""
        await asyncio.gather(self._feed.catch_up(timeout=10), self._commands.wait_for_end())
        self._finalised = max(self._finalised, await self._store.newest_finalised())

    def _judge(self, pair: Pair) -> Conflict:
        return judge(*pair, self._ledger, self._commands.state, self._finalised)

    def _facts(self, pair: Pair, facts: Facts) -> Facts:
        return {**facts, "found_at": self._found_at(pair)}

    def _reported(self, pair: Pair) -> Facts:
        return {
            "class": "reported",
            "probability": None,
            "weight": None,
            "evidence": [],
            "model": None,
            "epoch": None,
            "found_at": self._found_at(pair),
        }

    def _found_at(self, pair: Pair) -> str:
        """When the later of the two versions was accepted: the same however often the store is rebuilt."""
        return rfc3339(max(self._ledger.accepted_at(*version) for version in pair))


def _pair_of(document: Mapping[str, Any]) -> Pair:
    one, other = ((each["registration_id"], each["digest"]) for each in document["pair"])
    return ordered_pair(one, other)
