"""Judges each `finalised` in the order in which it took effect, and publishes what comes of it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.publisher.compile import Compiled, Compiler
from services.publisher.editions import EditionStore
from services.publisher.lists import (
    Edition,
    Sign,
    Totals,
    list_output,
    manifest_output,
    province_manifest,
    roll_manifest,
    signer,
)
from services.publisher.manifests import ManifestTopic
from services.publisher.roll import Refusal
from services.publisher.store import RollStore
from shared.commands.feed import CommandFeed
from shared.commands.state import FinaliseRequest, State
from shared.crypto import signing
from shared.process.errors import StopService
from shared.process.metrics import Metrics
from shared.process.settings import Settings
from shared.reference.files import MissingReference, ReferenceStore
from shared.runtime.outages import is_outage
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output
from shared.store.progress import ProgressStore

CAUSES = ("epoch", "reference", "signing_key")
LISTS_AT_ONCE = 50


class Blocked(Exception):
    """A `finalised` cannot be judged or published yet; those after it wait too."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class Abandoned(Exception):
    """Another process judges now, or has published this version already."""


class Finaliser:
    """Runs beside the consumer. Only the process that holds partition 0 judges; two at once do no harm, since
    both write the same bytes."""

    name = "finaliser"

    def __init__(
        self,
        settings: Settings,
        key: Ed25519PrivateKey | None,
        commands: CommandFeed,
        references: ReferenceStore,
        roll: RollStore,
        progress: ProgressStore,
        editions: EditionStore,
        outputs: Outputs,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._key = key
        self._commands = commands
        self._references = references
        self._roll = roll
        self._progress = progress
        self._editions = editions
        self._outputs = outputs
        self._metrics = metrics
        self._manifests = ManifestTopic(settings)
        self._stored_verdicts = 0
        self._cause: str | None = None
        self._waits_for_key: str | None = None  # judged: nothing but the signing key is missing
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
                await self._judge_all()
                delay = runtime.backoff_initial_s
            except Abandoned:
                pass
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

    async def _judge_all(self) -> None:
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
            async for request in self._pending(requests):
                await self._judge(state, request, complete=min(ended))
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
            await self._editions.verdicts.save(state.verdicts[each] for each in news)
            self._stored_verdicts = end

    async def _pending(self, requests: Sequence[FinaliseRequest]) -> AsyncIterator[FinaliseRequest]:
        """Those not judged yet, or not published to the end, in their order."""
        refused = await self._editions.verdicts.refused([each.command_id for each in requests])
        published = {
            version["command_id"]
            for version in await self._editions.versions()
            if version["state"] == "published"
        }
        for request in requests:
            if request.command_id not in refused and request.command_id not in published:
                yield request

    async def _judge(self, state: State, request: FinaliseRequest, complete: int) -> None:
        data, offset = request.data, request.command_offset
        before = [each for each in await self._editions.versions() if each["command_offset"] < offset]
        try:
            if state.cut_offs.get(data.epoch, offset) >= offset:
                raise Refusal("no_cut_off")
            if any(each["epoch"] > data.epoch for each in before):
                raise Refusal("older_epoch")
            if complete < data.epoch:
                raise Blocked("epoch")
            await self._publish(state, self._edition(state, request, before))
        except Refusal as refusal:
            await self._still_due(request)
            await self._editions.verdicts.refuse(request, refusal)
            self._log.info("finalised refused", command_id=request.command_id, reason=refusal.reason)

    def _edition(self, state: State, request: FinaliseRequest, before: list[dict[str, Any]]) -> Edition:
        data, offset = request.data, request.command_offset
        last = next((each for each in reversed(before) if each["roll"] == data.roll), None)
        reference = {
            "gazetteer": state.reference_for_epoch("gazetteer", data.epoch),
            "stations": state.reference_at("stations", offset),
            "model": state.reference_for_epoch("model", data.epoch),
        }
        # A cut-off takes effect only after every kind was adopted.
        known = {kind: sha256 for kind, sha256 in reference.items() if sha256 is not None}
        return Edition(
            register=state.register,
            request=request,
            version=last["version"] + 1 if last else 1,
            replaces=last["version"] if last else None,
            replaces_offset=last["command_offset"] if last else None,
            reference=known,
        )

    async def _publish(self, state: State, edition: Edition) -> None:
        started = time.monotonic()
        public = state.signing_key_at(edition.request.command_offset)
        if public is None:
            raise Blocked("signing_key")
        there = await self._manifests.roll_manifest(edition, public)
        sign = self._signer(public)
        # A version that is published already is made anew for the next one's sake, and needs no signature.
        # One that is to be refused needs none either: a key that is gone must not hold up those after it.
        only_judged = sign is None and there is None
        if only_judged and edition.request.command_id == self._waits_for_key:
            raise Blocked("signing_key")
        sign = sign or _unsigned
        stations = self._references.stations(edition.reference["stations"])

        async def still_due() -> None:
            await self._still_due(edition.request)

        compiler = Compiler(self._roll, self._editions, edition, stations, sign, still_due)
        try:
            compiled = await compiler.compile(state, store=not only_judged)
        except Refusal:
            await self._editions.drop_lists(edition.request.command_offset)
            raise
        if only_judged:
            self._waits_for_key = edition.request.command_id
            raise Blocked("signing_key")
        provinces, whole = _manifests(state, edition, compiled, sign)
        await self._editions.take_effect(edition)
        if there is None:
            await self._send(edition, provinces, whole)
        else:
            _require_same(edition, there, whole)
        await self._editions.published(edition, whole)
        self._metrics.list_entries.labels(roll=edition.request.data.roll).set(whole.entries)
        self._log.info(
            "roll published",
            roll=edition.request.data.roll,
            version=edition.version,
            epoch=edition.request.data.epoch,
            command_offset=edition.request.command_offset,
            lists=whole.stations,
            entries=whole.entries,
            seconds=round(time.monotonic() - started, 3),
        )

    def _signer(self, public: bytes) -> Sign | None:
        """Signs with the key that was in force then; None if that is not the one that is here."""
        if self._key is not None and self._key.public_key() == signing.load_public_pem(public):
            return signer(self._key)
        return None

    async def _send(self, edition: Edition, provinces: Mapping[str, Totals], whole: Totals) -> None:
        """Lists first, the roll manifest last: without it the version is not published."""
        for code, province in provinces.items():
            outputs: list[Output] = []
            async for station, value in self._editions.values(edition.request.command_offset, code):
                outputs.append(list_output(edition, station, code, value, self._settings.kafka.partitions))
                if len(outputs) == LISTS_AT_ONCE:
                    await self._send_lists(edition, outputs)
                    outputs = []
            await self._send_lists(edition, outputs)
            await self._still_due(edition.request)
            await self._outputs.send([manifest_output(edition, code, province.value)])
        await self._still_due(edition.request)
        await self._outputs.send([manifest_output(edition, None, whole.value)])

    async def _send_lists(self, edition: Edition, outputs: list[Output]) -> None:
        await self._still_due(edition.request)
        await self._outputs.send(outputs)
        self._metrics.lists_published.inc(len(outputs))

    async def _still_due(self, request: FinaliseRequest) -> None:
        """Raise unless this process still judges and nobody has published the version meanwhile."""
        if not self._mine:
            raise Abandoned
        for version in await self._editions.versions():
            if version["command_id"] == request.command_id and version["state"] == "published":
                raise Abandoned


def _unsigned(_head: Mapping[str, Any], /) -> Mapping[str, str]:
    return {}


def _manifests(
    state: State, edition: Edition, compiled: Compiled, sign: Sign
) -> tuple[dict[str, Totals], Totals]:
    provinces = {
        code: province_manifest(
            edition, code, compiled.lists.get(code, []), compiled.excluded.get(code, {}), sign
        )
        for code in compiled.provinces
    }
    audit_head = state.audit_head_at(edition.request.command_offset)
    return provinces, roll_manifest(edition, provinces, audit_head, sign)


def _require_same(edition: Edition, there: Mapping[str, Any], made: Totals) -> None:
    """What was published once is what the log gives, or somebody must look."""
    mine = json.loads(made.value)
    if (there["manifest"], there["provinces"]) != (mine["manifest"], mine["provinces"]):
        raise StopService(
            f"version {edition.name} was published with other contents than the log gives", cause="manifest"
        )
