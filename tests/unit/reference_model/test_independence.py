"""The audit proves something only as long as it shares no code with what it judges."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
AUDIT = ROOT / "audit"
MODULES = sorted([*AUDIT.glob("*.py"), *ROOT.glob("tests/reference/*.py")])
ROOMS = {path.name for path in ROOT.iterdir() if path.is_dir()}


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
def test_a_module_of_the_audit_imports_contracts_and_libraries_only(path: Path) -> None:
    ours = {name for name in imported(path) if name.split(".")[0] in ROOMS}
    own = ("audit.",) if path.parent == AUDIT else ("audit.", "tests.reference.")
    foreign = {name for name in ours if not name.startswith(("shared.contracts.", *own))}
    assert not foreign, f"{path.name} imports {sorted(foreign)}"


def test_the_verifier_needs_cryptography_and_rfc8785_alone() -> None:
    packages = {name.split(".")[0] for name in imported(AUDIT / "verifier.py")} - sys.stdlib_module_names
    assert packages == {"cryptography", "rfc8785"}


def test_the_audit_is_looked_at_whole() -> None:
    assert {"model", "commands", "outcomes", "persons", "roll"} <= {path.stem for path in MODULES}
