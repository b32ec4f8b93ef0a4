"""What devices sign with. Their keys come from the seed and are no secret: a generated register is to try."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.contracts.identity import event_signing_bytes

USUAL_SEEDS = (1, 2026)
"""Of `rollstream generate` and `rollstream demo`, unless another is given."""


def is_generated(device: str, public_key: str, seeds: Iterable[int] = USUAL_SEEDS) -> bool:
    """Whether anybody can make this device's private key, since it comes from a usual seed and its name."""
    return any(DeviceKey(seed, device, "").public == public_key for seed in seeds)


class DeviceKey:
    """The Ed25519 key of one device, which signs for one register."""

    def __init__(self, seed: int, device: str, register: str) -> None:
        secret = hashlib.sha256(f"device key/{seed}/{device}".encode()).digest()
        self._private = Ed25519PrivateKey.from_private_bytes(secret)
        self._register = register

    @property
    def public(self) -> str:
        """Base64 of the 32 raw bytes of the public key."""
        return b64encode(self._private.public_key().public_bytes_raw()).decode()

    def signature(self, ce_type: str, source: str, event_id: str, data: str) -> str:
        """The device's signature of an event, in base64; `data` is JSON."""
        signed = event_signing_bytes(self._register, ce_type, source, event_id, json.loads(data))
        return b64encode(self._private.sign(signed)).decode()
