"""The reference data that an epoch's events are judged by."""

import asyncio

from services.registration.domain import Reference
from shared.commands.feed import CommandFeed
from shared.process.errors import NotYet, ReferenceAway
from shared.process.metrics import Metrics
from shared.reference.files import MissingReference, ReferenceStore

_LOOK_EVERY_S = 0.5


class References:
    """Gazetteer, stations and, where they are adopted, devices by epoch.

    What was found is kept, since it never changes.

    As something that runs beside the consumer it only says when that may start: once the reference data of
    epoch 1 are adopted and there.
    """

    name = "reference data"

    def __init__(self, commands: CommandFeed, files: ReferenceStore, metrics: Metrics) -> None:
        self._commands = commands
        self._files = files
        self._metrics = metrics
        self._found: dict[int, Reference] = {}
        self._missing: str | None = None

    async def run(self) -> None:
        """Nothing to do, until cancelled."""
        await asyncio.Event().wait()

    async def ready(self) -> None:
        """Return when the reference data of epoch 1 can be read."""
        while True:
            try:
                self.of_epoch(1)
                return
            except NotYet:
                await asyncio.sleep(_LOOK_EVERY_S)

    def of_epoch(self, epoch: int) -> Reference:
        """The reference data of an epoch.

        Raises ReferenceAway while they are not adopted or not in the folder.
        """
        found = self._found.get(epoch)
        if found is None:
            found = self._found[epoch] = self._read(epoch)
        return found

    def _read(self, epoch: int) -> Reference:
        state = self._commands.state
        self._show(None)
        gazetteer = state.reference_for_epoch("gazetteer", epoch)
        stations = state.reference_for_epoch("stations", epoch)
        devices = state.reference_for_epoch("devices", epoch)
        if not state.ready_for_epoch(epoch) or gazetteer is None or stations is None:
            raise ReferenceAway(f"waiting for the reference data of epoch {epoch}")
        try:
            return Reference(
                self._files.gazetteer(gazetteer),
                self._files.stations(stations),
                None if devices is None else self._files.devices(devices),
            )
        except MissingReference as missing:
            self._show(missing.kind)
            raise

    def _show(self, missing: str | None) -> None:
        """The kind whose file is gone; what is not adopted yet the commands' feed shows."""
        for kind in {missing, self._missing} - {None}:
            self._metrics.reference_waiting.labels(kind=str(kind)).set(1 if kind == missing else 0)
        self._missing = missing
