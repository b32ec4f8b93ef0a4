"""Tables hold at 80 columns, with Khmer in them too."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from client.tables import cells, fold, table

KHMER = st.text("កខគសហុំា្ើែៃ\u17d2\u200b ", max_size=60).filter(lambda text: "\u17d2 " not in text)
NAMES = ("សុខ", "សុវណ្ណ", "ភ្នំពេញ", "បន្ទាយមានជ័យ")


def as_terminals_count(text: str) -> int:
    """glibc's wcwidth of Khmer and Latin text: marks without an advance take no cell, all else one."""
    return sum(unicodedata.category(char) not in ("Mn", "Me", "Cf") for char in text)


@pytest.mark.parametrize(("text", "wide"), [("SOK", 3), ("សុខ", 2), ("ភ្នំពេញ", 5), ("中", 2), ("", 0)])
def test_marks_take_no_cell_and_wide_characters_two(text: str, wide: int) -> None:
    assert cells(text) == wide


@given(st.lists(st.tuples(KHMER, KHMER, st.text("ab- ", max_size=90)), min_size=1, max_size=5))
def test_no_line_of_a_table_is_wider_than_the_terminal(rows: list[tuple[str, str, str]]) -> None:
    _, header, lines = table("People", ("ឈ្មោះ", "name", "reason"), rows, 80)
    assert all(as_terminals_count(line) <= 80 for line in [*header.split("\n"), *lines])


@given(KHMER)
def test_folding_loses_nothing_and_never_parts_a_mark_or_a_subscript_from_its_letter(text: str) -> None:
    assume("\u17d2 " not in text)  # the sign of a subscript before a space has no subscript to lose
    lines = fold(text, 6)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    for before, line in pairwise(lines):
        assert not line or unicodedata.category(line[0]) not in ("Mn", "Mc", "Cf")
        assert not (before.endswith("\u17d2") and line)


def test_columns_begin_at_the_same_cell_in_every_row() -> None:
    rows = [(name, f"D-{at}") for at, name in enumerate(NAMES)]
    _, _, lines = table("Names", ("name", "device"), rows, 80)
    assert len({as_terminals_count(line[: line.index("D-")]) for line in lines}) == 1


def test_numbers_stand_to_the_right_and_long_cells_are_folded_not_cut() -> None:
    _, _, lines = table("T", ("n", "text"), [(5, "word " * 30), (12345, "x" * 100)], 40)
    assert lines[0].startswith("     5  word") and max(map(len, lines)) <= 40
    assert "".join(lines).count("x") == 100 and "".join(lines).count("word") == 30


def test_no_text_moves_the_terminal() -> None:
    """U+009B begins a terminal's commands as ESC [ does, and may stand in a command's id."""
    text = "a\x1b[31mb\x9b2Jc\x7f\nd"
    assert fold(text, 40) == ["a\ufffd[31mb\ufffd2Jc\ufffd", "d"]
    _, _, lines = table("t", ("id",), [(text,)], 40)
    assert not any(unicodedata.category(char) == "Cc" for line in lines for char in line)
