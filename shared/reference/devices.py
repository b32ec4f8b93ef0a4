"""Which devices may send events, for which office, into which areas, and what they sign."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, TypeAdapter, ValidationError

from shared.contracts import strict_json
from shared.contracts.fields import Identifier, Strict, field_errors
from shared.contracts.identity import event_signing_bytes
from shared.crypto import signing
from shared.reference.areas import Area, AreaCode


class _Item(Strict):
    """A device that may send events."""

    device: Identifier
    """In the file once."""
    public_key: Annotated[str, Field(json_schema_extra={"pattern": signing.RAW_PUBLIC})]
    """The 32 raw bytes of its Ed25519 public key in base64; in the file once."""
    office: Identifier
    """The office that it captures for."""
    areas: Annotated[list[AreaCode], Field(min_length=1)]
    """Provinces, districts or communes that the office captures in; the same codes in all of its rows."""


@cache
def file_model() -> TypeAdapter[list[_Item]]:
    """The shape of a devices file; `parse_devices` looks at more than the shape."""
    return TypeAdapter(list[_Item])


class InvalidDevices(ValueError):
    """The file is no list of devices; the text says where and which rule."""


@dataclass(frozen=True, slots=True)
class Device:
    """What a device may do: send for its office, into the office's area. `public_key` is 32 raw bytes."""

    name: str
    public_key: bytes
    office: str
    area: Area


Devices = Mapping[str, Device]
"""The devices by name; none at all authorises nobody."""


def parse_devices(raw: bytes) -> dict[str, Device]:
    """Read a devices file: `[{"device", "public_key", "office", "areas"}]`, by name. Raises InvalidDevices.

    Devices and keys are there once each, and an office has one area, whatever the order of its codes.
    """
    try:
        items = file_model().validate_python(strict_json.loads(raw))
    except strict_json.RefusedJSON as refused:
        raise InvalidDevices(refused.code) from None
    except ValidationError as error:
        first = field_errors(error)[0]
        raise InvalidDevices(f"{first['path']}: {first['rule']}") from None
    devices: dict[str, Device] = {}
    keys: set[bytes] = set()
    areas: dict[str, Area] = {}
    for at, item in enumerate(items):
        try:
            key = signing.decode_raw_public(item.public_key)
        except signing.UnusableKey as unusable:
            raise InvalidDevices(f"{at}.public_key: {unusable}") from None
        area = frozenset(item.areas)
        if item.device in devices:
            raise InvalidDevices(f"{at}.device: duplicate")
        if key in keys:
            raise InvalidDevices(f"{at}.public_key: duplicate")
        if areas.setdefault(item.office, area) != area:
            raise InvalidDevices(f"{at}.areas: other than the office's")
        keys.add(key)
        devices[item.device] = Device(item.device, key, item.office, area)
    return devices


def devices_file(devices: Iterable[Device]) -> list[dict[str, Any]]:
    """The JSON of a devices file."""
    return [
        {
            "device": device.name,
            "public_key": base64.b64encode(device.public_key).decode(),
            "office": device.office,
            "areas": sorted(device.area),
        }
        for device in devices
    ]


def sign_event(
    register: str, key: Ed25519PrivateKey, ce_type: str, ce_source: str, ce_id: str, data: Any
) -> str:
    """The signature of an event, for its header or its attribute.

    Raises ValueError for data without a canonical form.
    """
    return signing.encode_signature(key.sign(event_signing_bytes(register, ce_type, ce_source, ce_id, data)))


def signed_by_device(
    device: Device, register: str, ce_type: str, ce_source: str, ce_id: str, data: Any, signature: bytes
) -> bool:
    """Whether `signature` (base64, as it lay) is the device's over exactly this event."""
    decoded = signing.decode_signature(signature)
    if decoded is None:
        return False
    try:
        message = event_signing_bytes(register, ce_type, ce_source, ce_id, data)
    except ValueError:
        return False
    return signing.verify(device.public_key, decoded, message)
