"""The schema of each file format takes the files that `init`, the generator and `verify --proof` write, and
refuses what the parsers refuse."""

import copy
import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from client.init import init_register
from client.proof import inclusion_proof, read_proof
from shared.contracts.cloudevents import decode
from shared.reference.devices import InvalidDevices, parse_devices
from shared.reference.files import InvalidReference, parse_gazetteer, parse_stations
from shared.reference.officers import InvalidOfficers, parse_officers
from simulator.files import write_stream
from simulator.stream import generate_stream
from tools.documents import generate
from tools.documents.examples import examples

FILES: dict[str, Any] = {
    path.removeprefix("files/").removesuffix(".json"): json.loads(content)
    for path, content in generate.documents().items()
    if path.startswith("files/")
}
TABLES = ("gazetteer", "stations")
HONEST = "accepted"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated stream whose devices sign, and the register that `init` makes for it."""
    home = tmp_path_factory.mktemp("made")
    stream = generate_stream(events=5_000, seed=7, register="kh-test")
    write_stream(stream, home / "stream")
    init_register("kh-test", home, home / "stream/stations.csv", home / "stream/devices.json")
    return home


def breaches(name: str, content: Any) -> list[str]:
    """What a reader with the published schema alone finds wrong."""
    return [error.message for error in Draft202012Validator(FILES[name]).iter_errors(content)]


def table_breaches(name: str, text: str) -> list[str]:
    """The same for a CSV file; Table Schema's constraints are as it says them: an empty cell is no value."""
    fields = FILES[name]["fields"]
    rows = csv.reader(io.StringIO(text, newline=""))
    found = [] if next(rows) == [field["name"] for field in fields] else ["header"]
    seen: dict[str, set[str]] = {field["name"]: set() for field in fields}
    for row in rows:
        for field, cell in zip(fields, row, strict=True):
            rules = field.get("constraints", {})
            wrong = (
                bool(rules.get("required"))
                if not cell
                else (rules.get("unique") and cell in seen[field["name"]])
                or ("pattern" in rules and not re.fullmatch(rules["pattern"], cell))
                or ("maximum" in rules and not rules["minimum"] <= int(cell) <= rules["maximum"])
            )
            found += [field["name"]] if wrong else []
            seen[field["name"]].add(cell)
    return found


def test_every_format_has_a_schema_that_says_what_its_parts_are() -> None:
    assert set(FILES) == {"officers", "devices", "model", "proof", "capture-line", *TABLES}
    for name, schema in FILES.items():
        assert schema["description"]
        if name in TABLES:
            assert all(field["description"] for field in schema["fields"])
        else:
            Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", ["officers", "model"])
def test_what_init_writes_is_valid(made: Path, name: str) -> None:
    assert breaches(name, json.loads((made / f"{name}.json").read_bytes())) == []


@pytest.mark.parametrize("name", TABLES)
def test_the_tables_of_a_new_register_are_valid(made: Path, name: str) -> None:
    assert table_breaches(name, (made / f"{name}.csv").read_text("utf-8")) == []


def test_what_the_generator_writes_is_valid(made: Path) -> None:
    assert breaches("devices", json.loads((made / "stream/devices.json").read_bytes())) == []
    validator = Draft202012Validator(FILES["capture-line"])
    truth = csv.DictReader((made / "stream/truth_events.csv").open(encoding="utf-8", newline=""))
    honest = {int(row["line"]) for row in truth if row["expected"] == HONEST}
    types = set()
    for number, line in enumerate((made / "stream/events.jsonl").read_bytes().splitlines(), start=1):
        if number in honest and b'{"raw"' not in line[:10]:
            event = json.loads(line)
            assert list(validator.iter_errors(event)) == [], number
            types.add(event["type"])
    assert len(types) == 6


def test_a_proof_is_valid() -> None:
    shown = examples()["roll.list.v1"]
    proof = inclusion_proof(shown, shown["entries"][0]["registration_id"])
    assert proof is not None
    document = json.loads(json.dumps(proof.document()))
    assert breaches("proof", document) == []
    assert read_proof(json.dumps(document).encode()) == proof
    assert breaches("proof", {**document, "root": "00"})
    assert breaches("proof", {name: member for name, member in document.items() if name != "signature"})


def test_a_capture_line_is_judged_by_the_schema_of_its_type() -> None:
    for event_type in FILES["capture-line"]["properties"]["type"]["enum"]:
        event = {"specversion": "1.0", "id": "1", "source": "/s", "type": event_type}
        event |= {"data": examples()[event_type], "rollstreamsignature": 86 * "A" + "=="}
        assert breaches("capture-line", event) == []
        structured = (("content-type", b"application/cloudevents+json"),)
        assert decode(json.dumps(event).encode(), structured).type == event_type
        for change in (
            {"data": {**event["data"], "nickname": "x"}},
            {"specversion": "0.3"},
            {"id": ""},
            {"type": "another"},
            {"rollstreamsignature": "no base64"},
            {"data_base64": "AAAA"},
        ):
            assert breaches("capture-line", {**event, **change}), change
        del event["source"]
        assert breaches("capture-line", event)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("public_key", "AAAA"),
        ("public_key", "not base64"),
        ("areas", ["1"]),
        ("areas", "01"),
        ("name", "a b"),
        ("device", ""),
        ("nickname", "x"),
    ],
)
def test_officers_and_devices_that_the_parsers_refuse_have_no_valid_shape(
    made: Path, field: str, value: object
) -> None:
    officers = json.loads((made / "officers.json").read_bytes())
    devices = json.loads((made / "stream/devices.json").read_bytes())
    for rows, name, parse, refused in (
        (officers, "officers", parse_officers, InvalidOfficers),
        (devices, "devices", parse_devices, InvalidDevices),
    ):
        changed = copy.deepcopy(rows)
        changed[0][field] = value
        assert breaches(name, changed)
        with pytest.raises(refused):
            parse(json.dumps(changed).encode())
    assert breaches("officers", [])
    assert breaches("devices", []) == []


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("gazetteer", "0102030,ក,A"),
        ("gazetteer", ",ក,A"),
        ("gazetteer", "01,ក,A"),
        ("stations", "a b,ក,A,010201,,750"),
        ("stations", "S-1,ក,A,010201,,751"),
        ("stations", "S-1,ក,A,010201,0102,750"),
        ("stations", "S-1,ក,A,0102,,750"),
        ("stations", "S-0,ក,A,010201,,750"),
        ("stations", "S-1,ក,A,010201,,"),
    ],
)
def test_tables_that_the_parsers_refuse_are_not_valid(name: str, row: str) -> None:
    good = {
        "gazetteer": "code,name_km,name_latin\n01,ក,A\n",
        "stations": "station,name_km,name_latin,commune,villages,capacity\n"
        "S-0,ក,A,010201,01020101 01020102,750\n",
    }[name]
    parse = parse_gazetteer if name == "gazetteer" else parse_stations
    parse(good.encode())
    assert table_breaches(name, good) == []
    assert table_breaches(name, good + row + "\n")
    with pytest.raises(InvalidReference):
        parse((good + row + "\n").encode())
