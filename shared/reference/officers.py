"""Who the officers are, and what they sign."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import Field, TypeAdapter, ValidationError

from shared.contracts import cloudevents, strict_json
from shared.contracts.commands import OFFICER_HEADER, SIGNATURE_HEADER, Role
from shared.contracts.fields import Identifier, Strict, field_errors
from shared.contracts.identity import command_signing_bytes
from shared.crypto import signing
from shared.reference.areas import Area, AreaCode, holds

ROLES: tuple[Role, ...] = get_args(Role)


class _Item(Strict):
    """An officer, or a service that signs."""

    name: Identifier
    """In the file once."""
    public_key: Annotated[str, Field(json_schema_extra={"pattern": signing.RAW_PUBLIC})]
    """The 32 raw bytes of an Ed25519 public key in base64."""
    roles: list[Role]
    """What they may do."""
    areas: list[AreaCode] = Field(default=[])
    """Provinces, districts or communes whose conflicts they may decide. Absent: everywhere, and everything
    that their roles allow; an empty list reaches nothing."""


@cache
def file_model() -> TypeAdapter[list[_Item]]:
    """The shape of an officers file, which is never empty; `parse_officers` looks at more than the shape."""
    return TypeAdapter(list[_Item])


class InvalidOfficers(ValueError):
    """The file is no list of officers; the text says where and which rule."""


@dataclass(frozen=True, slots=True)
class Officer:
    """A person, or a service, that may sign. `public_key` is 32 raw bytes; `areas` None means everywhere."""

    name: str
    public_key: bytes
    roles: frozenset[Role]
    areas: Area | None = None

    def may(self, role: Role) -> bool:
        """Whether the officer holds that role."""
        return role in self.roles

    def reaches(self, communes: Iterable[str]) -> bool:
        """Whether a commune lies in the officer's areas; an officer with areas reaches nothing else."""
        return self.areas is None or any(holds(self.areas, commune) for commune in communes)


def parse_officers(raw: bytes) -> dict[str, Officer]:
    """Read an officers file: `[{"name", "public_key", "roles", "areas"}]`, by name. Raises InvalidOfficers.

    `areas` may be missing; an empty list reaches nothing.
    """
    try:
        items = file_model().validate_python(strict_json.loads(raw))
    except strict_json.RefusedJSON as refused:
        raise InvalidOfficers(refused.code) from None
    except ValidationError as error:
        first = field_errors(error)[0]
        raise InvalidOfficers(f"{first['path']}: {first['rule']}") from None
    if not items:
        raise InvalidOfficers("length")  # nobody could ever act again
    officers: dict[str, Officer] = {}
    for at, item in enumerate(items):
        if item.name in officers:
            raise InvalidOfficers(f"{at}.name: duplicate")
        try:
            key = signing.decode_raw_public(item.public_key)
        except signing.UnusableKey as unusable:
            raise InvalidOfficers(f"{at}.public_key: {unusable}") from None
        areas = frozenset(item.areas) if "areas" in item.model_fields_set else None
        officers[item.name] = Officer(item.name, key, frozenset(item.roles), areas)
    return officers


def officers_file(officers: Iterable[Officer]) -> list[dict[str, Any]]:
    """The JSON of an officers file."""
    return [
        {
            "name": officer.name,
            "public_key": base64.b64encode(officer.public_key).decode(),
            "roles": [role for role in ROLES if role in officer.roles],
            **({} if officer.areas is None else {"areas": sorted(officer.areas)}),
        }
        for officer in officers
    ]


def sign_command(
    register: str, officer: str, key: Ed25519PrivateKey, ce_type: str, ce_id: str, value: bytes
) -> tuple[tuple[str, bytes], ...]:
    """The headers by which an officer answers for a message: `rollstream-officer` and its signature."""
    signature = key.sign(command_signing_bytes(register, ce_type, ce_id, value))
    return (
        (OFFICER_HEADER, officer.encode()),
        (SIGNATURE_HEADER, signing.encode_signature(signature).encode()),
    )


def command_headers(
    register: str, officer: str, key: Ed25519PrivateKey, ce_type: str, ce_id: str, value: bytes
) -> tuple[tuple[str, bytes], ...]:
    """All headers of a signed command in binary mode."""
    source = f"rollstream/{officer}/{register}"
    return (
        *cloudevents.encode(source, ce_id, ce_type),
        *sign_command(register, officer, key, ce_type, ce_id, value),
    )


def signed_by(
    officer: Officer, register: str, ce_type: str, ce_id: str, value: bytes, signature: bytes
) -> bool:
    """Whether `signature` (the header as it lay, base64) is the officer's over exactly this message."""
    decoded = signing.decode_signature(signature)
    if decoded is None:
        return False
    return signing.verify(officer.public_key, decoded, command_signing_bytes(register, ce_type, ce_id, value))
