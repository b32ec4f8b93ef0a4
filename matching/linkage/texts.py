"""A column's values, each distinct one once, as comparisons and keys want them. Pure."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from matching.skeleton import skeleton
from matching.table import hash64
from shared.contracts.normalise import latin_digits, normalise_khmer, normalise_latin

Numbers = NDArray[np.int32]
Normalise = Callable[[str], str]

_KHMER = re.compile("[\u1780-\u17d3]")
_HONORIFICS = frozenset(
    {
        "MR",
        "MRS",
        "MS",
        "MISS",
        "DR",
        "SIR",
        "MADAM",
        "HE",
        "LOK",
        "NEAK",
        "SREY",
        "LOKSREY",
        "NEAKSREY",
        "KANHA",
    }
)
_KHMER_HONORIFICS = ("លោកស្រី", "អ្នកស្រី", "លោក", "កញ្ញា")
_EMPTY = frozenset({"", "NULL", "NONE", "NA", "N A", "NAN", "UNKNOWN", "NOT KNOWN", "NOT GIVEN", "NIL"})


@dataclass(frozen=True, slots=True)
class Texts:
    """Of each record the number of its value; `values` are the distinct ones, "" for number 0: none."""

    numbers: Numbers
    values: list[str]


class Vocabulary:
    """Gives each distinct value a number, in the order in which they come."""

    def __init__(self) -> None:
        self.values: list[str] = [""]
        self._numbers: dict[str, int] = {"": 0}
        self._normalised: dict[str, int] = {}

    def number(self, value: str) -> int:
        """The number of a normalised value."""
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.values)
            self.values.append(value)
        return number

    def encode(self, column: Iterable[str], normalise: Callable[[str], str]) -> Numbers:
        """The numbers of a column; each distinct writing is normalised once."""
        known = self._normalised
        numbers = []
        for written in column:
            number = known.get(written)
            if number is None:
                number = known[written] = self.number(normalise(written))
            numbers.append(number)
        return np.asarray(numbers, np.int32)


class NameVocabulary(Vocabulary):
    """Names of one script, and what they sound like."""

    @cached_property
    def skeletons(self) -> NDArray[np.uint64]:
        """By number: a hash of the consonants (see `matching.skeleton`), 0 for none."""
        return np.array([hash64(skeleton(each)) if each else 0 for each in self.values], np.uint64)

    @cached_property
    def initials(self) -> NDArray[np.uint64]:
        """By number: a hash of the first three letters, 0 for none."""
        return np.array([hash64(each[:3]) if each else 0 for each in self.values], np.uint64)

    def is_part(self, low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether one name begins the other, or is some of its words: ROB of ROBERT, ANNE of MARY ANNE."""
        return np.array(
            [_part(self.values[a], self.values[b]) for a, b in zip(low.tolist(), high.tolist(), strict=True)],
            np.bool_,
        )


def _part(one: str, other: str) -> bool:
    shorter, longer = (one, other) if len(one) <= len(other) else (other, one)
    if longer.startswith(shorter) and (len(shorter) >= 3 or len(shorter) == 1):
        return True
    return " " in longer and set(shorter.split()) <= set(longer.split())


def name(text: str) -> str:
    """A name in one spelling: Khmer by its encoding's rules, others in bare Latin capitals."""
    if _KHMER.search(text):
        khmer = normalise_khmer(text)
        for each in _KHMER_HONORIFICS:
            bare = khmer.removeprefix(each).strip()
            if bare and bare != khmer:
                return bare
        return khmer
    words = plain(text).split()
    while len(words) > 1 and words[0] in _HONORIFICS:
        words = words[1:]
    return " ".join(words)


def plain(text: str) -> str:
    """Text in bare capitals, single spaces between words; "" for what says that nothing is known."""
    text = text.strip()
    bare = (normalise_khmer(text) if _KHMER.search(text) else normalise_latin(text)) if text else ""
    return "" if bare in _EMPTY else bare


def number(text: str) -> str:
    """A document's number: capitals and digits without what parts them; one repeated digit is none."""
    bare = re.sub(r"[^0-9A-Z]", "", latin_digits(text).upper())
    return "" if len(set(bare)) < 2 or bare in _EMPTY else bare


def phone(text: str) -> str:
    """The digits of a telephone number without the zeros that come before it."""
    digits = re.sub(r"\D", "", latin_digits(text)).lstrip("0")
    return "" if len(set(digits)) < 2 else digits


def email(text: str) -> str:
    """An address in small letters; "" without an @."""
    bare = text.strip().lower()
    return bare if "@" in bare else ""


def address(text: str) -> str:
    """The words of an address in one order: parts are often written in each other's column."""
    return " ".join(sorted(plain(text).split()))
