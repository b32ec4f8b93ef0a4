"""Writes the markers of a cut-off into the partitions that this process holds."""

import asyncio

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.registration.holdings import Holding, Holdings
from services.registration.markers import signed_marker
from shared.commands.feed import CommandFeed
from shared.crypto import signing
from shared.process.errors import StopService, TransientError
from shared.process.settings import MarkerSettings
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output

_LOOK_EVERY_S = 0.2
_COMPLAIN_EVERY_S = 30.0


class MarkerWriter:
    """Runs beside the consumer.

    A marker that was written but not yet read is written again by whoever takes the partition over; the first
    one in a partition counts.
    """

    name = "marker writer"

    def __init__(
        self,
        register: str,
        officer: str,
        key: Ed25519PrivateKey,
        holdings: Holdings,
        commands: CommandFeed,
        outputs: Outputs,
    ) -> None:
        self._register = register
        self._officer = officer
        self._key = key
        self._public_key = signing.raw_public(key.public_key())
        self._holdings = holdings
        self._commands = commands
        self._outputs = outputs
        self._complained_at = float("-inf")
        self._log = structlog.get_logger()

    async def ready(self) -> None:
        """Nothing to wait for."""

    async def run(self) -> None:
        """Write what is due until cancelled."""
        while True:
            try:
                await self.write_due()
            except TransientError as error:
                self._log.warning("markers not acknowledged", error=type(error).__name__)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def write_due(self) -> None:
        """Write each marker that is missing in a partition of ours, in order of epochs.

        Raises TransientError if one was not acknowledged; the next call writes it again.
        """
        for epoch, command_offset in sorted(self._commands.state.cut_offs.items()):
            due = {
                partition: holding
                for partition, holding in self._holdings.all().items()
                if _lacks(holding, epoch)
            }
            if not due or not self._may_sign(command_offset):
                continue
            await self._outputs.send([self._marker(epoch, command_offset, partition) for partition in due])
            for holding in due.values():
                holding.markers_written.add(epoch)
            self._log.info("markers written", epoch=epoch, partitions=sorted(due))

    def _marker(self, epoch: int, command_offset: int, partition: int) -> Output:
        return signed_marker(self._register, self._officer, self._key, epoch, command_offset, partition)

    def _may_sign(self, command_offset: int) -> bool:
        officer = self._commands.state.officers_at(command_offset).get(self._officer)
        if officer is not None and officer.may("marker") and officer.public_key == self._public_key:
            return True
        now = asyncio.get_running_loop().time()
        if now - self._complained_at > _COMPLAIN_EVERY_S:
            self._complained_at = now
            self._log.error(
                "this service's marker key is no officer's with the role marker; the epoch cannot complete",
                command_offset=command_offset,
            )
        return False


def _lacks(holding: Holding, epoch: int) -> bool:
    return holding.caught_up and holding.epochs.last_ended < epoch and epoch not in holding.markers_written


def marker_key_of(settings: MarkerSettings) -> Ed25519PrivateKey:
    """The key that signs markers. Raises StopService where it cannot be used."""
    if settings.key_file is None:
        raise StopService("registration signs markers: set ROLLSTREAM_MARKER__KEY_FILE", cause="settings")
    try:
        return signing.load_private_key(settings.key_file)
    except (signing.UnusableKey, OSError) as error:
        raise StopService(f"the marker key cannot be used: {error}", cause="settings") from None
