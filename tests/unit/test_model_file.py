"""The model file says everything that decides a claim, and one that does not fit this code is refused."""

import json
from typing import Any

import numpy as np
import pytest

from cli.generator import DEMO_RATES, generate_stream
from services.dedup.levels import LEVELS
from services.dedup.matching import Matcher
from services.dedup.model import default_model_bytes, load_model, model_sha256
from services.dedup.postings import Postings
from services.dedup.skeleton import skeleton
from services.dedup.train import train, versions


def shipped() -> Any:
    return json.loads(default_model_bytes())


def load(content: Any) -> None:
    Matcher(load_model(json.dumps(content).encode()))


def test_the_shipped_model_is_valid_and_compares_everything() -> None:
    model = load_model(default_model_bytes())
    assert [each.field for each in model.comparisons] == list(LEVELS)
    assert len(model_sha256(default_model_bytes())) == 64


def test_a_model_of_another_normaliser_is_refused() -> None:
    content = {**shipped(), "normaliser": "0"}
    with pytest.raises(ValueError, match="normaliser 0"):
        load(content)


def test_levels_that_do_not_sum_to_one_are_refused() -> None:
    content = shipped()
    content["comparisons"][0]["levels"][0]["probability"]["twins"] = 0.9
    with pytest.raises(ValueError, match="sum to"):
        load(content)


def test_a_comparison_that_the_code_does_not_make_is_refused() -> None:
    content = shipped()
    content["comparisons"][0]["field"] = "shoe_size"
    with pytest.raises(ValueError, match="shoe_size"):
        load(content)


def test_a_key_of_unknown_parts_is_refused() -> None:
    content = shipped()
    content["blocking"]["keys"][0]["parts"] = ["shoe_size"]
    with pytest.raises(ValueError, match="shoe_size"):
        load(content)


def test_a_key_whose_block_would_be_too_large_is_not_used() -> None:
    content = shipped()
    records = list(versions(generate_stream(events=1500, seed=3, rates=DEMO_RATES).lines))
    counts = []
    for largest in (1, 500, 10**9):
        content["blocking"]["largest_block"] = largest
        matcher = Matcher(load_model(json.dumps(content).encode()))
        counts.append(sum(len(each) for each in matcher.claims_of(records)))
    assert counts[0] < counts[1] <= counts[2]


def test_training_is_deterministic_and_needs_no_labels() -> None:
    records = list(versions(generate_stream(events=1500, seed=7002, rates=DEMO_RATES).lines))
    one, other = (train(records, name="t", seed=1, random_pairs=50_000) for _ in range(2))
    assert one.model_dump_json() == other.model_dump_json()
    load(json.loads(one.model_dump_json()))


@pytest.mark.parametrize("size", [1, 3, 50])
def test_postings_find_every_entry_however_it_was_added(size: int) -> None:
    keys = np.random.default_rng(5).integers(0, 40, 500).astype(np.uint64)
    postings = Postings()
    for start in range(0, len(keys), size):
        rows = np.arange(start, min(start + size, len(keys)), dtype=np.uint32)
        postings.add(keys[rows], rows)
    wanted = np.array([7, 39, 7, 1000], np.uint64)
    positions, rows_found = postings.find(wanted)
    for position, key in enumerate(wanted):
        assert sorted(rows_found[positions == position]) == list(np.flatnonzero(keys == key))


@pytest.mark.parametrize(
    "spellings",
    [
        ("SOK", "SOKH", "SUK", "សុខ"),
        ("CHAN", "JAN", "ចាន់"),
        ("DARA", "TARA", "ដារា"),
        ("SOPHEAK", "SOPHAK", "SUPHEAK", "សុភ័ក"),
        ("HENG", "HEING", "ហេង"),
    ],
)
def test_spellings_of_one_name_have_one_skeleton(spellings: tuple[str, ...]) -> None:
    assert len({skeleton(each) for each in spellings}) == 1


def test_names_that_sound_apart_have_two_skeletons() -> None:
    assert len({skeleton(each) for each in ("SOK", "CHEA", "HENG", "MEAS", "LY")}) == 5
