"""The reference files, read as the contract describes them."""

import base64
import csv
import io
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from shared.contracts import strict_json
from shared.contracts.model_file import InvalidModel, Model, parse_model

ReferenceFiles = Mapping[str, bytes]
"""SHA-256 in hex to the bytes of the file."""

ROLES = {"adjudicator", "approver", "publisher", "administrator", "marker"}
IDENTIFIER_CHARACTERS = {*string.ascii_letters, *string.digits, *"-_."}


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
            if not _identifier(name) or name in found or len(key) != 32:
                raise UnreadableFile("officers")
            if not isinstance(roles, list) or not set(roles) <= ROLES:
                raise UnreadableFile("officers")
            found[name] = Officer(name, key, frozenset(roles))
    except (ValueError, TypeError):
        raise UnreadableFile("officers") from None
    if not found:
        raise UnreadableFile("officers")
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
        if code in found or not _identifier(code) or not _digits(commune) or len(commune) != 6:
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


def _identifier(text: object) -> bool:
    return isinstance(text, str) and 1 <= len(text) <= 64 and set(text) <= IDENTIFIER_CHARACTERS
