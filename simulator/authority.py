"""Who may do what in a register with devices, for the truth: the contract's paragraph on areas."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from client.wire import BATCH_CLOSED
from simulator.messages import TYPE, Message
from simulator.offices import Device, holds

REGISTERED, CORRECTED, REMOVED = (TYPE.format(verb) for verb in ("registered", "corrected", "removed"))


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A row of `devices.json`; `public_key` is the base64 of the raw bytes."""

    device: str
    public_key: str
    office: str
    areas: tuple[str, ...]

    @staticmethod
    def of(device: Device) -> "DeviceRow":
        """The row of a device that has a key."""
        assert device.key is not None
        return DeviceRow(device.name, device.key.public, device.office, device.areas)


class Authority:
    """The devices that a register has adopted."""

    def __init__(self, devices: Iterable[DeviceRow]) -> None:
        self._rows = {row.device: row for row in devices}

    def allows(self, message: Message, last: str | None, transferred: int | None, epoch: int) -> bool:
        """Whether the event may be done by the device that it names.

        `last` is the data of the registration's last version with a residence, None for what was never
        registered; `transferred` the epoch in which it was last transferred.
        """
        data = json.loads(message.data)
        row = self._signed_by(message, data)
        if row is None:
            return False
        if message.type == BATCH_CLOSED:
            return True
        if message.type == REGISTERED:
            return holds(row.areas, _village(data))
        if last is None:
            return True
        before = json.loads(last)
        if message.type == REMOVED:
            return holds(row.areas, _village(before)) and transferred != epoch
        if message.type == CORRECTED:
            return holds(row.areas, _village(before)) and holds(row.areas, _village(data))
        return holds(row.areas, _village(data)) and _told(data["voter"]) == _told(before["voter"])

    def _signed_by(self, message: Message, data: dict[str, Any]) -> DeviceRow | None:
        """The row of the device that signed the event as it is, if it is the one named in it."""
        capture = data if message.type == BATCH_CLOSED else data["capture"]
        row = self._rows.get(message.signer.name)
        whole = message.signature is None and row is not None
        named = (capture["device"], capture["office"])
        return row if whole and row and named == (row.device, row.office) else None


def _village(data: dict[str, Any]) -> str:
    return str(data["residence"]["village_code"])


def _told(voter: Any) -> Any:
    """What a voter says: a missing member and one that is null are the same."""
    if isinstance(voter, dict):
        return {name: _told(item) for name, item in voter.items() if item is not None}
    return voter
