"""Splink on the same fields and the same blocking keys, with its own library of comparisons and term
frequencies: what the engine is held against, in the same run."""

import logging
import tempfile
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from matching.linkage.blocking import Key
from matching.linkage.register import Columns
from matching.linkage.schema import Field, Schema

MOST_ROUNDS = 50
TRAINED_ON = 4
"""Keys on which expectation-maximisation runs; Splink leaves the fields of a key out of its own run."""


def probabilities(
    schema: Schema, columns: Columns, keys: list[Key]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows of each candidate, and how probable it is that they are one person."""
    import pandas as pd
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    logging.disable(logging.WARNING)
    frame = pd.DataFrame({"unique_id": np.arange(len(columns[schema.id]))})
    for field in schema.fields:
        for name, texts in _values(field, columns).items():
            frame[name] = [text.strip().lower() or None for text in texts]
    for at, key in enumerate(keys):
        frame[f"key_{at}"] = [str(each) if each else None for each in key.hashes.tolist()]
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[_comparison(each) for each in schema.fields],
        blocking_rules_to_generate_predictions=[block_on(f"key_{at}") for at in range(len(keys))],
        retain_matching_columns=False,
        max_iterations=MOST_ROUNDS,
    )
    with tempfile.TemporaryDirectory() as folder:
        api = DuckDBAPI(connection=str(Path(folder) / "bench.duckdb"))
        linker = Linker(api.register(frame), settings)
        linker.training.estimate_u_using_random_sampling(max_pairs=1_000_000, seed=1)
        for name in _trained_on(schema):
            linker.training.estimate_parameters_using_expectation_maximisation(
                block_on(name), fix_u_probabilities=True, estimate_without_term_frequencies=False,
                populate_probability_two_random_records_match_from_trained_values=True,
            )  # fmt: skip
        predicted: Any = linker.inference.predict(threshold_match_probability=0.0)
        found = predicted.as_pandas_dataframe()
    return (
        found["unique_id_l"].to_numpy(np.int64),
        found["unique_id_r"].to_numpy(np.int64),
        found["match_probability"].to_numpy(np.float64),
    )


def _values(field: Field, columns: Columns) -> dict[str, list[str]]:
    """One column a fact, since two of one fact count evidence twice: the finest of a place."""
    if field.kind == "address":
        parts = zip(*(columns[each] for each in field.columns), strict=True)
        return {field.name: [" ".join(part).strip() for part in parts]}
    return {field.name: list(columns[field.columns[-1]])}


def _trained_on(schema: Schema) -> list[str]:
    """Fields that are equal in enough pairs of one person, and rarely in others."""
    kinds = ("date_of_birth", "family_name", "given_name", "email", "identifier")
    return [each.name for kind in kinds for each in schema.fields if each.kind == kind][:TRAINED_ON]


def _comparison(field: Field) -> Any:
    import splink.comparison_library as library

    name, made = field.name, cast(Any, None)
    match field.kind:
        case "given_name" | "family_name" | "full_name" | "place" | "text":
            made = library.JaroWinklerAtThresholds(name, [0.92, 0.85, 0.7])
        case "address":
            made = library.JaroWinklerAtThresholds(name, [0.92, 0.8])
        case "date_of_birth" | "identifier" | "phone":
            made = library.DamerauLevenshteinAtThresholds(name, [1, 2])
        case "email":
            made = library.JaroWinklerAtThresholds(name, [0.95, 0.88])
        case _:
            made = library.ExactMatch(name)
    return made.configure(term_frequency_adjustments=True)
