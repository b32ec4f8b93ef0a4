"""The parts of the fault matrix that need no servers."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

from tests.matrix import report, results
from tests.matrix.cells import CELLS
from tests.matrix.load import disturbed


def result(**changes: Any) -> dict[str, Any]:
    return {
        "cell": "steady", "seed": 1, "code": "c", "commit": "d", "date": "2026-11-26T08:00:00+00:00",
        "kafka": "Apache Kafka 4.1.0", "store": "secantusd-rs 1", "broken": [], "sent_again": 2,
        "recovered_s": [1.0, 4.0], "acknowledged": 1_000, **changes,
    }  # fmt: skip


def test_disturbed_lines_are_all_there_and_some_twice_and_the_same_for_one_seed() -> None:
    lines = [str(number).encode() for number in range(1_000)]
    made = disturbed(lines, random.Random(1), 0.1, 0.2)
    assert set(made) == set(lines)
    assert 50 < len(made) - len(lines) < 150
    assert made != sorted(made, key=int)
    assert made == disturbed(lines, random.Random(1), 0.1, 0.2)
    assert Counter(disturbed(lines, random.Random(1), 0, 0)) == Counter(lines)


def test_a_row_counts_runs_that_broke_something() -> None:
    some = [result(), result(seed=2, broken=["lost", "lost"]), result(seed=3)]
    assert results.row("steady", some) == ("steady", "3", "1", "6", "2.5", "4.0")


def test_a_run_that_could_not_be_finished_shows_nothing_and_is_told() -> None:
    assert results.is_broken(result(failed="TimeoutError"))
    page = report.page([result(), result(seed=2, failed="TimeoutError")])
    assert "0 runs with a broken invariant, 1 not finished (steady with seed 2)." in page


def test_a_cell_in_which_nothing_recovers_has_no_seconds() -> None:
    assert results.row("steady", [result(recovered_s=[])])[-2:] == ("–", "–")


def test_results_go_on_where_they_stopped_and_of_this_code_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.jsonl"
    assert results.read(path) == []
    for each in (result(), result(code="other"), result(broken=["lost"])):
        results.append(path, each)
    mine = results.of_code(results.read(path), "c")
    assert [each["broken"] for each in mine] == [[], ["lost"]]
    assert [each["broken"] for each in results.newest(mine)] == [["lost"]]


def test_the_page_says_how_many_runs_broke_an_invariant_and_with_which_commit() -> None:
    page = report.page([result(), result(seed=2, broken=["lost"], commit="e")])
    assert "commit d, e, on Apache Kafka 4.1.0, secantusd-rs 1: 2 runs, 2,000 acknowledged events" in page
    assert "1 run with a broken invariant" in page
    assert "| steady | " + CELLS["steady"].what + " | 2 | 1 | 4 | 2.5 | 4.0 |" in page
    assert "zombie" not in page.split("\n| cell |")[1]


def test_the_short_form_has_a_cell_of_each_kind_of_fault() -> None:
    cheap = {each.act.__module__.rpartition(".")[2] for each in CELLS.values() if each.cheap}
    assert cheap >= {"brokers", "network", "senders", "services", "store"}
