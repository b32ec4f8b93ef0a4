"""What the runs found: one line of JSON each, and the table that they make."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.kit.engines import ROOT

Result = Mapping[str, Any]

COLUMNS = (
    "cell",
    "runs",
    "invariants broken",
    "records redelivered",
    "seconds to recover (median)",
    "(longest)",
)


def read(path: Path) -> list[Result]:
    """All results of a file, none where there is none."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def of_code(found: Iterable[Result], code: str) -> list[Result]:
    """Those that were made with this code of the services."""
    return [each for each in found if each["code"] == code]


def newest(found: Iterable[Result]) -> list[Result]:
    """Of several runs of a cell with one seed the last."""
    return list({(each["cell"], each["seed"]): each for each in found}.values())


def is_broken(result: Result) -> bool:
    """Whether an invariant did not hold, or the run could not be finished."""
    return bool(result["broken"]) or "failed" in result


def without_folder(text: str) -> str:
    """Paths as they are in every clone: results are committed."""
    return text.replace(f"{ROOT}/", "")


def append(path: Path, result: Result) -> None:
    """Add one, at once: a run that was made is never made again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(result, sort_keys=True) + "\n")


def row(name: str, results: Iterable[Result]) -> tuple[str, ...]:
    """The line of a cell in the table."""
    some = list(results)
    seconds = [each for result in some for each in result.get("recovered_s", ())]
    return (
        name,
        str(len(some)),
        str(sum(bool(result["broken"]) for result in some)),
        str(sum(result.get("sent_again", 0) for result in some)),
        f"{statistics.median(seconds):.1f}" if seconds else "–",
        f"{max(seconds):.1f}" if seconds else "–",
    )


def rows(results: Iterable[Result], names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """The whole table, its cells in this order."""
    some = list(results)
    for name in names:
        mine = [result for result in some if result["cell"] == name]
        if mine:
            yield row(name, mine)


def small(result: Result) -> Result:
    """What is kept of a result for good."""
    names = (
        "cell",
        "seed",
        "commit",
        "date",
        "kafka",
        "store",
        "broken",
        "failed",
        "sent_again",
        "recovered_s",
    )
    more = ("acknowledged", "lists", "seconds")
    return {name: result[name] for name in (*names, *more) if name in result}
