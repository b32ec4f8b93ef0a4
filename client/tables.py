"""Tables of plain text that hold at any width, with Khmer in them. Pure.

No lines are drawn between columns: terminals differ in how wide they show Khmer's vowel signs (0 or 1 cell),
and a line that jumps is worse than none. The wider one is reckoned with, so that no row is broken by the
terminal itself.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

GAP = "  "
LEAST = 6
"""Cells that a column keeps, however narrow the terminal is."""

CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""A terminal would obey them, and anybody can put some into a command's id or type, or into a name. The last
two ranges change the direction of writing, and with it how an id reads. Line ends are none of them."""

_COENG = "\u17d2"
"""Makes the next Khmer consonant a subscript of the one before; the three are never parted."""


def cells(text: str) -> int:
    """How many cells of a terminal a line takes at most, as glibc's `wcwidth` counts them."""
    return sum(map(_cells, text))


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int
) -> tuple[str, str, list[str]]:
    """Title, header and lines of a table of at most `width` cells; cells are folded, never cut.

    A column of nothing but numbers stands to the right. A cell may have several lines.
    """
    told = [[_text(cell) for cell in row] for row in rows]
    right = [bool(rows) and all(_is_number(row[at]) for row in rows) for at in range(len(columns))]
    natural = [
        max(cells(line) for cell in (name, *(row[at] for row in told)) for line in cell.split("\n"))
        for at, name in enumerate(columns)
    ]
    widths = _shrunk(natural, width - len(GAP) * (len(columns) - 1))
    lines = [line for row in told for line in _lines(row, widths, right)]
    header = "\n".join(_lines(columns, widths, right))
    return title, header, lines


def clean(text: str) -> str:
    """The text with each control character shown as U+FFFD."""
    return CONTROLS.sub("\ufffd", text)


def fold(text: str, width: int) -> list[str]:
    """A text in lines of at most `width` cells, broken at spaces where there are any; each control character
    is shown as U+FFFD."""
    return [line for part in clean(text).split("\n") for line in _folded(part, width)]


def _folded(text: str, width: int) -> Iterator[str]:
    line, used = "", 0
    for word in _words(text):
        taken = cells(word)
        if line and used + cells(word.rstrip()) > width:
            yield line.rstrip()
            line, used = "", 0
        if taken <= width:
            line, used = line + word, used + taken
            continue
        for cluster in clusters(word):
            taken = cells(cluster)
            if line and used + taken > width:
                yield line.rstrip()
                line, used = "", 0
            line, used = line + cluster, used + taken
    yield line.rstrip()


def _words(text: str) -> Iterator[str]:
    """Words with the spaces after them."""
    word = ""
    for at, char in enumerate(text):
        word += char
        following = text[at + 1 : at + 2]
        if char == " " and following != " " and not _is_mark(following):
            yield word
            word = ""
    if word:
        yield word


def clusters(text: str) -> Iterator[str]:
    """Characters with the marks that belong to them."""
    cluster = ""
    for char in text:
        if cluster and not (_is_mark(char) or cluster.endswith(_COENG)):
            yield cluster
            cluster = ""
        cluster += char
    if cluster:
        yield cluster


def _is_mark(char: str) -> bool:
    return bool(char) and unicodedata.category(char) in ("Mn", "Mc", "Me", "Cf")


def _shrunk(widths: list[int], room: int) -> list[int]:
    """The widths, the widest made narrower until all fit."""
    widths = list(widths)
    while sum(widths) > room and max(widths) > LEAST:
        widths[widths.index(max(widths))] -= 1
    return widths


def _lines(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> Iterator[str]:
    folded = [fold(cell, width) for cell, width in zip(row, widths, strict=True)]
    for number in range(max(map(len, folded))):
        parts = []
        for lines, width, to_right in zip(folded, widths, right, strict=True):
            text = lines[number] if number < len(lines) else ""
            padding = " " * (width - cells(text))
            parts.append(padding + text if to_right else text + padding)
        yield GAP.join(parts).rstrip()


def _cells(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def _is_number(cell: Any) -> bool:
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def _text(cell: Any) -> str:
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)
