"""Reference data: files named by their SHA-256, adopted by officers, the same bytes for every service."""

import csv
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar, cast

from shared.contracts.identity import sha256_hex
from shared.contracts.model_file import InvalidModel, parse_model
from shared.crypto import signing
from shared.process.errors import ReferenceAway
from shared.reference.devices import Device, InvalidDevices, parse_devices
from shared.reference.officers import InvalidOfficers, Officer, parse_officers

MAX_CAPACITY: Final = 750
"""Most entries on a list."""

FILE_BYTES: Final = 64 * 1024 * 1024
"""Most bytes of a reference file; the stations of a whole country have some 5 MB."""

GAZETTEER_COLUMNS = ["code", "name_km", "name_latin"]
STATION_COLUMNS = ["station", "name_km", "name_latin", "commune", "villages", "capacity"]
_Parsed = TypeVar("_Parsed")
_IDENTIFIER = re.compile(r"[A-Za-z0-9._-]{1,64}")


class MissingReference(ReferenceAway):
    """A file that a command names is not in the reference folder, or has other bytes: waited for, by name."""

    def __init__(self, kind: str, sha256: str, why: str = "is missing") -> None:
        super().__init__(f"the {kind} {sha256} {why} in the reference folder")
        self.kind = kind
        self.sha256 = sha256


class InvalidReference(ValueError):
    """A file that breaks the contract: line (1-based, 0 for the whole file) and rule."""

    def __init__(self, kind: str, line: int, rule: str) -> None:
        super().__init__(f"{kind}, line {line}: {rule}" if line else f"{kind}: {rule}")
        self.kind = kind
        self.line = line
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Place:
    """The codes of a commune (village None) or of a village, each beginning with its parent's."""

    province: str
    district: str
    commune: str
    village: str | None


@dataclass(frozen=True, slots=True)
class Gazetteer:
    """Every place of the country: code to its names in Khmer and Latin."""

    names: Mapping[str, tuple[str, str]]

    def resolve(self, code: str) -> Place | None:
        """The place of a village's eight digits or a commune's six; None where there is none."""
        if len(code) not in (6, 8) or code not in self.names:
            return None
        return Place(code[:2], code[:4], code[:6], code if len(code) == 8 else None)


@dataclass(frozen=True, slots=True)
class Station:
    """A polling station; `villages` empty: it serves its whole commune."""

    code: str
    name_km: str
    name_latin: str
    commune: str
    villages: tuple[str, ...]
    capacity: int

    @property
    def province(self) -> str:
        """The two digits of its province."""
        return self.commune[:2]

    def serves(self, village_code: str) -> bool:
        """Whether it serves a village, or for a commune's six digits, whether it lies there."""
        if village_code[:6] != self.commune:
            return False
        return len(village_code) == 6 or not self.villages or village_code in self.villages


@dataclass(frozen=True, slots=True)
class Stations:
    """The polling stations by code, in the order of the file."""

    by_code: Mapping[str, Station]
    by_commune: Mapping[str, tuple[Station, ...]]

    def serving(self, village_code: str) -> list[Station]:
        """The stations of a village, or of a commune for a six-digit code, in file order.

        A station serves a village if it names it, or names none and lies in its commune.
        """
        commune = self.by_commune.get(village_code[:6], ())
        return [station for station in commune if station.serves(village_code)]


def parse_gazetteer(raw: bytes) -> Gazetteer:
    """Read `code,name_km,name_latin`. Raises InvalidReference."""
    names: dict[str, tuple[str, str]] = {}
    lines: dict[str, int] = {}
    for line, (code, name_km, name_latin) in _rows("gazetteer", raw, GAZETTEER_COLUMNS):
        if not _is_code(code, 2, 4, 6, 8):
            raise InvalidReference("gazetteer", line, "code: 2, 4, 6 or 8 digits")
        if code in names:
            raise InvalidReference("gazetteer", line, "code: twice in the file")
        names[code] = (name_km, name_latin)
        lines[code] = line
    for code, line in lines.items():
        if len(code) > 2 and code[:-2] not in names:
            raise InvalidReference("gazetteer", line, "code: its parent is not in the file")
    return Gazetteer(names)


def parse_stations(raw: bytes) -> Stations:
    """Read `station,name_km,name_latin,commune,villages,capacity`. Raises InvalidReference."""
    by_code: dict[str, Station] = {}
    by_commune: dict[str, list[Station]] = {}
    for line, cells in _rows("stations", raw, STATION_COLUMNS):
        station = _station(line, *cells)
        if station.code in by_code:
            raise InvalidReference("stations", line, "station: twice in the file")
        by_code[station.code] = station
        by_commune.setdefault(station.commune, []).append(station)
    return Stations(
        by_code,
        {commune: tuple(stations) for commune, stations in by_commune.items()},
    )


def validate(kind: str, raw: bytes) -> None:
    """Raise InvalidReference unless the bytes are a reference file of that kind.

    The fold of commands asks this of every adoption, so all versions of the software must answer alike.
    """
    try:
        _PARSERS[kind](raw)
    except (InvalidModel, InvalidOfficers, InvalidDevices, signing.UnusableKey) as error:
        raise InvalidReference(kind, 0, str(error)) from None


class ReferenceStore:
    """The reference folder; what was parsed is kept, since a file never changes under its name."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._parsed: dict[tuple[str, str], object] = {}

    def read(self, kind: str, sha256: str) -> bytes:
        """The bytes of a file. Raises MissingReference."""
        try:
            with (self._directory / sha256).open("rb") as file:
                raw = file.read(FILE_BYTES + 1)
        except OSError:
            raise MissingReference(kind, sha256) from None
        if len(raw) > FILE_BYTES:
            raise MissingReference(kind, sha256, f"has more than {FILE_BYTES} bytes")
        if sha256_hex(raw) != sha256:
            raise MissingReference(kind, sha256, "has other bytes")
        return raw

    def put(self, kind: str, raw: bytes) -> str:
        """Check a file, keep it under its SHA-256 and answer that. Raises InvalidReference."""
        if len(raw) > FILE_BYTES:
            raise InvalidReference(kind, 0, f"more than {FILE_BYTES} bytes")
        validate(kind, raw)
        sha256 = sha256_hex(raw)
        self._directory.mkdir(parents=True, exist_ok=True)
        unfinished = self._directory / f".{sha256}.{os.getpid()}"
        unfinished.write_bytes(raw)
        unfinished.replace(self._directory / sha256)
        return sha256

    def gazetteer(self, sha256: str) -> Gazetteer:
        """Raises MissingReference, InvalidReference."""
        return self._get("gazetteer", sha256, parse_gazetteer)

    def stations(self, sha256: str) -> Stations:
        """Raises MissingReference, InvalidReference."""
        return self._get("stations", sha256, parse_stations)

    def officers(self, sha256: str) -> dict[str, Officer]:
        """Raises MissingReference, InvalidOfficers."""
        return self._get("officers", sha256, parse_officers)

    def devices(self, sha256: str) -> dict[str, Device]:
        """Raises MissingReference, InvalidDevices."""
        return self._get("devices", sha256, parse_devices)

    def _get(self, kind: str, sha256: str, parse: Callable[[bytes], _Parsed]) -> _Parsed:
        found = self._parsed.get((kind, sha256))
        if found is None:
            found = self._parsed[kind, sha256] = parse(self.read(kind, sha256))
        return cast(_Parsed, found)


def _is_code(text: str, *lengths: int) -> bool:
    # A pattern takes six times as long, and every command that shows a place reads 16,000 codes.
    return len(text) in lengths and text.isascii() and text.isdigit()


def _station(
    line: int, code: str, name_km: str, name_latin: str, commune: str, villages: str, capacity: str
) -> Station:
    if not _IDENTIFIER.fullmatch(code):
        raise InvalidReference("stations", line, "station: no identifier")
    if not _is_code(commune, 6):
        raise InvalidReference("stations", line, "commune: six digits")
    served = tuple(villages.split())
    for village in served:
        if not _is_code(village, 8) or village[:6] != commune:
            raise InvalidReference("stations", line, "villages: eight digits, beginning with the commune's")
    if len(set(served)) != len(served):
        raise InvalidReference("stations", line, "villages: twice in the row")
    if not re.fullmatch(r"[0-9]{1,3}", capacity) or int(capacity) > MAX_CAPACITY:
        raise InvalidReference("stations", line, f"capacity: 0 to {MAX_CAPACITY}")
    return Station(code, name_km, name_latin, commune, served, int(capacity))


def _rows(kind: str, raw: bytes, columns: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows after the header with their line numbers; empty lines are skipped."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidReference(kind, 0, "not UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        if next(reader, None) != columns:
            raise InvalidReference(kind, 1, f"the columns are {','.join(columns)}")
        for row in reader:
            if not row:
                continue
            if len(row) != len(columns):
                raise InvalidReference(kind, reader.line_num, f"{len(columns)} columns")
            yield reader.line_num, row
    except csv.Error:
        raise InvalidReference(kind, reader.line_num, "no CSV") from None


_PARSERS: Mapping[str, Callable[[bytes], object]] = {
    "gazetteer": parse_gazetteer,
    "stations": parse_stations,
    "model": parse_model,
    "officers": parse_officers,
    "devices": parse_devices,
    "signing_key": signing.load_public_pem,
}
