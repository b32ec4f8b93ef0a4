"""The table, on the terminal and as docs/reliability.md."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from client.output import table
from tests.kit import engines
from tests.matrix import results
from tests.matrix.cells import CELLS

PAGE = engines.ROOT / "docs/reliability.md"
KEPT = engines.ROOT / "docs/reliability.jsonl"


def show(found: Sequence[results.Result], names: Sequence[str]) -> None:
    """Print the table, and of each run that broke something how to see it again."""
    lines = [list(each) for each in results.rows(found, names)]
    sys.stdout.write(table("Fault matrix", results.COLUMNS, lines))
    for each in found:
        if results.is_broken(each):
            said = "; ".join([*each["broken"], *([each["failed"]] if "failed" in each else [])])
            again = f"make faults CELL={each['cell']} SEED={each['seed']}"
            sys.stdout.write(f"{again}  # {said}\n")


def write(found: Sequence[results.Result]) -> None:
    """Write the page and the results that it rests on: those of the code that was tried last."""
    mine = results.newest(results.of_code(found, found[-1]["code"]))
    kept = [json.dumps(results.small(each), sort_keys=True) for each in mine]
    KEPT.write_text("".join(f"{line}\n" for line in kept))
    PAGE.write_text(page(mine))


def page(found: Sequence[results.Result]) -> str:
    """The page as Markdown."""
    head = (engines.ROOT / "tests/matrix/reliability.head.md").read_text()
    lines = ["| cell | what breaks | " + " | ".join(results.COLUMNS[1:]) + " |"]
    lines.append("|---|---|" + "---:|" * (len(results.COLUMNS) - 1))
    for name, *rest in results.rows(found, CELLS):
        lines.append(f"| {name} | {CELLS[name].what} | " + " | ".join(rest) + " |")
    broken = sum(bool(each["broken"]) for each in found)
    unfinished = [f"{each['cell']} with seed {each['seed']}" for each in found if "failed" in each]
    commits = sorted({each["commit"] for each in found})
    dates = sorted(each["date"][:10] for each in found)
    engines_of = sorted({f"{each['kafka']}, {each['store']}" for each in found})
    facts = (
        f"`make faults` on {dates[0]}" + (f" to {dates[-1]}" if dates[0] != dates[-1] else "")
        if dates
        else "Nothing was run yet"
    )
    summary = (
        f"{facts}, commit {', '.join(commits)}, on {'; '.join(engines_of)}: {len(found)} runs, "
        f"{sum(each.get('acknowledged', 0) for each in found):,} acknowledged events, "
        f"{broken} run{'' if broken == 1 else 's'} with a broken invariant"
        + (f", {len(unfinished)} not finished ({', '.join(unfinished)})." if unfinished else ".")
    )
    return f"{head}\n{summary}\n\n" + "\n".join(lines) + "\n"
