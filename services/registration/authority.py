"""Which device sent an event, and whether it may: signatures, offices and areas. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.registration.history import Version
from services.registration.intake import Incoming
from shared.contracts.events import BatchClosed, EventData, EventType, Registration
from shared.contracts.identity import canonical, sha256_hex, without_nulls
from shared.reference.areas import Area, holds
from shared.reference.devices import Devices, signed_by_device


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of an event, as far as a signature shows it.

    `proven`: the device that the event names signed it, for the office of its row. `area` is what it may act
    for; None: everywhere, since no devices are in force.
    """

    proven: bool
    area: Area | None


ANYBODY: Final = Sender(True, None)
"""No devices are in force, and no signature is looked at."""
UNKNOWN: Final = Sender(False, frozenset())


def sender_of(incoming: Incoming, devices: Devices | None, register: str) -> Sender:
    """The sender of an event by the devices in force; None where no devices are in force."""
    if devices is None:
        return ANYBODY
    device = devices.get(incoming.device or "")
    if device is None or incoming.office != device.office or incoming.signature is None:
        return UNKNOWN
    event = incoming.event
    signed = signed_by_device(
        device, register, event.type, event.source, event.id, event.data, incoming.signature
    )
    return Sender(True, device.area) if signed else UNKNOWN


def authorised(
    sender: Sender, incoming: Incoming, data: EventData, history: Sequence[Version], epoch: int
) -> bool:
    """Whether the sender may do this to the registration with that history.

    `data` are the event's, which passed the contract, and `epoch` is the event's own.

    The area of all but a first registration is not looked at where there is no history: such an event is of
    an unknown registration.
    """
    if not sender.proven:
        return False
    if sender.area is None or isinstance(data, BatchClosed):
        return True
    event = incoming.event
    into = isinstance(data, Registration) and holds(sender.area, data.residence.village_code)
    if event.type == EventType.REGISTERED:
        return into
    if not history:
        return True
    last = history[-1]
    out_of = holds(sender.area, last.commune)
    if event.type == EventType.REMOVED:
        return out_of and not _came_in(history, epoch)
    if event.type == EventType.CORRECTED:
        return out_of and into
    return into and voter_hash(event.data["voter"]) == last.voter_sha256


def voter_hash(voter: Any) -> str:
    """What a voter is compared by: as in `digest`, null members left out."""
    return sha256_hex(canonical(without_nulls(voter)))


def _came_in(history: Sequence[Version], epoch: int) -> bool:
    """Whether the registration came by a transfer in this epoch, whatever followed.

    Otherwise an office could take somebody over and remove them before anybody sees it.
    """
    return any(each.type == EventType.TRANSFERRED and each.epoch == epoch for each in history)
