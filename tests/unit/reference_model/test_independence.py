"""The reference model proves something only as long as it shares no code with what it judges."""

import ast
import sys
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[2] / "reference"
MODULES = sorted(REFERENCE.glob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_of_the_reference_model_imports_contracts_and_libraries_only(path: Path) -> None:
    ours = {name for name in imported(path) if name.split(".")[0] in {"services", "shared", "cli", "tests"}}
    foreign = {name for name in ours if not name.startswith(("shared.contracts.", "tests.reference"))}
    assert foreign <= {"shared.contracts"}, f"{path.name} imports {sorted(foreign)}"


def test_the_verifier_needs_cryptography_and_rfc8785_alone() -> None:
    packages = {name.split(".")[0] for name in imported(REFERENCE / "verifier.py")} - sys.stdlib_module_names
    assert packages == {"cryptography", "rfc8785"}


def test_the_reference_model_is_looked_at_whole() -> None:
    assert {"model", "commands", "outcomes", "persons", "roll"} <= {path.stem for path in MODULES}
