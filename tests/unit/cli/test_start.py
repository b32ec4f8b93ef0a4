"""What a command costs before it does anything: people type hundreds of them."""

import importlib.util
import re
import subprocess
import sys
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import pytest

from cli.capture_commands import LEAST_VOTERS
from cli.console_commands import ROLES
from cli.officer_commands import KINDS
from services.console.users import CONSOLE_ROLES
from shared.contracts.commands import REFERENCE_KINDS
from shared.crypto import signing
from simulator import stream
from tests.kit.terminal import NOBODY

HEAVY = ("pydantic", "aiokafka", "motor", "pymongo", "rich", "cryptography", "numpy", "structlog", "asyncio")
RUNS = 3


def cpu_seconds(*arguments: str) -> float:
    """The least CPU time, user and system, that Python takes for these arguments in some runs."""
    least = float("inf")
    for _ in range(RUNS):
        before = getrusage(RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], capture_output=True, env={**NOBODY}, timeout=60)
        after = getrusage(RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return least


def modules_of(*words: str) -> set[str]:
    """The modules that a command has imported when it ends, whatever it ends with."""
    program = (
        "import sys\nfrom cli.__main__ import main\n"
        f"sys.argv = ['rollstream', *{words!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('\\n' + ' '.join(sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**NOBODY}, timeout=60
    )
    return set(ended.stdout.rsplit("\n", 2)[-2].split())


def imported_by(*words: str) -> set[str]:
    """The packages of those modules."""
    return {name.split(".")[0] for name in modules_of(*words)}


@pytest.mark.parametrize("words", [(), ("--help",), ("--version",)], ids=str)
def test_the_root_imports_no_library_that_a_command_needs(words: tuple[str, ...]) -> None:
    assert imported_by(*words).isdisjoint(HEAVY)


@pytest.mark.parametrize(
    ("words", "without"),
    [
        ("status", {"aiokafka", "rich", "numpy", "structlog"}),
        ("find r-1", {"aiokafka", "rich", "numpy", "structlog"}),
        ("approve 12345678 --officer a --key KEY", {"motor", "pymongo", "rich", "numpy", "structlog"}),
        ("cut-off 1 --officer a --key KEY", {"motor", "pymongo", "rich", "numpy", "structlog"}),
    ],
)
def test_a_command_imports_what_it_needs_alone(words: str, without: set[str], tmp_path: Path) -> None:
    signing.write_private_key(tmp_path / "key.pem", signing.generate_key())
    named = words.replace("KEY", str(tmp_path / "key.pem")).split()
    assert imported_by(*named).isdisjoint(without)


FOLD = {
    "shared.commands.fold",
    "shared.contracts.commands",
    "shared.crypto.signing",
    "shared.reference.files",
}
"""What judges commands: half of the time of a command that only reads what was judged."""


@pytest.mark.parametrize(
    ("words", "without"),
    [
        ("status", FOLD | {"shared.contracts.fields"}),
        ("find r-1", FOLD | {"shared.contracts.fields"}),
        (
            "approve 12345678 --officer a --key KEY",
            {"aiokafka.admin", "client.topics"},
        ),
    ],
)
def test_a_command_imports_no_module_of_ours_that_it_does_not_need(
    words: str, without: set[str], tmp_path: Path
) -> None:
    signing.write_private_key(tmp_path / "key.pem", signing.generate_key())
    named = words.replace("KEY", str(tmp_path / "key.pem")).split()
    assert modules_of(*named).isdisjoint(without)


def test_python_does_not_look_through_all_that_was_imported_as_it_ends() -> None:
    program = (
        "import atexit, gc, sys\nfrom cli.__main__ import main\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 1000))\n"
        "sys.argv = ['rollstream', 'find']\nmain()"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "True\n")


def test_the_libraries_lie_compiled_whatever_the_environment_says() -> None:
    # Under PYTHONDONTWRITEBYTECODE each command would compile them all: three times the time.
    import pydantic.main
    import pymongo.pool

    for module in (pydantic.main, pymongo.pool):
        assert Path(importlib.util.cache_from_source(str(module.__file__))).exists()


@pytest.mark.parametrize(
    ("words", "libraries", "factor"),
    [
        ("--help", "typer", 2.0),
        ("--version", "typer", 2.0),
        ("approve --help", "typer._adapters", 1.5),
        ("status", "typer._adapters, pydantic_settings, motor.motor_asyncio", 1.5),
    ],
)
def test_a_command_costs_little_more_than_its_libraries(words: str, libraries: str, factor: float) -> None:
    floor = cpu_seconds("-c", f"import {libraries}")
    assert cpu_seconds("-m", "cli", *words.split()) < factor * floor + 0.05


def test_what_is_written_twice_to_save_an_import_is_the_same() -> None:
    assert KINDS.split(" | ") == list(REFERENCE_KINDS)
    assert LEAST_VOTERS == stream.LEAST_VOTERS
    assert ROLES.split(" | ") == list(CONSOLE_ROLES)


def test_the_help_of_every_command_tells_what_it_does_without_an_ellipsis() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "cli", "-h"], capture_output=True, text=True, env={"COLUMNS": "80"}, timeout=60
    ).stdout
    commands = told.partition("Commands:\n")[2]
    assert commands and "..." not in commands
    assert all(len(line) <= 80 for line in told.splitlines())
    assert re.search(r"^  init +Create a register", told, re.MULTILINE)


def test_shells_complete_commands() -> None:
    asked = {"_ROLLSTREAM_COMPLETE": "complete_bash", "COMP_WORDS": "rollstream ap", "COMP_CWORD": "1"}
    script = str(Path(sys.executable).with_name("rollstream"))
    began = time.monotonic()
    told = subprocess.run([script], capture_output=True, text=True, env=asked, timeout=60).stdout
    assert told.split() == ["approve"] and time.monotonic() - began < 30
