"""The rooms of the house and their floors: nothing imports what stands above it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

ROOMS = (
    *("shared", "audit", "matching", "services", "client", "services.console"),
    *("engines", "simulator", "demo", "cli", "tools", "tests"),
)
"""From the ground up; a room may import from itself and from those before it. The console is a service as a
process, and lies above `client`: it shows people what the commands show, and does what they do."""

SHARED_FLOORS = ("contracts", "crypto", "process", "store", "reference", "runtime", "commands", "operations")
"""The floors of `shared/`, in the same order."""


def imported(path: Path) -> set[str]:
    """Modules that a file imports, in dotted form."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
        elif isinstance(node, ast.Import):
            modules |= {each.name for each in node.names}
    return modules


def files_of(folder: str) -> list[Path]:
    """The Python files below a folder, without those of a room inside it; a folder without any is a typing
    error in this test."""
    place = folder.replace(".", "/")
    inside = [ROOT / room.replace(".", "/") for room in ROOMS if room.startswith(f"{folder}.")]
    found = [
        path
        for path in sorted((ROOT / place).rglob("*.py"))
        if not any(path.is_relative_to(room) for room in inside)
    ]
    assert found, folder
    return found


def room_of(module: str) -> str:
    """The innermost room that a module lies in; what is no room's is its own."""
    inside = [room for room in ROOMS if module == room or module.startswith(f"{room}.")]
    return max(inside, key=len, default=module)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_nothing_from_above(room: str) -> None:
    above = ROOMS[ROOMS.index(room) + 1 :]
    upwards = {
        f"{path.relative_to(ROOT)} imports {module}"
        for path in files_of(room)
        for module in imported(path)
        if room_of(module) in above
    }
    assert not upwards


@pytest.mark.parametrize("floor", SHARED_FLOORS)
def test_a_floor_of_shared_imports_nothing_from_above(floor: str) -> None:
    above = {f"shared.{each}" for each in SHARED_FLOORS[SHARED_FLOORS.index(floor) + 1 :]}
    upwards = {
        f"{path.relative_to(ROOT)} imports {module}"
        for path in files_of(f"shared/{floor}")
        for module in imported(path)
        if ".".join(module.split(".")[:2]) in above
    }
    assert not upwards


def test_shared_has_no_other_floors() -> None:
    here = {path.name for path in (ROOT / "shared").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert here == set(SHARED_FLOORS)


@pytest.mark.parametrize(
    "room", [each for each in ROOMS if each not in ("shared", "audit", "client", "cli", "tests")]
)
def test_nothing_that_is_audited_imports_the_audit(room: str) -> None:
    imports = {
        f"{path.relative_to(ROOT)} imports {module}"
        for path in files_of(room)
        for module in imported(path)
        if module.split(".")[0] == "audit"
    }
    assert not imports


@pytest.mark.parametrize("service", ["registration", "dedup", "publisher"])
def test_a_service_imports_no_other_service(service: str) -> None:
    others = {"registration", "dedup", "publisher"} - {service}
    foreign = {
        f"{path.relative_to(ROOT)} imports {module}"
        for path in files_of(f"services/{service}")
        for module in imported(path)
        if any(module.startswith(f"services.{other}") for other in others)
    }
    assert not foreign
