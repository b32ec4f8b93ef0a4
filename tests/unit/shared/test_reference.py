"""Reference files: what they hold, and what is refused of them."""

from pathlib import Path

import pytest

from shared.contracts.identity import sha256_hex
from shared.reference import files as reference
from shared.reference.files import InvalidReference, MissingReference, Place, ReferenceStore

GAZETTEER = "code,name_km,name_latin\n01,បន្ទាយមានជ័យ,Banteay\n0102,,\n010203,,\n01020304,ភូមិ,Phum\n"
HEAD = "station,name_km,name_latin,commune,villages,capacity\n"
STATIONS = HEAD + ("S-2,,,010203,01020304 01020305,750\nS-1,,,010203,,700\nS-3,,,010204,01020401,1\n")


def test_a_code_resolves_to_its_parents() -> None:
    places = reference.parse_gazetteer(GAZETTEER.encode())
    assert places.resolve("01020304") == Place("01", "0102", "010203", "01020304")
    assert places.resolve("010203") == Place("01", "0102", "010203", None)
    assert places.names["01020304"] == ("ភូមិ", "Phum")


@pytest.mark.parametrize("code", ["01", "0102", "01020399", "010299", "", "x", "០១០២០៣០៤"])
def test_only_known_communes_and_villages_resolve(code: str) -> None:
    assert reference.parse_gazetteer(GAZETTEER.encode()).resolve(code) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("code,name\n01,a\n", 1),
        (GAZETTEER + "010,a,b\n", 6),
        (GAZETTEER + "01,a,b\n", 6),
        (GAZETTEER + "02020304,a,b\n", 6),
        (GAZETTEER + "02,a\n", 6),
        ("", 1),
    ],
)
def test_a_broken_gazetteer_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(InvalidReference) as caught:
        reference.parse_gazetteer(text.encode())
    assert caught.value.line == line


def test_a_village_is_served_by_those_that_name_it_and_those_that_name_none_in_file_order() -> None:
    stations = reference.parse_stations(STATIONS.encode())
    assert [station.code for station in stations.serving("01020304")] == ["S-2", "S-1"]
    assert [station.code for station in stations.serving("01020399")] == ["S-1"]
    assert [station.code for station in stations.serving("010203")] == ["S-2", "S-1"]
    assert list(stations.serving("99999999")) == []
    assert list(stations.by_code) == ["S-2", "S-1", "S-3"]


@pytest.mark.parametrize(
    "row",
    [
        "S 1,,,010203,,750",
        "S-2,,,010203,,750\nS-2,,,010203,,750",
        "S-1,,,0102,,750",
        "S-1,,,010203,010204,750",
        "S-1,,,010203,01020401,750",
        "S-1,,,010203,01020301 01020301,750",
        "S-1,,,010203,,751",
        "S-1,,,010203,,-1",
        "S-1,,,010203,,",
        "S-1,,,010203,750",
    ],
)
def test_a_broken_station_is_refused_with_its_line(row: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        reference.parse_stations((HEAD + row + "\n").encode())
    assert caught.value.line == 2 + row.count("\n")


def test_a_file_is_kept_and_found_under_its_hash(tmp_path: Path) -> None:
    store = ReferenceStore(tmp_path / "reference")
    sha256 = store.put("stations", STATIONS.encode())
    assert sha256 == sha256_hex(STATIONS.encode())
    assert store.read("stations", sha256) == STATIONS.encode()
    assert store.stations(sha256).by_code["S-3"].capacity == 1


@pytest.mark.parametrize("kind", ["gazetteer", "stations", "model", "officers", "signing_key"])
def test_a_file_that_breaks_its_kind_is_not_kept(kind: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidReference):
        ReferenceStore(tmp_path).put(kind, b"\xff")
    assert not list(tmp_path.iterdir())


def test_a_missing_or_exchanged_file_is_named(tmp_path: Path) -> None:
    store = ReferenceStore(tmp_path)
    sha256 = store.put("gazetteer", GAZETTEER.encode())
    with pytest.raises(MissingReference, match="stations 00"):
        store.read("stations", "00")
    (tmp_path / sha256).write_bytes(b"other")
    with pytest.raises(MissingReference, match="other bytes"):
        store.read("gazetteer", sha256)
