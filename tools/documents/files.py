"""The schema of each file format: JSON Schema 2020-12, and Table Schema (Frictionless) of the two CSV files.

As with messages, they say the shape; what a file must keep to beyond it (that no code is there twice, that a
key is one) is said in words, and judged by the parsers.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from client.proof import ProofFile
from shared.contracts import events
from shared.contracts.cloudevents import JSON, LONGEST_ATTRIBUTE
from shared.contracts.model_file import Model
from shared.reference import devices, officers
from shared.reference.files import GAZETTEER_COLUMNS, MAX_CAPACITY, STATION_COLUMNS
from tools.documents.schemas import Plain, described, schemas

TABLE_SCHEMA = "https://datapackage.org/profiles/2.0/tableschema.json"

_OFFICERS = "Who may sign commands. A JSON array of at least one row; names are there once."
_DEVICES = (
    "Which devices may send events. A JSON array; devices and keys are there once, and all rows of an office "
    "have the same areas. An empty array authorises nobody."
)
_CAPTURE = (
    "A line of a capture file: one CloudEvent in structured form. The file is JSON Lines in UTF-8. How the "
    "data have to be is the schema of the event's type. The generator's own files also hold lines of another "
    "kind, which carry broken records."
)

_TABLES: Mapping[str, tuple[list[str], Mapping[str, Any], Mapping[str, tuple[str, Mapping[str, Any]]]]] = {
    "gazetteer": (
        GAZETTEER_COLUMNS,
        {"description": "Every place of the country. CSV in UTF-8.", "primaryKey": ["code"]},
        {
            "code": (
                "2, 4, 6 or 8 digits: province, district, commune, village. Its parent's code, which it "
                "begins with, has a row too.",
                {"required": True, "unique": True, "pattern": "([0-9]{2}){1,4}"},
            ),
            "name_km": ("In Khmer.", {}),
            "name_latin": ("In Latin script.", {}),
        },
    ),
    "stations": (
        STATION_COLUMNS,
        {
            "description": "The polling stations; their order counts where seats are given. CSV in UTF-8.",
            "primaryKey": ["station"],
        },
        {
            "station": (
                "An identifier.",
                {"required": True, "unique": True, "pattern": "[A-Za-z0-9._-]{1,64}"},
            ),
            "name_km": ("In Khmer.", {}),
            "name_latin": ("In Latin script.", {}),
            "commune": ("Code of its commune.", {"required": True, "pattern": "[0-9]{6}"}),
            "villages": (
                "Codes of the villages that it serves, separated by spaces, each once and each beginning "
                "with the commune's; empty for the whole commune.",
                {"pattern": "[0-9]{8}( [0-9]{8})*"},
            ),
            "capacity": (
                f"Most entries on its list, 0 to {MAX_CAPACITY}.",
                {"required": True, "minimum": 0, "maximum": MAX_CAPACITY},
            ),
        },
    ),
}


def file_schemas() -> dict[str, dict[str, Any]]:
    """By the name of the format."""
    return {
        "officers": {**_json("officers", officers.file_model(), _OFFICERS), "minItems": 1},
        "devices": _json("devices", devices.file_model(), _DEVICES),
        "model": _json("model", TypeAdapter(Model)),
        "proof": _json("proof", TypeAdapter(ProofFile)),
        "capture-line": _capture_line(),
        **{name: _table(*parts) for name, parts in _TABLES.items()},
    }


def _json(name: str, model: TypeAdapter[Any], description: str | None = None) -> dict[str, Any]:
    schema = model.json_schema(schema_generator=Plain)
    if description:
        schema["description"] = description
    return described(f"file:{name}", schema)


def _capture_line() -> dict[str, Any]:
    """The attributes, and by the type the schema of the data, which is enclosed under its own `$id`."""
    attribute = {
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST_ATTRIBUTE,
        "pattern": r"^[^\u0000-\u001f]*$",
    }
    data = {str(name): schema for name, schema in schemas().items() if name in events.MODELS}
    schema = {
        "description": _CAPTURE,
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "propertyNames": {"pattern": "^[a-z0-9]+$"},
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {**attribute, "description": "The event is known by it, with its source."},
            "source": {**attribute, "description": "Where it was captured."},
            "type": {"enum": list(data)},
            "data": {"type": "object", "description": "By the type, see `$defs`."},
            "time": {"type": "string", "description": "RFC 3339; not looked at."},
            "datacontenttype": {"const": JSON},
            "rollstreamsignature": {
                "type": "string",
                "pattern": "^[A-Za-z0-9+/]{86}==$",
                "description": "If devices are adopted: base64 of the device's Ed25519 over register, type, "
                "source, id, each followed by a zero byte, and the RFC 8785 form of the data. It is sent as "
                "the header rollstream-signature.",
            },
        },
        "additionalProperties": {
            "type": ["string", "integer", "boolean"],
            "description": "Other extension attributes; not looked at.",
        },
        "allOf": [
            {
                "if": {"properties": {"type": {"const": name}}},
                "then": {"properties": {"data": {"$ref": each["$id"]}}},
            }
            for name, each in data.items()
        ],
        "$defs": data,
    }
    return described("file:capture-line", schema)


def _table(
    columns: list[str],
    head: Mapping[str, Any],
    fields: Mapping[str, tuple[str, Mapping[str, Any]]],
) -> dict[str, Any]:
    described_fields = [
        {
            "name": name,
            "type": "integer" if "maximum" in constraints else "string",
            "description": description,
            **({"constraints": dict(constraints)} if constraints else {}),
        }
        for name, (description, constraints) in ((name, fields[name]) for name in columns)
    ]
    return {"$schema": TABLE_SCHEMA, **head, "fields": described_fields}
