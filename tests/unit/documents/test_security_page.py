"""`docs/security.md` says what the code does: each limit has the value that it names, and a test."""

import re
from importlib import import_module

import pytest

from tests.kit.compose import ROOT

PAGE = (ROOT / "docs/security.md").read_text()
_ROW = re.compile(
    r"^\| .* \| ([0-9,]+)( [A-Za-z]+)? \| `([a-z_.]+):([A-Z_]+)` \| `(tests/[a-z_/.]+)` \|$", re.M
)
_UNITS = {"KiB": 1024, "MiB": 1024 * 1024, "": 1, "bytes": 1, "characters": 1, "seconds": 1}
ROWS = _ROW.findall(PAGE)


def test_each_row_of_the_limits_is_compared() -> None:
    table = PAGE.split("## Limits")[1].split("## Not covered")[0]
    assert len(ROWS) == sum(line.startswith("|") for line in table.splitlines()) - 2 > 20


@pytest.mark.parametrize(("number", "unit", "module", "name", "test"), ROWS, ids=[row[3] for row in ROWS])
def test_a_limit_has_the_value_that_the_page_names_and_a_test(
    number: str, unit: str, module: str, name: str, test: str
) -> None:
    assert getattr(import_module(module), name) == int(number.replace(",", "")) * _UNITS[unit.strip()]
    assert (ROOT / test).is_file()
