"""Who acts, and how an act is sealed and signed. Pure."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.contracts import cloudevents
from shared.contracts.commands import OFFICER_HEADER, SIGNATURE_HEADER
from shared.contracts.identity import canonical, command_signing_bytes
from shared.contracts.operations import OperationType, parse
from shared.contracts.topics import Topic
from shared.crypto import signing
from shared.operations.trail import Trail
from shared.runtime.record import Output


@dataclass(frozen=True, slots=True)
class Actor:
    """An officer, or a process of a service. `officer` is whose key signs, if it is an officer's."""

    officer: str | None = None
    key: Ed25519PrivateKey | None = None
    service: str | None = None
    instance: str | None = None

    @property
    def by(self) -> dict[str, str]:
        """As an act names it; what does not apply is left out."""
        key_id = None if self.key is None else signing.key_id(self.key.public_key())
        told = {
            "officer": self.officer,
            "service": self.service,
            "instance": self.instance,
            "key_id": key_id,
        }
        return {name: value for name, value in told.items() if value is not None}

    @property
    def name(self) -> str:
        """For the record's key and source."""
        return self.service or self.officer or ""


def sealed(
    register: str, actor: Actor, ce_type: OperationType, facts: Mapping[str, Any], trail: Trail
) -> Output:
    """The record of an act; it seals the trail as its writer read it.

    Raises InvalidOperation where the facts break the contract.
    """
    data = {"as_of": trail.as_of, "head": trail.head.hex(), "by": actor.by, **facts}
    parse(ce_type, data)
    value, ce_id = canonical(data), str(uuid.uuid4())
    source = f"rollstream/{actor.name}/{register}"
    headers = list(cloudevents.encode(source, ce_id, ce_type))
    if actor.officer is not None:
        headers.append((OFFICER_HEADER, actor.officer.encode()))
    if actor.key is not None:
        signature = actor.key.sign(command_signing_bytes(register, ce_type, ce_id, value))
        headers.append((SIGNATURE_HEADER, signing.encode_signature(signature).encode()))
    return Output(Topic.OPERATIONS.value, 0, actor.name.encode(), value, tuple(headers))
