"""A devices file is looked at before it is adopted: keys that everybody can make sign nothing."""

from __future__ import annotations

import base64
from pathlib import Path

from client.bounded import TooLarge, read_bounded
from client.output import fail
from shared.process.settings import Settings
from shared.reference.devices import InvalidDevices, parse_devices
from simulator.keys import is_generated


def require_own_keys(settings: Settings, file: Path) -> None:
    """End the command if the file has keys of `rollstream generate`, unless this is a demo.

    A file that cannot be read, or is none, is told by whoever reads it next.
    """
    if settings.demo:
        return
    try:
        devices = parse_devices(read_bounded(file))
    except (OSError, InvalidDevices, TooLarge):
        return
    for name, device in devices.items():
        if is_generated(name, base64.b64encode(device.public_key).decode()):
            fail(
                f"{file}: the key of {name} is one that `rollstream generate` makes, so everybody can make "
                "it. Nothing was done: take keys of your own, or set ROLLSTREAM_DEMO=true where nothing is "
                "at stake"
            )
