"""A register in columns, encoded once for comparisons and keys. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matching.linkage import texts
from matching.linkage.birth_dates import DateField
from matching.linkage.closeness import UNKNOWN, Level, Rows
from matching.linkage.comparisons import (
    LEVELS,
    Address,
    Category,
    Compared,
    Email,
    Identifier,
    LooseText,
    Place,
    TextField,
)
from matching.linkage.dates import Dates
from matching.linkage.names import FullName, Name, swap
from matching.linkage.schema import Field, Schema
from matching.linkage.texts import NameVocabulary, Texts, Vocabulary

Columns = Mapping[str, Sequence[str]]

_SIMPLE = {
    "identifier": (Identifier, texts.number),
    "phone": (Identifier, texts.phone),
    "email": (Email, texts.email),
    "category": (Category, texts.plain),
    "text": (LooseText, texts.plain),
    "full_name": (FullName, texts.name),
    "address": (Address, texts.address),
}


@dataclass(frozen=True, slots=True)
class Register:
    """The records' ids, their fields by name, and how each record was captured, as a number by column."""

    schema: Schema
    ids: Sequence[str]
    fields: Mapping[str, Compared]
    capture: Mapping[str, NDArray[np.int32]]

    def __len__(self) -> int:
        return len(self.ids)

    def compare(self, one: Rows, other: Rows) -> NDArray[np.int64]:
        """The pattern of each pair: its levels as one number."""
        levels = {name: field.compare(one, other) for name, field in self.fields.items()}
        family, given = self.fields.get("family_name"), self.fields.get("given_name")
        if isinstance(family, Name) and isinstance(given, Name) and len(family.scripts) == len(given.scripts):
            swap(family, given, (levels["family_name"], levels["given_name"]), one, other)
        return packed(self.schema, levels)

    def kind(self, name: str) -> str:
        """The kind of a field."""
        return next(each.kind for each in self.schema.fields if each.name == name)


def encode(schema: Schema, columns: Columns) -> Register:
    """A register from its columns, all of one length; a missing value is an empty text."""
    size = 1
    for each in schema.fields:
        size *= len(LEVELS[each.kind]) + 1
    if size >= 2**62:
        raise ValueError("too many fields: the patterns of a pair would not fit into 62 bits; leave some out")
    scripts: dict[int, NameVocabulary] = {}
    fields = {each.name: _encoded(each, columns, scripts) for each in schema.fields}
    capture = {part: Vocabulary().encode(columns[name], str.strip) for part, name in schema.capture.items()}
    return Register(schema, columns[schema.id], fields, capture)


def packed(schema: Schema, levels: Mapping[str, Level]) -> NDArray[np.int64]:
    """The levels of each pair, by field, as one number."""
    pattern = np.zeros(1, np.int64)
    for each in schema.fields:
        pattern = pattern * (len(LEVELS[each.kind]) + 1) + (levels[each.name].astype(np.int64) - UNKNOWN)
    return pattern


def unpacked(schema: Schema, patterns: NDArray[np.int64]) -> dict[str, Level]:
    """By field the levels that the patterns stand for."""
    levels: dict[str, Level] = {}
    for each in reversed(schema.fields):
        patterns, level = np.divmod(patterns, len(LEVELS[each.kind]) + 1)
        levels[each.name] = (level + UNKNOWN).astype(np.int8)
    return levels


def _encoded(field: Field, columns: Columns, scripts: dict[int, NameVocabulary]) -> Compared:
    if field.kind in ("given_name", "family_name"):
        # Given and family names of one script share a vocabulary, so that swapped names are found.
        of_script = []
        for place, column in enumerate(field.columns):
            vocabulary = scripts.setdefault(place, NameVocabulary())
            of_script.append((vocabulary.encode(columns[column], texts.name), vocabulary))
        return Name(field.kind, field.name, of_script)
    if field.kind == "date_of_birth":
        return DateField(field.name, Dates(columns[field.columns[0]], field.format))
    if field.kind == "place":
        return Place(field.name, [_texts(columns[each], texts.plain) for each in field.columns])
    make, normalise = _SIMPLE[field.kind]
    written: Sequence[str] = columns[field.columns[0]]
    if len(field.columns) > 1:
        written = [" ".join(parts) for parts in zip(*(columns[each] for each in field.columns), strict=True)]
    made: TextField = make(field.kind, field.name, _texts(written, normalise))
    return made


def _texts(column: Sequence[str], normalise: "texts.Normalise") -> Texts:
    vocabulary = Vocabulary()
    return Texts(vocabulary.encode(column, normalise), vocabulary.values)
