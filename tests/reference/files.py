"""The reference files, read as the contract describes them."""

import base64
import binascii
import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from shared.contracts import strict_json

ReferenceFiles = Mapping[str, bytes]
"""SHA-256 in hex to the bytes of the file."""

ROLES = {"adjudicator", "approver", "publisher", "administrator", "marker"}


class UnreadableFile(ValueError):
    """The file is none of its kind."""


@dataclass(frozen=True, slots=True)
class Officer:
    """Who may sign; `key` is 32 raw bytes."""

    name: str
    key: bytes
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Station:
    """A polling station; without villages it serves its whole commune."""

    code: str
    commune: str
    villages: frozenset[str]
    capacity: int

    def serves(self, place: str) -> bool:
        """Whether it serves a village (eight digits), or stands in a commune (six)."""
        if len(place) == 6 or not self.villages:
            return self.commune == place[:6]
        return place in self.villages


@cache
def officers(raw: bytes) -> dict[str, Officer]:
    """Officers by name. Raises UnreadableFile."""
    found: dict[str, Officer] = {}
    try:
        items = strict_json.loads(raw)
        for item in items if isinstance(items, list) else [None]:
            if not isinstance(item, dict) or set(item) != {"name", "public_key", "roles"}:
                raise UnreadableFile("officers")
            name, roles = item["name"], item["roles"]
            key = base64.b64decode(item["public_key"], validate=True)
            if name in found or len(key) != 32 or not set(roles) <= ROLES:
                raise UnreadableFile("officers")
            found[name] = Officer(name, key, frozenset(roles))
    except (strict_json.RefusedJSON, binascii.Error, TypeError):
        raise UnreadableFile("officers") from None
    if not found:
        raise UnreadableFile("officers")
    return found


def signing_key(raw: bytes) -> Ed25519PublicKey:
    """The public key of lists. Raises UnreadableFile."""
    try:
        key = load_pem_public_key(raw)
    except ValueError:
        raise UnreadableFile("signing_key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise UnreadableFile("signing_key")
    return key


@cache
def place_codes(raw: bytes) -> set[str]:
    """Every code of the gazetteer."""
    return {row["code"] for row in _rows(raw)}


@cache
def stations(raw: bytes) -> dict[str, Station]:
    """Stations by code, in the order of the file."""
    return {
        row["station"]: Station(
            row["station"], row["commune"], frozenset(row["villages"].split()), int(row["capacity"])
        )
        for row in _rows(raw)
    }


def _rows(raw: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
