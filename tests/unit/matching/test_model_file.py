"""The model file says everything that decides a claim, and one that does not fit this code is refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from matching.matcher import Matcher
from matching.model import default_model_bytes, load_model, model_sha256
from matching.skeleton import skeleton
from matching.training import train
from shared.contracts.model_file import LEVELS, InvalidModel, parse_model
from simulator import DEMO_RATES, generate_stream
from tests.reference.register_files import MODEL
from tools.train_model import versions


def shipped() -> Any:
    return json.loads(default_model_bytes())


def load(content: Any) -> None:
    Matcher(load_model(json.dumps(content).encode()))


def test_the_shipped_model_is_valid_and_compares_everything() -> None:
    model = load_model(default_model_bytes())
    assert [each.field for each in model.comparisons] == list(LEVELS)
    assert len(model_sha256(default_model_bytes())) == 64


def test_a_model_of_another_normaliser_can_be_read_and_is_not_served() -> None:
    raw = json.dumps({**shipped(), "normaliser": "0"}).encode()
    assert parse_model(raw).normaliser == "0"
    with pytest.raises(ValueError, match="normaliser 0"):
        load_model(raw)


def level(content: Any) -> Any:
    return content["comparisons"][0]["levels"][0]


def statistics(content: Any) -> Any:
    return content["blocking"]["statistics"]


BROKEN: dict[str, tuple[str, Callable[[Any], object]]] = {
    "levels that do not sum to one": ("sum to", lambda model: level(model)["probability"].update(twins=0.9)),
    "levels of other classes": (
        "not for the classes",
        lambda model: level(model)["probability"].pop("twins"),
    ),
    "an unknown comparison": ("shoe_size", lambda model: model["comparisons"][0].update(field="shoe_size")),
    "an unknown level": ("shoe_size", lambda model: level(model).update(name="shoe_size")),
    "a level twice": (
        "two of one name",
        lambda model: model["comparisons"][0]["levels"].append({**level(model)}),
    ),
    "a comparison twice": (
        "two of one name",
        lambda model: model["comparisons"].append(model["comparisons"][0]),
    ),
    "a key of unknown parts": (
        "shoe_size",
        lambda model: model["blocking"]["keys"][0].update(parts=["shoe_size"]),
    ),
    "no keys": ("no keys", lambda model: model["blocking"].update(keys=[])),
    "no statistics of a part": ("statistics are of", lambda model: statistics(model).pop("sex")),
    "statistics of a year that is none": (
        "year",
        lambda model: statistics(model)["year"].update(values={"9": 0.1}),
    ),
    "statistics of a day that is none": (
        "day",
        lambda model: statistics(model)["day"].update(values={"13-01": 0.1}),
    ),
    "a class twice": ("two of one name", lambda model: model["classes"].append(model["classes"][0])),
    "no strangers": ("strangers", lambda model: model["classes"].pop()),
    "nobody who is one person": (
        "one kind only",
        lambda model: [each.update(same_person=False) for each in model["classes"]],
    ),
    "more pairs than there are": (
        "more pairs",
        lambda model: model["classes"][0].update(pairs_per_record=20_000.0),
    ),
    "a class without pairs": (
        "none",
        lambda model: model["classes"][0].update(pairs_per_record=5e-324),
    ),
    "an unknown member": ("Extra", lambda model: model.update(more=1)),
    "a size beyond any register": ("register_size", lambda model: model.update(register_size=10**60)),
    "text for a number": ("threshold", lambda model: model.update(threshold="0.5")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_model_is_refused_with(name: str) -> None:
    content = shipped()
    words, broken = BROKEN[name]
    broken(content)
    with pytest.raises(InvalidModel, match=words):
        parse_model(json.dumps(content).encode())


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"null", b"\xff", default_model_bytes() + b"}", b'{"a":1,"a":2}']
)
def test_what_is_no_json_object_is_no_model(raw: bytes) -> None:
    with pytest.raises(InvalidModel):
        parse_model(raw)


def test_the_smallest_model_that_can_be_read_can_be_served() -> None:
    records = list(versions(generate_stream(events=1500, seed=3, rates=DEMO_RATES).lines))
    assert len(Matcher(load_model(MODEL.encode())).claims_of(records)) == len(records)


def test_a_key_whose_block_would_be_too_large_is_not_used() -> None:
    content = shipped()
    records = list(versions(generate_stream(events=1500, seed=3, rates=DEMO_RATES).lines))
    counts = []
    for largest in (1, 500, 10**9):
        content["blocking"]["largest_block"] = largest
        matcher = Matcher(load_model(json.dumps(content).encode()))
        counts.append(sum(each.count for each in matcher.look_up(records)))
    assert counts[0] < counts[1] < counts[2]


def test_training_is_deterministic_and_needs_no_labels() -> None:
    records = list(versions(generate_stream(events=1500, seed=7002, rates=DEMO_RATES).lines))
    one, other = (train(records, name="t", seed=1, random_pairs=50_000) for _ in range(2))
    assert one.model_dump_json() == other.model_dump_json()
    load(json.loads(one.model_dump_json()))


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
