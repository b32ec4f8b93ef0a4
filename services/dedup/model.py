"""The model file: all that decides whether two versions are a claim, fixed and named by its SHA-256."""

import math
from collections.abc import Mapping
from hashlib import sha256
from importlib import resources
from typing import Annotated, Self

from pydantic import Field, model_validator

from shared.contracts.fields import Strict
from shared.normalise import NORMALISER_VERSION

Probability = Annotated[float, Field(gt=0, le=1)]

PARTS = (
    "names", "family", "given", "year", "day", "sex", "commune", "district", "document", "phone",
)  # fmt: skip
"""What a blocking key can be made of; `services.dedup.keys` says how."""

COUNTED = frozenset(PARTS) - {"names"}
"""The parts whose frequencies a model gives; `names` are a family and a given name."""

STRANGERS = "strangers"
"""The class that all pairs fall into which are in no other one."""


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


class Blocking(Strict):
    """Which keys are used: none whose block passes `largest_block` in a register of `register_size`."""

    register_size: Annotated[int, Field(ge=1)]
    largest_block: Annotated[int, Field(ge=1)]
    keys: tuple[Key, ...]
    statistics: Mapping[str, Statistic]
    """By part."""

    @model_validator(mode="after")
    def _known_parts(self) -> Self:
        unknown = {part for key in self.keys for part in key.parts} - set(PARTS)
        if unknown or not self.keys or not all(key.parts for key in self.keys):
            raise ValueError(f"no keys, or of unknown parts {sorted(unknown)}")
        if missing := COUNTED - set(self.statistics):
            raise ValueError(f"no statistics of {sorted(missing)}")
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
    register_size: Annotated[int, Field(ge=2)]
    """The register that the prior is for, in records: in one ten times as large, ten times as many strangers
    stand beside each pair of one person."""
    threshold: Probability
    """The probability from which on a pair is a claim."""
    classes: tuple[PairClass, ...]
    comparisons: tuple[Comparison, ...]
    """In the order in which the evidence is told: what kin share comes first."""
    blocking: Blocking

    @model_validator(mode="after")
    def _fits_this_code(self) -> Self:
        if self.normaliser != NORMALISER_VERSION:
            raise ValueError(f"model needs normaliser {self.normaliser}, this is {NORMALISER_VERSION}")
        names = {each.name for each in self.classes}
        if len(names) != len(self.classes) or {each.same_person for each in self.classes} != {True, False}:
            raise ValueError("classes of one name, or of one kind only")
        if [each.name for each in self.classes if each.pairs_per_record is None] != [STRANGERS]:
            raise ValueError(f"exactly the class {STRANGERS} has no pairs_per_record")
        for comparison in self.comparisons:
            self._sums_to_one(comparison, names)
        if sum(self.shares().values()) > 1 + 1e-9 or self.shares()[STRANGERS] <= 0:
            raise ValueError("more pairs by class than there are pairs")
        return self

    @staticmethod
    def _sums_to_one(comparison: Comparison, names: set[str]) -> None:
        for level in comparison.levels:
            if set(level.probability) != names:
                raise ValueError(f"{comparison.field}.{level.name} is not for the classes of the model")
        for name in names:
            total = sum(level.probability[name] for level in comparison.levels)
            if not math.isclose(total, 1, abs_tol=1e-6):
                raise ValueError(f"levels of {comparison.field} sum to {total:.6f} in class {name}")

    def shares(self) -> dict[str, float]:
        """How much of all pairs of a register of `register_size` each class is."""
        pairs = (self.register_size - 1) / 2
        shares = {each.name: (each.pairs_per_record or 0) / pairs for each in self.classes}
        shares[STRANGERS] = 1 - sum(shares.values())
        return shares


def load_model(content: bytes) -> Model:
    """A model from its file. Raises ValueError (pydantic's) for one that this code cannot serve."""
    return Model.model_validate_json(content)


def model_sha256(content: bytes) -> str:
    """What names a model in claims and in reference data."""
    return sha256(content).hexdigest()


def default_model_bytes() -> bytes:
    """The shipped model, as `python -m services.dedup.train` wrote it."""
    return resources.files("services.dedup").joinpath("models", "default.json").read_bytes()
