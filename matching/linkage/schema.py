"""What the columns of a register are. Pure."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

KINDS = (
    "given_name", "family_name", "full_name", "date_of_birth", "identifier", "place", "address", "phone",
    "email", "category", "text",
)  # fmt: skip

SEVERAL_COLUMNS = frozenset({"given_name", "family_name", "full_name", "place", "address"})
"""Kinds that may have several columns: a name's scripts, a place from coarse to fine, parts of an address."""

ONCE = frozenset({"given_name", "family_name", "full_name", "date_of_birth", "place", "address"})
"""Kinds that a person has one of: a second one would count its evidence twice."""

CAPTURE = ("office", "device", "batch", "sequence", "captured_at")

_BY_NAME: Mapping[str, tuple[str, ...]] = {
    "given_name": ("given_name", "givenname", "first_name", "firstname", "forename", "fname"),
    "family_name": ("family_name", "familyname", "surname", "last_name", "lastname", "lname"),
    "full_name": ("full_name", "fullname", "name"),
    "date_of_birth": ("date_of_birth", "dob", "birth_date", "birthdate", "birthday"),
    "identifier": (
        "soc_sec_id", "ssn", "national_id", "id_number", "document", "document_number", "passport",
        "identity_document",
    ),
    "place": (
        "country", "state", "province", "region", "county", "district", "postcode", "zip", "zipcode",
        "zip_code", "city", "town", "commune", "suburb", "village", "birth_place",
    ),
    "address": ("street_number", "address_1", "address_2", "address", "street"),
    "phone": ("phone", "phone_number", "telephone", "mobile", "tel"),
    "email": ("email", "e_mail", "email_address"),
    "category": ("sex", "gender"),
    "text": ("occupation", "profession"),
}  # fmt: skip
"""Columns by their usual names; those of a place from coarse to fine, those of an address in its order."""
_IDS = ("rec_id", "record_id", "unique_id", "registration_id", "id")
_SCRIPTS = ("_km", "_latin")


class InvalidSchema(ValueError):
    """The schema cannot be used; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Field:
    """One real-world fact: its kind and the columns that tell it. `name` names it in models and evidence."""

    kind: str
    columns: tuple[str, ...]
    name: str
    format: str | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """The column of the record's id, the fields, and the columns that tell how a record was captured."""

    id: str
    fields: tuple[Field, ...]
    capture: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, each once."""
        named = [self.id, *(column for each in self.fields for column in each.columns)]
        return tuple(dict.fromkeys([*named, *self.capture.values()]))

    def to_data(self) -> dict[str, Any]:
        """As a model file has it."""
        fields = [
            {"kind": each.kind, "columns": list(each.columns)}
            | ({"format": each.format} if each.format else {})
            for each in self.fields
        ]
        return {"id": self.id, "field": fields} | ({"capture": dict(self.capture)} if self.capture else {})

    @classmethod
    def from_data(cls, data: Mapping[str, Any], text: str = "") -> Self:
        """A schema from parsed TOML or JSON. Raises InvalidSchema; `text` is where lines are looked up."""
        unknown = set(data) - {"id", "field", "capture"}
        if unknown:
            _refuse(
                f"unknown key {min(unknown)!r}; a schema has id, [[field]] and [capture]", min(unknown), text
            )
        if not isinstance(data.get("id"), str):
            _refuse('id is missing; name the column of the record\'s id: id = "rec_id"', "", text)
        entries = data.get("field", [])
        if not isinstance(entries, list) or not entries:
            _refuse("no [[field]]; name at least one column and its kind", "", text)
        fields = tuple(_field(each, text) for each in entries)
        _once(fields, text)
        capture = data.get("capture", {})
        for part, column in capture.items():
            if part not in CAPTURE or not isinstance(column, str):
                _refuse(f"capture.{part}: capture has the columns of {', '.join(CAPTURE)}", part, text)
        return cls(data["id"], _named(fields), dict(capture))


def parse_schema(text: str) -> Schema:
    """A schema from its TOML. Raises InvalidSchema with the line."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSchema(f"no TOML: {error}") from None
    return Schema.from_data(data, text)


def guess_schema(columns: Sequence[str], id_column: str | None = None) -> Schema:
    """A schema from the columns' names alone. Raises InvalidSchema where nothing is recognised."""
    by_name = {_plain(column): column for column in columns}
    id_column = id_column or next((by_name[each] for each in _IDS if each in by_name), None)
    if id_column is None:
        raise InvalidSchema(f"no column for the record's id among {', '.join(columns)}; name it in a schema")
    fields = []
    for kind, names in _BY_NAME.items():
        here = [
            by_name[written]
            for name in names
            for written in (name, *(name + script for script in _SCRIPTS))
            if written in by_name and by_name[written] != id_column
        ]
        if kind in SEVERAL_COLUMNS and here:
            fields.append(Field(kind, tuple(here), kind))
        else:
            fields += [Field(kind, (column,), kind) for column in here]
    kinds = {each.kind for each in fields}
    if "full_name" in kinds and kinds & {"given_name", "family_name"}:
        fields = [each for each in fields if each.kind != "full_name"]
    if not fields:
        raise InvalidSchema("no column has a name that says its kind; name columns and kinds in a schema")
    return Schema(id_column, _named(tuple(fields)))


def _plain(column: str) -> str:
    return column.strip().lower().replace(" ", "_").replace("-", "_")


def _field(entry: Any, text: str) -> Field:
    if not isinstance(entry, dict):
        _refuse("a field is a table: [[field]]", "field", text)
    unknown = set(entry) - {"kind", "column", "columns", "format"}
    if unknown:
        _refuse(f"a field has kind, column or columns, format; not {min(unknown)!r}", min(unknown), text)
    columns = entry.get("columns", [entry["column"]] if "column" in entry else None)
    if not isinstance(columns, list) or not columns or not all(isinstance(each, str) for each in columns):
        _refuse(
            "a field names its column: column = ..., or columns = [...]", str(entry.get("kind", "")), text
        )
    kind = entry.get("kind")
    if kind is None:
        kind = guess_schema(columns, "").fields[0].kind if _known(columns[0]) else None
    if kind not in KINDS:
        _refuse(f"column {columns[0]!r}: kind {kind!r} is none of {', '.join(KINDS)}", columns[0], text)
    if len(columns) > 1 and kind not in SEVERAL_COLUMNS:
        _refuse(f"column {columns[1]!r}: a {kind} has one column; write another [[field]]", columns[1], text)
    if "format" in entry and kind != "date_of_birth":
        _refuse(f"column {columns[0]!r}: only a date_of_birth has a format", columns[0], text)
    return Field(kind, tuple(columns), kind, entry.get("format"))


def _known(column: str) -> bool:
    return any(
        _plain(column).removesuffix(script) in names
        for names in _BY_NAME.values()
        for script in ("", *_SCRIPTS)
    )


def _once(fields: Sequence[Field], text: str) -> None:
    seen: set[str] = set()
    for each in fields:
        if each.kind in ONCE and each.kind in seen:
            _refuse(
                f"column {each.columns[0]!r}: a second {each.kind}; one fact is one field",
                each.columns[0],
                text,
            )
        seen.add(each.kind)
        for column in each.columns:
            if sum(column in other.columns for other in fields) > 1:
                _refuse(f"column {column!r} is in two fields; its evidence would count twice", column, text)
    if "full_name" in seen and seen & {"given_name", "family_name"}:
        column = next(each.columns[0] for each in fields if each.kind == "full_name")
        _refuse(f"column {column!r}: a full_name beside its parts would count twice", column, text)


def _named(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """Fields named by kind, by their column where a kind occurs twice."""
    kinds = [each.kind for each in fields]
    return tuple(
        each if kinds.count(each.kind) == 1 else Field(each.kind, each.columns, each.columns[0], each.format)
        for each in fields
    )


def _refuse(message: str, word: str, text: str) -> Any:
    line = next(
        (
            at
            for at, each in enumerate(text.splitlines(), 1)
            if (word and f'"{word}"' in each) or (word and each.strip().startswith(word))
        ),
        None,
    )
    raise InvalidSchema(f"line {line}: {message}" if line else message)
