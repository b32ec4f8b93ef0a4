"""The model file: all that decides whether two versions are a claim.

A file that is refused here cannot be adopted, so every version of the software must judge alike. Whether a
service can serve a model, because it has its normaliser for one, is the service's question.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from shared.contracts import strict_json
from shared.contracts.fields import Strict

Probability = Annotated[float, Field(gt=0, le=1)]
Size = Annotated[int, Field(ge=1, le=2**53 - 1)]

# Closest first; the first three are one closeness, told apart by how much it says.
_NAME_LEVELS = (
    "same_rare", "same", "same_common", "spelling", "close", "near", "sound", "far", "different", "swapped",
)  # fmt: skip
LEVELS: Mapping[str, tuple[str, ...]] = {
    "family_name": _NAME_LEVELS,
    "birth_date": (
        "same", "same_1_january", "day_month_swapped", "year_off_by_one", "one_part_differs", "same_month",
        "same_year_rest_unknown", "same_year", "near_year", "different",
    ),
    "residence": ("same_village", "same_commune", "same_district", "same_province", "different"),
    "sex": ("same", "different"),
    "given_name": _NAME_LEVELS,
    "document": ("same", "close", "different_kind", "different"),
    "phone": ("same", "close", "different"),
}  # fmt: skip
"""The comparisons and their levels. Kin share the first ones together, so these come first."""

PARTS = (
    "names", "family", "given", "year", "day", "sex", "commune", "district", "document", "phone",
)  # fmt: skip
"""What a blocking key can be made of; `matching.keys` says how."""

COUNTED = frozenset(PARTS) - {"names"}
"""The parts whose frequencies a model gives; `names` are a family and a given name."""

STRANGERS = "strangers"
"""The class that all pairs fall into which are in no other one."""


class InvalidModel(ValueError):
    """The bytes are no model file; the text says which rule they break."""


class PairClass(Strict):
    """A kind of pair, such as twins. Within one kind the comparisons are taken as independent."""

    name: str
    same_person: bool
    """Whether pairs of this kind are one person."""
    pairs_per_record: Annotated[float, Field(gt=0)] | None
    """How many pairs of this kind a register has for each record; null for strangers: all the rest."""


class Level(Strict):
    """A level of agreement, and how often it is seen in each kind of pair."""

    name: str
    probability: Mapping[str, Probability]
    """By the name of the class. The probabilities of all levels of a comparison sum to 1 within a class."""


class Comparison(Strict):
    """One real-world fact. A level that is not listed, such as a missing value, says nothing."""

    field: str
    levels: tuple[Level, ...]


class Key(Strict):
    """A composite blocking key: pairs that agree in all parts are candidates."""

    name: str
    parts: tuple[str, ...]


class Statistic(Strict):
    """How frequent the values of a part are: fixed, so that no arrival order decides who is compared."""

    values: Mapping[str, Probability]
    rest: Probability
    """The rule for a value that is not listed: it counts as this frequent."""


_NUMBERED = {
    "year": re.compile(r"[0-9]{4}"),
    "day": re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"),
}
"""How the values of a part are written that are no free text; a day is its month and day."""


class Blocking(Strict):
    """Which keys are used: none whose block passes `largest_block` in a register of `register_size`."""

    register_size: Size
    largest_block: Size
    keys: tuple[Key, ...]
    statistics: Mapping[str, Statistic]
    """By part."""

    @model_validator(mode="after")
    def _known_parts(self) -> Self:
        unknown = {part for key in self.keys for part in key.parts} - set(PARTS)
        if unknown or not self.keys or not all(key.parts for key in self.keys):
            raise ValueError(f"no keys, or of unknown parts {sorted(unknown)}")
        if set(self.statistics) != COUNTED:
            raise ValueError(f"statistics are of {', '.join(sorted(COUNTED))}")
        for part, written in _NUMBERED.items():
            if not all(written.fullmatch(value) for value in self.statistics[part].values):
                raise ValueError(f"statistics of {part} have a value that is none")
        return self


class Model(Strict):
    """A Fellegi-Sunter model whose two sides are mixtures of kinds of pairs.

    Same-person pairs are copies of one capture or people who registered again; the others are strangers,
    twins, households, namesakes. Twins agree in birth date, family name and place together, which no weight
    by field can say; as a class of its own it can be said.
    """

    name: str
    version: str
    normaliser: str
    """The normaliser whose strings the model was made from."""
    register_size: Annotated[Size, Field(ge=2)]
    """The register that the prior is for, in records: in one ten times as large, ten times as many strangers
    stand beside each pair of one person."""
    threshold: Probability
    """The probability from which on a pair is a claim."""
    classes: tuple[PairClass, ...]
    comparisons: tuple[Comparison, ...]
    """In the order in which the evidence is told: what kin share comes first."""
    blocking: Blocking

    @model_validator(mode="after")
    def _classes(self) -> Self:
        _once("class", (each.name for each in self.classes))
        if {each.same_person for each in self.classes} != {True, False}:
            raise ValueError("classes of one kind only")
        if [each.name for each in self.classes if each.pairs_per_record is None] != [STRANGERS]:
            raise ValueError(f"exactly the class {STRANGERS} has no pairs_per_record")
        if min(self.shares().values()) <= 0:
            raise ValueError("more pairs by class than there are pairs, or none")
        return self

    @model_validator(mode="after")
    def _known_levels(self) -> Self:
        _once("comparison", (each.field for each in self.comparisons))
        for comparison in self.comparisons:
            field = comparison.field
            _once(f"level of {field}", (each.name for each in comparison.levels))
            unknown = {each.name for each in comparison.levels} - set(LEVELS.get(field, ()))
            if field not in LEVELS or unknown:
                raise ValueError(f"there is no comparison {field} with levels {sorted(unknown)}")
            self._sums_to_one(comparison)
        return self

    def _sums_to_one(self, comparison: Comparison) -> None:
        names = {each.name for each in self.classes}
        for level in comparison.levels:
            if set(level.probability) != names:
                raise ValueError(f"{comparison.field}.{level.name} is not for the classes of the model")
        for name in sorted(names):
            # Not sum(), whose last digit depends on the version of Python.
            total = math.fsum(level.probability[name] for level in comparison.levels)
            if abs(total - 1) > 1e-6:
                raise ValueError(f"levels of {comparison.field} sum to {total:.6f} in class {name}")

    def shares(self) -> dict[str, float]:
        """How much of all pairs of a register of `register_size` each class is."""
        pairs = (self.register_size - 1) / 2
        shares = {each.name: (each.pairs_per_record or 0) / pairs for each in self.classes}
        shares[STRANGERS] = 1 - math.fsum(shares.values())
        return shares


def parse_model(raw: bytes) -> Model:
    """Read a model file. Raises InvalidModel."""
    try:
        strict_json.loads(raw)
        return Model.model_validate_json(raw)
    except strict_json.RefusedJSON as refused:
        raise InvalidModel(refused.code) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise InvalidModel(f"{path}: {first['msg']}" if path else first["msg"]) from None


def _once(what: str, names: Iterable[str]) -> None:
    named = list(names)
    if len(set(named)) != len(named):
        raise ValueError(f"two of one name: {what}")
