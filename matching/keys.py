"""Composite blocking keys in 64 bits, for many rows at once.

Whether a key is used depends on the row and the model alone: how large its block would be by the model's
statistics, never how large it has become. So two versions have a key in common or not, whichever came first.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching.table import Names, hash64
from shared.contracts.model_file import Blocking, Statistic

U64 = NDArray[np.uint64]
Bits = NDArray[np.float32]
Part = tuple[U64, Bits, NDArray[np.bool_]]
"""Of each row: the part's value, log2 of the value's frequency, and whether it is known."""

_OF_NAMES = frozenset({"names", "family", "given"})
_YEARS, _DAYS = 10_000, 13 * 32


class KeyMaker:
    """Makes the keys that a model names."""

    def __init__(self, blocking: Blocking, names: Names) -> None:
        self._names = names
        self._keys = [(hash64(key.name), key.parts) for key in blocking.keys]
        self._most_bits = np.float32(np.log2(blocking.largest_block / blocking.register_size))
        self._rest = {part: _log2(each.rest) for part, each in blocking.statistics.items()}
        self._years = _by_number(blocking.statistics["year"], _YEARS, int)
        self._days = _by_number(
            blocking.statistics["day"], _DAYS, lambda day: int(day[:2]) * 32 + int(day[3:])
        )

    def keys(self, rows: NDArray[Any]) -> tuple[U64, NDArray[np.uint32]]:
        """Every key of the rows (dtype `table.ROW`), and for each the position of its row."""
        latin, khmer = self._name_parts(rows, "latin", "km"), self._name_parts(rows, "km", "latin")
        # A name in both scripts has one skeleton or two; a second one that equals the first adds nothing.
        second = (latin["family"][0] != khmer["family"][0]) | (latin["given"][0] != khmer["given"][0])
        scripts = [(latin, np.ones(len(rows), np.bool_)), *([(khmer, second)] if second.any() else [])]
        parts: dict[str, Part] = {}
        keys: list[U64] = []
        places: list[NDArray[np.uint32]] = []
        for seed, wanted in self._keys:
            of_names = not _OF_NAMES.isdisjoint(wanted)
            for names, allowed in scripts if of_names else scripts[:1]:
                made, used = self._made(
                    seed, [names.get(part) or self._part(rows, part, parts) for part in wanted]
                )
                chosen = np.flatnonzero(used & allowed)
                keys.append(made[chosen])
                places.append(chosen.astype(np.uint32))
        return np.concatenate(keys), np.concatenate(places)

    def _made(self, seed: int, parts: list[Part]) -> tuple[U64, NDArray[np.bool_]]:
        key = np.full(len(parts[0][0]), seed, np.uint64)
        bits = np.zeros(len(key), np.float32)
        known = np.ones(len(key), np.bool_)
        for value, part_bits, part_known in parts:
            key = mix(key ^ value)
            bits = bits + part_bits
            known = known & part_known
        return key, known & (bits <= self._most_bits)

    def _name_parts(self, rows: NDArray[Any], first: str, other: str) -> Mapping[str, Part]:
        facts = self._names.facts

        def number(name: str) -> NDArray[Any]:
            return np.where(rows[f"{name}_{first}"] > 0, rows[f"{name}_{first}"], rows[f"{name}_{other}"])

        family_number, given_number = number("family"), number("given")
        family, given = facts[family_number], facts[given_number]
        has_family, has_given = family_number > 0, given_number > 0
        low = np.minimum(family["skeleton"], given["skeleton"])
        high = np.maximum(family["skeleton"], given["skeleton"])
        # Without order, so that swapped names keep their key, and its frequency.
        bits = np.maximum(family["family"] + given["given"], given["family"] + family["given"])
        return {
            "family": (family["skeleton"], family["family"], has_family),
            "given": (given["skeleton"], given["given"], has_given),
            "names": (mix(low) ^ high, bits, has_family & has_given),
        }

    def _part(self, rows: NDArray[Any], part: str, made: dict[str, Part]) -> Part:
        if part not in made:
            value, bits, known = self._plain_part(rows, part)
            made[part] = (value.astype(np.uint64), bits.astype(np.float32), known)
        return made[part]

    def _plain_part(self, rows: NDArray[Any], part: str) -> tuple[Any, Any, Any]:
        if part == "year":
            return rows["year"], self._years[rows["year"]], rows["year"] > 0
        if part == "day":
            month, day = rows["month"].astype(np.int64), rows["day"].astype(np.int64)
            # Without order, so that day and month swapped keep their key.
            value = np.minimum(month, day) * 32 + np.maximum(month, day)
            return value, self._days[value], day > 0
        value = self._even_part(rows, part)
        return value, np.full(len(rows), self._rest[part]), value != 0

    @staticmethod
    def _even_part(rows: NDArray[Any], part: str) -> NDArray[Any]:
        """A part whose values are all about as frequent."""
        match part:
            case "commune":
                return rows["village"] // 100
            case "district":
                return rows["village"] // 10_000
            case "document" | "phone":
                return _folded(rows[part])
            case _:
                return rows[part]


def mix(value: U64) -> U64:
    """The finaliser of splitmix64: every bit of the input moves every bit of the output."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _folded(column: NDArray[Any]) -> U64:
    halves = np.ascontiguousarray(column).view(np.uint64).reshape(-1, 2)
    return mix(halves[:, 0]) ^ halves[:, 1]


def _by_number(statistic: Statistic, size: int, number: Callable[[str], int]) -> Bits:
    bits = np.full(size, _log2(statistic.rest), np.float32)
    for value, frequency in statistic.values.items():
        bits[number(value)] = _log2(frequency)
    return bits


def _log2(frequency: float) -> np.float32:
    return np.float32(np.log2(frequency))
