"""Writes the markers of a cut-off into the partitions that this process holds."""

import asyncio
import time

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.registration.holdings import Holding, Holdings
from shared.commands.feed import CommandFeed
from shared.commands.markers import OLD_ENOUGH_S, signed_marker
from shared.contracts.events import Marker
from shared.crypto import signing
from shared.process.errors import StopService, TransientError
from shared.process.settings import MarkerSettings
from shared.runtime.outputs import Outputs

_LOOK_EVERY_S = 0.2
_COMPLAIN_EVERY_S = 30.0


class MarkerWriter:
    """Runs beside the consumer.

    A marker counts when it is read, not when it is written: one that was not read yet is written again by
    whoever takes the partition over, and one that is found void, by this process. The first valid one counts.
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
        self._written_at: dict[tuple[int, int], float] = {}  # partition and epoch → by the monotonic clock
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

        Raises TransientError if one was not acknowledged; a later call writes it again.
        """
        for epoch, command_offset in sorted(self._commands.state.cut_offs.items()):
            due = {
                partition: holding
                for partition, holding in self._holdings.all().items()
                if _lacks(holding, epoch) and not self._is_fresh(partition, epoch)
            }
            if not due or (marker := self._marker(epoch, command_offset)) is None:
                continue
            outputs = {
                partition: signed_marker(self._register, self._officer, self._key, marker, partition)
                for partition in due
            }
            await self._outputs.send(list(outputs.values()))
            for partition, output in outputs.items():
                due[partition].markers_written[epoch] = output
                self._written_at[partition, epoch] = time.monotonic()
            self._log.info("markers written", epoch=epoch, partitions=sorted(due))

    def _marker(self, epoch: int, command_offset: int) -> Marker | None:
        """The marker of a cut-off, as of the first message from it on at which our key is in force.

        None where there is no such message, or it is not old enough yet.
        """
        state = self._commands.state
        adoptions = [each.command_offset for each in state.adoptions["officers"]]
        candidates = [command_offset, *(each for each in adoptions if each > command_offset)]
        as_of = next((each for each in candidates if self._may_sign(each)), None)
        if as_of is None:
            self._complain(command_offset)
            return None
        if self._commands.seconds_since(as_of) < OLD_ENOUGH_S:
            return None
        head = state.audit_head_at(as_of).hex()
        return Marker(epoch=epoch, command_offset=command_offset, as_of=as_of, audit_head=head)

    def _is_fresh(self, partition: int, epoch: int) -> bool:
        """Whether the last marker was written so lately that another try would fare no better."""
        return time.monotonic() - self._written_at.get((partition, epoch), float("-inf")) < OLD_ENOUGH_S

    def _may_sign(self, command_offset: int) -> bool:
        officer = self._commands.state.officers_at(command_offset).get(self._officer)
        return officer is not None and officer.may("marker") and officer.public_key == self._public_key

    def _complain(self, command_offset: int) -> None:
        now = time.monotonic()
        if now - self._complained_at > _COMPLAIN_EVERY_S:
            self._complained_at = now
            self._log.error(
                "this service's marker key is no officer's with the role marker; the epoch cannot complete",
                command_offset=command_offset,
            )


def _lacks(holding: Holding, epoch: int) -> bool:
    """Whether a marker must be written; what the group had read before must be read again first."""
    return holding.caught_up and holding.epochs.last_ended < epoch and epoch not in holding.markers_written


def marker_key_of(settings: MarkerSettings) -> Ed25519PrivateKey:
    """The key that signs markers. Raises StopService where it cannot be used."""
    if settings.key_file is None:
        raise StopService("registration signs markers: set ROLLSTREAM_MARKER__KEY_FILE", cause="settings")
    try:
        return signing.load_private_key(settings.key_file)
    except (signing.UnusableKey, OSError) as error:
        raise StopService(f"the marker key cannot be used: {error}", cause="settings") from None
