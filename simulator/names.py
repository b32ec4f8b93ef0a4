"""People's names in both scripts, and the ways in which one name is written differently."""

from dataclasses import dataclass

from simulator import name_tables as tables
from simulator.dice import Dice, Weighted, zipf

ZERO_WIDTH_SPACE = "\u200b"
FAMILY_FLATTEN = 3.0
GIVEN_FLATTEN = 12.0
SINGLE_WORDS = 0.25
USUAL_SPELLING = 0.7
NAMED_AFTER_FATHER = 0.12


@dataclass(frozen=True, slots=True)
class Part:
    """A word that names are made of; `latins` are its spellings, the usual one first."""

    km: str
    latins: tuple[str, ...]
    sex: str | None


@dataclass(frozen=True, slots=True)
class Spelt:
    """A name as somebody once wrote it; `parts` is what it is made of."""

    parts: tuple[Part, ...]
    km: str
    latin: str


def _parts(table: str) -> list[Part]:
    sexes = {"f": "female", "m": "male"}
    parts = []
    for entry in table.replace("\n", "|").strip("|").split("|"):
        km, *latins = entry.split()
        sex = sexes.get(latins[-1])
        parts.append(Part(km, tuple(latins[:-1] if sex else latins), sex))
    return parts


def _pairs(table: str) -> list[tuple[str, str]]:
    return [(before, after) for before, _, after in (pair.partition("-") for pair in table.split())]


_LOOSE = _pairs(tables.LOOSE)
_SLIPS = _pairs(tables.KHMER_SLIPS)


class Names:
    """Draws names with the skew of a real register: few family names, many given names."""

    def __init__(self) -> None:
        self._family = zipf(_parts(tables.FAMILY), FAMILY_FLATTEN)
        self._single = self._by_sex(tables.SINGLE)
        self._first = self._by_sex(tables.FIRST)
        self._last = self._by_sex(tables.LAST)

    @staticmethod
    def _by_sex(table: str) -> dict[str, Weighted[Part]]:
        parts = _parts(table)
        return {
            sex: zipf([part for part in parts if part.sex in (None, sex)], GIVEN_FLATTEN)
            for sex in ("female", "male")
        }

    def family(self, dice: Dice) -> Spelt:
        """A family name; now and then it is a grandfather's given name, as custom has it."""
        if dice.chance(NAMED_AFTER_FATHER):
            return spell((self._first["male"].draw(dice),), dice)
        return spell((self._family.draw(dice),), dice)

    def given(self, sex: str, dice: Dice) -> Spelt:
        """A given name of one word or of two parts."""
        if dice.chance(SINGLE_WORDS):
            return spell((self._single[sex].draw(dice),), dice)
        return spell((self._first[sex].draw(dice), self._last[sex].draw(dice)), dice)

    def given_like(self, other: Spelt, sex: str, dice: Dice) -> Spelt:
        """A twin's name: parents like to give both the same beginning."""
        first = other.parts[0] if len(other.parts) == 2 else self._first[sex].draw(dice)
        while True:
            name = spell((first, self._last[sex].draw(dice)), dice)
            if name.km != other.km:
                return name


def spell(parts: tuple[Part, ...], dice: Dice) -> Spelt:
    """Write a name as one office would."""
    latins = [part.latins[0] if dice.chance(USUAL_SPELLING) else dice.pick(part.latins) for part in parts]
    return Spelt(parts, "".join(part.km for part in parts), "".join(latins))


def respell(name: Spelt, dice: Dice) -> Spelt:
    """The same name romanised by somebody else."""
    for _ in range(8):
        other = "".join(dice.pick(part.latins) for part in name.parts)
        if other != name.latin:
            return Spelt(name.parts, name.km, other)
    for before, after in dice.shuffled(_LOOSE):
        if before in name.latin:
            return Spelt(name.parts, name.km, name.latin.replace(before, after, 1))
    return Spelt(name.parts, name.km, name.latin + "H")


def look_alike(text: str, dice: Dice) -> str:
    """Khmer in another encoding that looks the same on paper."""
    changed = text
    for before, after in dice.shuffled(tables.LOOK_ALIKE):
        if before in changed and dice.chance(0.8):
            changed = changed.replace(before, after, 1)
    if changed == text or dice.chance(0.2):
        # Keyboards put one between words, and copying from a web page puts one anywhere.
        changed = changed + ZERO_WIDTH_SPACE if dice.chance(0.5) else ZERO_WIDTH_SPACE + changed
    return changed


def mistype(text: str, dice: Dice) -> str:
    """Latin with one slip of the fingers."""
    at = dice.below(len(text))
    letter = text[at]
    kind = dice.below(4)
    if kind == 0 and len(text) > 2:
        return text[:at] + text[at + 1 :]
    if kind == 1 and at + 1 < len(text) and text[at + 1] != letter:
        return text[:at] + text[at + 1] + letter + text[at + 2 :]
    if kind == 2:
        return text[:at] + letter + text[at:]
    return text[:at] + _neighbour(letter, dice) + text[at + 1 :]


def _neighbour(letter: str, dice: Dice) -> str:
    for row in tables.KEYBOARD:
        at = row.find(letter)
        if at >= 0:
            return dice.pick([row[other] for other in (at - 1, at + 1) if 0 <= other < len(row)])
    return "H"


def misspell(text: str, dice: Dice) -> str:
    """Khmer with one letter of like sound, or a sign left out; as it was where nothing of it is confused."""
    for before, after in dice.shuffled(_SLIPS):
        if before in text and text != before:
            return text.replace(before, after, 1)
    return text
