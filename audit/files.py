"""The reference files, read as the contract describes them."""

import base64
import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from audit.decoding import loads
from audit.identifiers import identifier
from shared.contracts.model_file import InvalidModel, Model, parse_model

ReferenceFiles = Mapping[str, bytes]
"""SHA-256 in hex to the bytes of the file."""

ROLES = {"adjudicator", "approver", "publisher", "administrator", "marker"}


class UnreadableFile(ValueError):
    """The file is none of its kind."""


def lies_in(place: str, areas: Iterable[str]) -> bool:
    """Whether a commune or village lies in one of the provinces, districts or communes."""
    return any(place.startswith(code) for code in areas)


@dataclass(frozen=True, slots=True)
class Officer:
    """Who may sign; `key` is 32 raw bytes, `areas` None where there is no bound."""

    name: str
    key: bytes
    roles: frozenset[str]
    areas: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Device:
    """What may sign events, for which office, and where that office may act; `key` is 32 raw bytes."""

    name: str
    key: bytes
    office: str
    areas: frozenset[str]


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
    for item in _objects(raw, {"name", "public_key", "roles"}, {"areas"}):
        roles = item["roles"]
        if not isinstance(roles, list) or not all(isinstance(role, str) and role in ROLES for role in roles):
            raise UnreadableFile("officers")
        areas = _areas(item["areas"]) if "areas" in item else None
        officer = Officer(_identifier(item["name"]), _key(item["public_key"]), frozenset(roles), areas)
        if officer.name in found:
            raise UnreadableFile("officers")
        found[officer.name] = officer
    if not found:
        raise UnreadableFile("officers")
    return found


@cache
def devices(raw: bytes) -> dict[str, Device]:
    """Devices by name; there may be none. Raises UnreadableFile."""
    found: dict[str, Device] = {}
    keys: set[bytes] = set()
    of_office: dict[str, frozenset[str]] = {}
    for item in _objects(raw, {"device", "public_key", "office", "areas"}, set()):
        device = Device(
            _identifier(item["device"]),
            _key(item["public_key"]),
            _identifier(item["office"]),
            _areas(item["areas"]),
        )
        if device.name in found or device.key in keys or not device.areas:
            raise UnreadableFile("devices")
        if of_office.setdefault(device.office, device.areas) != device.areas:
            raise UnreadableFile("devices")
        found[device.name] = device
        keys.add(device.key)
    return found


def signing_key(raw: bytes) -> Ed25519PublicKey:
    """The public key of lists. Raises UnreadableFile."""
    try:
        key = load_pem_public_key(raw)
    except (ValueError, UnsupportedAlgorithm):
        raise UnreadableFile("signing_key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise UnreadableFile("signing_key")
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """The id by which lists name the key that signed them."""
    return hashlib.sha256(key.public_bytes_raw()).digest()[:16].hex()


@cache
def place_codes(raw: bytes) -> set[str]:
    """Every code of the gazetteer. Raises UnreadableFile."""
    rows = _rows(raw, ["code", "name_km", "name_latin"])
    codes = {row["code"] for row in rows}
    for code in codes:
        whole = _digits(code) and len(code) in (2, 4, 6, 8)
        if not whole or (len(code) > 2 and code[:-2] not in codes):
            raise UnreadableFile("gazetteer")
    if len(codes) < len(rows):
        raise UnreadableFile("gazetteer")
    return codes


@cache
def stations(raw: bytes) -> dict[str, Station]:
    """Stations by code, in the order of the file. Raises UnreadableFile."""
    found: dict[str, Station] = {}
    for row in _rows(raw, ["station", "name_km", "name_latin", "commune", "villages", "capacity"]):
        code, commune, capacity = row["station"], row["commune"], row["capacity"]
        villages = row["villages"].split()
        if code in found or identifier(code) is None or not _digits(commune) or len(commune) != 6:
            raise UnreadableFile("stations")
        if len(set(villages)) < len(villages) or not all(
            _digits(village) and len(village) == 8 and village.startswith(commune) for village in villages
        ):
            raise UnreadableFile("stations")
        if not _digits(capacity) or len(capacity) > 3 or int(capacity) > 750:
            raise UnreadableFile("stations")
        found[code] = Station(code, commune, frozenset(villages), int(capacity))
    return found


def model(raw: bytes) -> Model:
    """The model of matching. Raises UnreadableFile."""
    try:
        return parse_model(raw)
    except InvalidModel:
        raise UnreadableFile("model") from None


READERS: Mapping[str, Callable[[bytes], object]] = {
    "officers": officers,
    "signing_key": signing_key,
    "gazetteer": place_codes,
    "stations": stations,
    "model": model,
    "devices": devices,
}
"""By kind; each raises UnreadableFile."""


def _rows(raw: bytes, columns: list[str]) -> list[dict[str, str]]:
    """The rows of a file with exactly these columns, each row with all of them; empty lines say nothing."""
    try:
        lines = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise UnreadableFile("CSV") from None
    if lines[:1] != [columns] or any(len(line) != len(columns) for line in lines if line):
        raise UnreadableFile("CSV")
    return [dict(zip(columns, line, strict=True)) for line in lines[1:] if line]


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _objects(raw: bytes, names: set[str], optional: set[str]) -> list[dict[str, Any]]:
    """A JSON list of objects with these members."""
    try:
        items = loads(raw)
    except ValueError:
        raise UnreadableFile("JSON") from None
    if not isinstance(items, list):
        raise UnreadableFile("JSON")
    for item in items:
        if not isinstance(item, dict) or not names <= set(item) <= names | optional:
            raise UnreadableFile("JSON")
    return items


def _identifier(value: object) -> str:
    found = identifier(value)
    if found is None:
        raise UnreadableFile("identifier")
    return found


def _key(value: object) -> bytes:
    try:
        raw = base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except ValueError:
        raise UnreadableFile("key") from None
    if len(raw) != 32:
        raise UnreadableFile("key")
    return raw


def _areas(value: object) -> frozenset[str]:
    if not isinstance(value, list):
        raise UnreadableFile("areas")
    for code in value:
        if not isinstance(code, str) or not _digits(code) or len(code) not in (2, 4, 6):
            raise UnreadableFile("areas")
    return frozenset(value)
