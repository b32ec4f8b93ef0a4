"""`python -m tests.matrix`: runs the fault matrix, goes on where it stopped, prints its table."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engines import EngineFailed, guard
from tests.kit import engines
from tests.matrix import report, results
from tests.matrix.cells import CELLS, Cell
from tests.matrix.play import play
from tests.matrix.tree import Tree, tree
from tests.matrix.world import given

FOLDER = engines.ROOT / ".rollstream/matrix"
RUN_SECONDS = 600.0
"""No run takes so long: one that does hangs, and is ended."""


def main() -> int:
    """What is to be run, by the arguments."""
    arguments = _arguments()
    if arguments.one:
        name, seed = arguments.one
        print(json.dumps(asyncio.run(play(CELLS[name], int(seed), FOLDER / f"{name}-{seed}"))))  # noqa: T201
        return 0
    if arguments.write:
        report.write(results.read(arguments.results))
        return 0
    try:
        chosen = _chosen(arguments)
        _require_engines()
    except EngineFailed as error:
        _say(f"error: {error}")
        return 1
    seeds = [arguments.seed] if arguments.seed is not None else list(range(1, arguments.seeds + 1))
    return asyncio.run(_run(chosen, seeds, arguments))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="seeds 1 to N of each cell")
    parser.add_argument("--seed", type=int, help="this seed alone, even if it was run")
    parser.add_argument("--cells", default="", help="names, separated by commas; all by default")
    parser.add_argument("--short", action="store_true", help="the cheap cells only")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side")
    parser.add_argument("--results", type=Path, default=FOLDER / "results.jsonl", help="where results go")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md of the last results")
    parser.add_argument("--one", nargs=2, metavar=("CELL", "SEED"), help="one run; prints its result")
    return parser.parse_args()


def _chosen(arguments: argparse.Namespace) -> list[Cell]:
    names = [name for name in arguments.cells.split(",") if name] or list(CELLS)
    if unknown := [name for name in names if name not in CELLS]:
        raise EngineFailed(f"no cell {unknown[0]}; there are: {', '.join(CELLS)}")
    chosen = []
    for cell in (CELLS[name] for name in names if CELLS[name].cheap or not arguments.short):
        if missing := sorted(name for name in cell.needs if shutil.which(name) is None):
            _say(f"not tried here: {cell.name} needs {', '.join(missing)}")
        elif given() is not None and cell.own_servers:
            _say(f"not tried on servers that someone else runs: {cell.name}")
        else:
            chosen.append(cell)
    if given() is not None:
        arguments.jobs = 1  # the topics have fixed names
    return chosen


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def _require_engines() -> None:
    """Name the programs that are missing; get the engines where only they are."""
    if given() is not None:
        return
    needed = ["java"]
    if not engines.present():
        needed += ["mvn", "cargo", "cmake"]
    if missing := [name for name in needed if shutil.which(name) is None]:
        raise EngineFailed(f"the fault matrix needs {', '.join(missing)}: not on this machine")
    engines.fetch()


async def _run(chosen: Sequence[Cell], seeds: Sequence[int], arguments: argparse.Namespace) -> int:
    code, path = tree(), arguments.results
    known = results.of_code(results.read(path), code.code)
    done = {(each["cell"], each["seed"]) for each in known}
    again = arguments.seed is not None
    due = [(cell, seed) for seed in seeds for cell in chosen if again or (cell.name, seed) not in done]
    queue: Iterator[tuple[Cell, int]] = iter(due)
    made: list[results.Result] = []

    async def work() -> None:
        for cell, seed in queue:
            result = await _one(cell, seed, code)
            results.append(path, result)
            made.append(result)
            _tell(result, len(made), len(due))

    await asyncio.gather(*(work() for _ in range(arguments.jobs)))
    found = results.of_code(results.read(path), code.code)
    shown = [each for each in found if each["seed"] in seeds]
    report.show(shown, [cell.name for cell in chosen])
    return 1 if any(results.is_broken(each) for each in shown) else 0


async def _one(cell: Cell, seed: int, code: Tree) -> results.Result:
    """One run in a process of its own; keeps its folder only if something was wrong."""
    folder = FOLDER / f"{cell.name}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    found: dict[str, Any] = {"cell": cell.name, "seed": seed, "broken": []}
    line = [sys.executable, "-m", "tests.matrix", "--one", cell.name, str(seed)]
    with (folder / "run.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *guard.tied(line),
            cwd=engines.ROOT,
            env=dict(os.environ),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        try:
            async with asyncio.timeout(RUN_SECONDS):
                told, _ = await process.communicate()
            found = json.loads(told)
        except TimeoutError:
            process.kill()
            found["failed"] = f"it hung: no result after {RUN_SECONDS:.0f} s"
        except ValueError:
            found["failed"] = (
                f"it ended with code {await process.wait()}; see {folder.relative_to(engines.ROOT)}/run.log"
            )
    found |= code.facts() | {"wall": round(time.monotonic() - began, 1)}
    if results.is_broken(found):
        _forget_data(folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _forget_data(folder: Path) -> None:
    for path in folder.iterdir():
        if (path.name.startswith("kafka-") and path.is_dir()) or path.name in ("mongo", "disk"):
            shutil.rmtree(path, ignore_errors=True)


def _tell(result: results.Result, number: int, of: int) -> None:
    said = [*result["broken"][:3], *([result["failed"]] if "failed" in result else [])]
    state = f"BROKEN {said}" if said else "ok"
    recovered = ", ".join(f"{each:.1f}" for each in result.get("recovered_s", ()))
    _say(
        f"{number}/{of} {result['cell']} seed {result['seed']}: {state}; {result.get('seconds', 0):.0f} s"
        + (f", recovered in {recovered} s" if recovered else "")
    )


if __name__ == "__main__":
    sys.exit(main())
