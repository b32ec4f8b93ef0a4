"""A difference is told by its path and never by its value."""

import pytest

from audit.differences import first_difference


@pytest.mark.parametrize(
    ("expected", "found", "path"),
    [
        (b'{"a": [1, {"b": 2}]}', b'{"a": [1, {"b": 3}]}', "a.1.b"),
        (b'{"a": 1}', b"{}", "a"),
        (b'{"a": 1}', b'{"a": true}', "a"),
        (b'{"a": 1}', b'{"a":1}', "byte 5"),
        (b"x", b"y", "byte 0"),
    ],
)
def test_the_first_difference_is_told_by_its_path(expected: bytes, found: bytes, path: str) -> None:
    assert first_difference(expected, found) == path
