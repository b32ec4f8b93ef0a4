"""Judges one `finalised` whose turn it is, and publishes its version: the roll manifest is sent last."""

import json
import time
from collections.abc import Mapping
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.publisher.compile import Compiled, Compiler
from services.publisher.editions import Attempt, EditionStore
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
from services.publisher.verdicts import VerdictStore
from shared.commands.state import State
from shared.crypto import signing
from shared.process.errors import StopService
from shared.process.metrics import Metrics
from shared.process.settings import Settings
from shared.reference.files import ReferenceStore
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output
from shared.store.progress import ProgressStore

_log = structlog.get_logger()


class Blocked(Exception):
    """A `finalised` cannot be judged or published yet; those after it wait too."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class Publication:
    """Whatever happens between two steps, what is sent and stored of a version is what the log gives.

    `key` None: nothing new is published.
    """

    def __init__(
        self,
        settings: Settings,
        key: Ed25519PrivateKey | None,
        references: ReferenceStore,
        roll: RollStore,
        progress: ProgressStore,
        editions: EditionStore,
        verdicts: VerdictStore,
        outputs: Outputs,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._key = key
        self._references = references
        self._roll = roll
        self._progress = progress
        self._editions = editions
        self._verdicts = verdicts
        self._outputs = outputs
        self._metrics = metrics
        self._manifests = ManifestTopic(settings)
        self._waits_for_key: tuple[str, int] | None = None

    async def judge(self, state: State, edition: Edition) -> None:
        """Publish the version, or refuse its `finalised`.

        Raises Blocked, Abandoned, TransientError, StopService, MissingReference.
        """
        request = edition.request
        sign = self._signer(state, request.command_offset)
        # What was judged already and misses nothing but its key is looked at again when a key is adopted.
        waits = (request.command_id, len(state.signing_keys()))
        if sign is None and waits == self._waits_for_key:
            raise Blocked("signing_key")
        # Before anything is stored or read: while the file is missing, it is asked for again every second.
        stations = self._references.stations(edition.reference["stations"])
        # Taken before the rest: what is read from here on is of this store, or the attempt does not hold.
        attempt = await self._editions.take(edition)
        await self._require_complete(request.data.epoch)
        there = await self._manifests.roll_manifest(edition, state.signing_keys_since(request.command_offset))
        # A version that is published already is made anew for the next one's sake, and needs no signature.
        # One that is to be refused needs none either: a key that is gone must not hold up those after it.
        only_judged = sign is None and there is None
        compiler = Compiler(self._roll, self._editions, attempt, stations, sign or _unsigned)
        try:
            compiled = await compiler.compile(state, store=not only_judged)
        except Refusal as refusal:
            await self._refuse(attempt, refusal)
            return
        except Exception:
            await self._editions.require(attempt)  # in a store that was dropped anything may be missing
            raise
        if only_judged:
            self._waits_for_key = waits
            raise Blocked("signing_key")
        await self._publish(state, attempt, compiled, sign or _unsigned, there)

    async def _require_complete(self, epoch: int) -> None:
        ended = await self._roll.ended_epochs(self._settings.kafka.partitions, self._progress)
        if min(ended) < epoch:
            raise Blocked("epoch")

    def _signer(self, state: State, command_offset: int) -> Sign | None:
        """Signs with the key that is here; None if it may not sign a version of that offset."""
        keys = map(signing.load_public_pem, state.signing_keys_for(command_offset))
        if self._key is not None and self._key.public_key() in keys:
            return signer(self._key)
        return None

    async def _refuse(self, attempt: Attempt, refusal: Refusal) -> None:
        await self._editions.require(attempt)
        await self._verdicts.refuse(attempt.edition.request, refusal)
        await self._editions.drop(attempt)

    async def _publish(
        self,
        state: State,
        attempt: Attempt,
        compiled: Compiled,
        sign: Sign,
        there: Mapping[str, Any] | None,
    ) -> None:
        started = time.monotonic()
        edition = attempt.edition
        provinces, whole = _manifests(state, edition, compiled, sign)
        await self._editions.take_effect(attempt)
        await self._verdicts.take_effect(edition.request)
        if there is None:
            await self._send(attempt, provinces, whole)
        else:
            _require_same(edition, there, whole)
        await self._editions.published(attempt, whole)
        self._metrics.list_entries.labels(roll=edition.request.data.roll).set(whole.entries)
        _log.info(
            "roll published",
            roll=edition.request.data.roll,
            version=edition.version,
            epoch=edition.request.data.epoch,
            command_offset=edition.request.command_offset,
            lists=whole.stations,
            entries=whole.entries,
            seconds=round(time.monotonic() - started, 3),
        )

    async def _send(self, attempt: Attempt, provinces: Mapping[str, Totals], whole: Totals) -> None:
        """Lists first, the roll manifest last: without it the version is not published."""
        edition = attempt.edition
        for code, province in provinces.items():
            outputs: list[Output] = []
            size = 0
            async for station, value in self._editions.values(attempt, code):
                outputs.append(list_output(edition, station, code, value, self._settings.kafka.partitions))
                size += len(value)
                if size >= self._settings.limits.budget.outputs_bytes:
                    await self._send_if_ours(attempt, outputs)
                    outputs, size = [], 0
            await self._send_if_ours(attempt, outputs)
            self._metrics.lists_published.inc(province.stations)
            await self._send_if_ours(attempt, [manifest_output(edition, code, province.value)])
        await self._send_if_ours(attempt, [manifest_output(edition, None, whole.value)])

    async def _send_if_ours(self, attempt: Attempt, outputs: list[Output]) -> None:
        """Send what was read from the store, if all of it was there. Raises Abandoned."""
        await self._editions.require(attempt)
        await self._outputs.send(outputs)


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
