"""Which dead letters go with one that is dropped."""

import pytest

from client.dead_letters import Letter, cut
from shared.runtime.record import Record


def letters(*sources: int) -> list[Letter]:
    """Copies on one partition of the dead-letter topic, from its offset 10 on, by their source's offset."""
    return [
        Letter((3, source), {}, Record("t.dlq", 3, offset, 0, None, None, ()))
        for offset, source in enumerate(sources, 10)
    ]


@pytest.mark.parametrize(
    ("copies", "source", "end", "gone"),
    [
        (letters(4, 7, 9), 4, 11, ["3/4"]),
        (letters(4, 7, 9), 7, 12, ["3/4", "3/7"]),
        (letters(4, 7, 9), 9, 13, ["3/4", "3/7", "3/9"]),
        (letters(4, 4, 7), 4, 12, ["3/4"]),
        (letters(4, 7, 4, 7, 9), 7, 14, ["3/4", "3/7"]),
        (letters(4, 7, 4, 7), 4, 11, []),
        (letters(2, 4, 7, 4), 4, 12, ["3/2"]),
    ],
)
def test_no_dead_letter_that_is_newer_goes_with_one_that_is_dropped(
    copies: list[Letter], source: int, end: int, gone: list[str]
) -> None:
    assert cut(copies, (3, source)) == (end, gone)
