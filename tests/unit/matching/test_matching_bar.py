"""The shipped model on campaigns that it has not seen."""

from collections import defaultdict
from functools import cache
from itertools import combinations

import pytest

from matching.matcher import Matcher
from matching.model import default_model_bytes, load_model
from matching.version import Version
from simulator import DEMO_RATES, Stream, generate_stream
from tests.bench.matching import Judgement, Pair, found_pairs, readable
from tools.train_model import SEED

SEEDS = (101, 102, 103)
PRECISION, RECALL = 0.90, 0.80


@cache
def campaign(seed: int) -> tuple[Stream, tuple[Version, ...]]:
    stream = generate_stream(events=5000, seed=seed, rates=DEMO_RATES)
    return stream, tuple(readable(stream))


def judged(seed: int, found: set[Pair]) -> Judgement:
    stream, records = campaign(seed)
    judgement = Judgement()
    judgement.add(found, stream, list(records))
    return judgement


@pytest.mark.parametrize("seed", SEEDS)
def test_the_shipped_model_clears_the_bar_on_campaigns_it_never_saw(seed: int) -> None:
    assert seed != SEED
    _, records = campaign(seed)
    found = judged(seed, found_pairs(Matcher(load_model(default_model_bytes())), list(records)))
    assert found.true_pairs > 100
    assert found.precision >= PRECISION
    assert found.recall >= RECALL


@pytest.mark.parametrize("seed", SEEDS)
def test_hardly_any_twins_are_flagged(seed: int) -> None:
    stream, records = campaign(seed)
    twins = {(each.one, each.other) for each in stream.lookalikes if each.kind == "twins"}
    assert len(twins) >= 10
    flagged = twins & found_pairs(Matcher(load_model(default_model_bytes())), list(records))
    assert len(flagged) <= len(twins) // 5


@pytest.mark.parametrize("seed", SEEDS)
def test_who_knows_the_birth_date_alone_fails_the_bar(seed: int) -> None:
    _, records = campaign(seed)
    born: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in records:
        born[record.date_of_birth, record.precision].append(record.registration_id)
    same_birthday = {pair for ids in born.values() for pair in combinations(sorted(ids), 2)}
    found = judged(seed, same_birthday)
    assert found.precision < PRECISION


@pytest.mark.parametrize("threshold", [0.5, 0.01, 0.0001])
def test_the_model_with_all_but_the_birth_date_taken_away_fails_the_bar(threshold: float) -> None:
    whole = load_model(default_model_bytes())
    birth_date = tuple(each for each in whole.comparisons if each.field == "birth_date")
    model = whole.model_copy(update={"comparisons": birth_date, "threshold": threshold})
    found = judged(SEEDS[0], found_pairs(Matcher(model), list(campaign(SEEDS[0])[1])))
    assert found.precision < PRECISION or found.recall < RECALL
