"""`python -m tools.mutants`: takes each guard out of a copy of the code, and asks its tests to notice.

A mutation is *killed* if its tests pass on the code as it is and fail without the guard. What was killed is
remembered by the content of the copy, so that a run that was stopped goes on where it was.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.mutants.mutation import Mutation, UnusableMutation, read_mutations

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).parent / "mutations.toml"
KILLED = ROOT / ".rollstream" / "mutants.json"
CODE = (
    "shared",
    "audit",
    "matching",
    "services",
    "client",
    "engines",
    "simulator",
    "demo",
    "cli",
    "tools",
    "tests",
)
SECONDS = 180
"""Longest run of one mutation's tests; a mutant that makes them hang is killed by it, too."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the mutations; answers 1 if one survived or does not fit the code."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="try this one; repeatable"
    )
    parser.add_argument("--anew", action="store_true", help="forget what earlier runs killed")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args(arguments)
    mutations = [each for each in read_mutations(LIST) if not options.only or each.name in options.only]
    unknown = set(options.only) - {each.name for each in mutations}
    if unknown:
        parser.error(f"no mutation is called {', '.join(sorted(unknown))}: see {LIST.relative_to(ROOT)}")
    results = _try_all(mutations, {} if options.anew else _remembered())
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    survived = [name for name, result in results.items() if result != "killed"]
    print(f"{len(results) - len(survived)} of {len(results)} mutations killed")
    for name in survived:
        print(f"  {results[name]}: {name}")
    return 1 if survived else 0


def _try_all(mutations: Sequence[Mutation], remembered: dict[str, str]) -> dict[str, str]:
    results: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="rollstream-mutants-") as folder:
        copy = Path(folder)
        for name in CODE:
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "docs", "deploy", "examples", "docker-compose.yml", "README.md"):
            place = ROOT / name
            (shutil.copytree if place.is_dir() else shutil.copy)(place, copy / name)
        state = _state(copy)
        passing: set[tuple[str, ...]] = set()
        for at, mutation in enumerate(mutations, 1):
            key = f"{state} {mutation.name}"
            results[mutation.name] = remembered.get(key) or _try(mutation, copy, passing)
            print(f"{at}/{len(mutations)} {results[mutation.name]}: {mutation.name}", flush=True)
            if results[mutation.name] == "killed":
                remembered[key] = "killed"
                KILLED.parent.mkdir(exist_ok=True)
                kept = {each: result for each, result in remembered.items() if each.startswith(state)}
                KILLED.write_text(json.dumps(kept))
    return results


def _try(mutation: Mutation, copy: Path, passing: set[tuple[str, ...]]) -> str:
    if mutation.tests not in passing:
        if not _pass(mutation.tests, copy):
            return "its tests fail without it"
        passing.add(mutation.tests)
    try:
        before = mutation.apply(copy)
    except UnusableMutation as error:
        return f"unusable ({error})"
    try:
        return "survived" if _pass(mutation.tests, copy) else "killed"
    finally:
        (copy / mutation.file).write_text(before, encoding="utf-8")


def _pass(tests: Sequence[str], copy: Path) -> bool:
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    # The copy comes first on the path, also in the processes that tests start.
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [*command, *tests], cwd=copy, env=environment, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    if done.returncode not in (0, 1, 2):  # 2: a mutant that cannot even be imported
        raise UnusableMutation(
            f"{', '.join(tests)}: pytest ended with {done.returncode}; is there such a test?"
        )
    return done.returncode == 0


def _state(copy: Path) -> str:
    """A hash of all code and tests, by which a result is remembered."""
    content = hashlib.sha256()
    for path in [*sorted(copy.rglob("*.py")), copy / "tools/mutants/mutations.toml"]:
        content.update(str(path.relative_to(copy)).encode() + b"\0" + path.read_bytes())
    return content.hexdigest()[:16]


def _remembered() -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(KILLED.read_text())
    except (OSError, ValueError):
        return {}
    return found


if __name__ == "__main__":
    raise SystemExit(main())
