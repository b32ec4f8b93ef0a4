"""Judges each `finalised` in the order in which it took effect; one that waits holds up those after it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from services.publisher.editions import PUBLISHED, Abandoned, EditionStore
from services.publisher.lists import Edition
from services.publisher.publish import Blocked, Publication
from services.publisher.roll import Refusal
from services.publisher.store import RollStore
from services.publisher.verdicts import VerdictStore
from shared.commands.feed import CommandFeed
from shared.commands.state import FinaliseRequest, State
from shared.process.metrics import Metrics
from shared.process.settings import Settings
from shared.reference.files import MissingReference
from shared.runtime.outages import is_outage
from shared.store.progress import ProgressStore

CAUSES = ("epoch", "reference", "signing_key")

Version = Mapping[str, Any]
"""A document of `rolls`."""


class Finaliser:
    """Runs beside the consumer. The process that holds partition 0 judges; a second one does no harm."""

    name = "finaliser"

    def __init__(
        self,
        settings: Settings,
        commands: CommandFeed,
        roll: RollStore,
        progress: ProgressStore,
        editions: EditionStore,
        verdicts: VerdictStore,
        publication: Publication,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._commands = commands
        self._roll = roll
        self._progress = progress
        self._editions = editions
        self._verdicts = verdicts
        self._publication = publication
        self._metrics = metrics
        self._stored_verdicts = 0
        self._cause: str | None = None
        self._mine = False
        self._changed = asyncio.Event()
        self._log = structlog.get_logger()

    async def ready(self) -> None:
        """The consumer need not wait for it."""

    def hold(self, mine: bool) -> None:
        """Whether this process is the one that judges."""
        self._mine = mine
        self._changed.set()

    def wake(self) -> None:
        """Something changed: look at once."""
        self._changed.set()

    async def run(self) -> None:
        """Judge what there is to judge, for ever. An outage is waited out."""
        runtime = self._settings.runtime
        delay = runtime.backoff_initial_s
        while True:
            pause = 1.0
            try:
                self._changed.clear()
                await self.judge_all()
                delay = runtime.backoff_initial_s
            except Abandoned:
                self._log.info("another process took a version over, or the store was exchanged")
            except Exception as error:
                if not is_outage(error):
                    raise
                self._log.warning("not yet judged", error=type(error).__name__, backoff=delay)
                pause = delay
                delay = min(2 * delay, runtime.backoff_max_s)
            # Other processes' markers and new commands do not wake this one.
            try:
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def judge_all(self) -> None:
        """Judge one after the other until one waits. Raises Abandoned, TransientError, StopService."""
        state = self._commands.state
        ended = await self._roll.ended_epochs(self._settings.kafka.partitions, self._progress)
        self._metrics.epoch_cut_off.set(state.last_cut_off)
        self._metrics.epoch_complete.set(min(ended))
        self._metrics.epoch_partitions_complete.set(
            sum(1 for epoch in ended if epoch >= state.last_cut_off) if state.last_cut_off else 0
        )
        if not self._mine:
            return
        # Taken first, since the state grows meanwhile: one that is settled before the rest of its document is
        # stored would never get that.
        requests = list(state.finalise_requests)
        await self._store_verdicts(state)
        cause = None
        try:
            while (due := await self._next(requests)) is not None:
                await self._judge(state, *due, complete=min(ended))
        except Blocked as blocked:
            cause = blocked.cause
        except MissingReference as missing:
            self._log.warning("waiting for a reference file", kind=missing.kind, sha256=missing.sha256)
            cause = "reference"
        if cause is not None and cause != self._cause:
            self._log.warning("finalised waits", cause=cause)
        self._cause = cause
        for each in CAUSES:
            self._metrics.finalised_blocked.labels(cause=each).set(1 if each == cause else 0)

    async def _store_verdicts(self, state: State) -> None:
        end = len(state.verdict_log)
        if self._stored_verdicts < end:
            news = dict.fromkeys(state.verdict_log[self._stored_verdicts : end])
            await self._verdicts.save(state.verdicts[each] for each in news)
            self._stored_verdicts = end

    async def _next(
        self, requests: Sequence[FinaliseRequest]
    ) -> tuple[FinaliseRequest, Sequence[Version]] | None:
        """The first that is neither refused nor published to the end, and the versions before it.

        Both are asked for anew each time: in a store that was dropped, everything is due again.
        """
        versions = await self._editions.versions()
        settled = await self._verdicts.refused([each.command_id for each in requests])
        settled |= {version["command_id"] for version in versions if version["state"] == PUBLISHED}
        for request in requests:
            if request.command_id not in settled:
                return request, [each for each in versions if each["command_offset"] < request.command_offset]
        return None

    async def _judge(
        self, state: State, request: FinaliseRequest, before: Sequence[Version], complete: int
    ) -> None:
        data, offset = request.data, request.command_offset
        if state.cut_offs.get(data.epoch, offset) >= offset:
            await self._refuse(request, "no_cut_off")
        elif any(each["epoch"] > data.epoch for each in before):
            await self._refuse(request, "older_epoch")
        elif complete < data.epoch:
            raise Blocked("epoch")
        else:
            await self._publication.judge(state, edition_of(state, request, before))

    async def _refuse(self, request: FinaliseRequest, reason: str) -> None:
        await self._verdicts.refuse(request, Refusal(reason))
        self._log.info("finalised refused", command_id=request.command_id, reason=reason)


def edition_of(state: State, request: FinaliseRequest, before: Sequence[Version]) -> Edition:
    """The version that a `finalised` makes, after all versions before it."""
    data, offset = request.data, request.command_offset
    last = next((each for each in reversed(before) if each["roll"] == data.roll), None)
    reference = {
        "gazetteer": state.reference_for_epoch("gazetteer", data.epoch),
        "stations": state.reference_at("stations", offset),
        "model": state.reference_for_epoch("model", data.epoch),
    }
    return Edition(
        register=state.register,
        request=request,
        version=last["version"] + 1 if last else 1,
        replaces=last["version"] if last else None,
        replaces_token=last["token"] if last else None,
        # A cut-off takes effect only after every kind was adopted.
        reference={kind: sha256 for kind, sha256 in reference.items() if sha256 is not None},
    )
