"""Records that a service started with other settings than at its last start.

No start waits for it, and no service stops because the trail cannot be written: intake matters more. Until
the record is there, the metric `rollstream_operations_unrecorded` is 1.
"""

import asyncio
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import structlog
from pydantic import BaseModel, SecretStr

from shared.contracts.identity import canonical, sha256_hex
from shared.contracts.operations import OperationType, Started
from shared.contracts.topics import Topic
from shared.operations.actor import Actor, sealed
from shared.operations.log import read_trail
from shared.operations.trail import Trail
from shared.process.errors import StopService
from shared.process.logging import describe
from shared.process.metrics import Metrics
from shared.process.settings import Settings
from shared.runtime.cancellation import only_ours
from shared.runtime.outputs import Outputs
from shared.runtime.topics import require_topics

_ABOUT_THE_PROCESS = ("http", "log_level", "runtime.group_instance_id")
"""What may differ between two processes, and says nothing of what they do with a record."""

_KEYS = ("signing.key_file", "marker.key_file")
"""Which key it is matters, and not where it lies."""


def settings_hashes(register: str, values: Mapping[str, object]) -> dict[str, str]:
    """What an act says of settings: 16 hex digits of a hash each, which no other register shares."""
    return {name: sha256_hex(canonical([register, name, value]))[:16] for name, value in values.items()}


def settings_that_matter(settings: Settings, actor: Actor) -> dict[str, object]:
    """By name. A secret is only told to be there, since a hash of a short one can be guessed.

    Of the store's address its hosts and its database matter.
    """
    found: dict[str, object] = {"version": version("rollstream"), "key": actor.by.get("key_id")}
    for name, value in _flat(settings):
        if not name.startswith(_ABOUT_THE_PROCESS) and name not in _KEYS:
            found[name] = value is not None if isinstance(value, SecretStr) else _plain(value)
    address = settings.mongo.uri.get_secret_value().partition("://")[2]
    found["mongo.uri"] = address.rpartition("@")[2].partition("?")[0]
    return found


def _flat(model: BaseModel, prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            found += _flat(value, f"{prefix}{name}.")
        else:
            found.append((prefix + name, value))
    return found


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | None) else str(value)


def last_start(trail: Trail, actor: Actor) -> Started | None:
    """The last start of this process that the trail holds."""
    mine = (actor.service, actor.instance)
    for entry in reversed(trail.entries):
        act = entry.act
        if isinstance(act, Started) and entry.fault is None and (act.by.service, act.by.instance) == mine:
            return act
    return None


class StartRecorder:
    """Runs beside the consumer: writes the start as soon as it can, then does nothing more."""

    name = "operations"

    def __init__(self, settings: Settings, actor: Actor, metrics: Metrics) -> None:
        self._settings = settings
        self._actor = actor
        self._metrics = metrics
        self._client_id = f"{actor.service}-operations"
        self._log = structlog.get_logger()

    async def ready(self) -> None:
        """Nothing waits for it."""

    async def run(self) -> None:
        """Try until it is recorded, then until cancelled."""
        delay = self._settings.runtime.backoff_initial_s
        while not await self._recorded():
            self._metrics.operations_unrecorded.set(1)
            await asyncio.sleep(delay)
            delay = min(2 * delay, self._settings.runtime.backoff_max_s)
        self._metrics.operations_unrecorded.set(0)
        await asyncio.Event().wait()

    async def _recorded(self) -> bool:
        try:
            with only_ours():
                async with asyncio.timeout(6 * self._settings.kafka.request_timeout_ms / 1000):
                    await self.record()
        except StopService as refused:
            # What would stop a service elsewhere, such as a right that it lacks, holds nobody up here.
            self._log.warning("start not recorded", reason=refused.reason)
        except Exception as error:
            self._log.warning("start not recorded", **describe(error))
        else:
            return True
        return False

    async def record(self) -> None:
        """Write the start unless the last one on the trail had the same settings.

        Raises TransientError, StopService, KafkaError. A second try finds what the first one wrote.
        """
        await require_topics(self._settings, [Topic.OPERATIONS], self._client_id)
        trail = await read_trail(self._settings, self._client_id)
        matter = settings_that_matter(self._settings, self._actor)
        hashes = settings_hashes(self._settings.register, matter)
        last = last_start(trail, self._actor)
        if last is not None and last.settings == hashes:
            return
        known = {} if last is None else last.settings
        changed = sorted(name for name in known.keys() | hashes if known.get(name) != hashes.get(name))
        facts = {
            "version": str(matter["version"]),
            "settings": hashes,
            "changed": [] if last is None else changed,
        }
        outputs = Outputs(self._settings, self._client_id)
        try:
            output = sealed(self._settings.register, self._actor, OperationType.STARTED, facts, trail)
            await outputs.send([output])
        finally:
            await outputs.stop()
        self._log.info("start recorded", changed=facts["changed"])
