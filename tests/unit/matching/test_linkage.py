"""The engine for any register: what it takes for one person, and what not."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from matching.linkage import blocking, mixture, training
from matching.linkage.dates import parse, usual_patterns
from matching.linkage.register import Register, encode, unpacked
from matching.linkage.schema import InvalidSchema, Schema, guess_schema, parse_schema

SCHEMA = """
id = "id"
[[field]]
kind = "given_name"
column = "given"
[[field]]
kind = "family_name"
column = "family"
[[field]]
kind = "date_of_birth"
column = "born"
[[field]]
kind = "identifier"
column = "card"
[[field]]
kind = "place"
columns = ["district", "commune"]
"""

Row = dict[str, str]
SYLLABLES = (
    "SO",
    "VAN",
    "NA",
    "RITH",
    "CHAN",
    "DARA",
    "PHAL",
    "SREY",
    "MONY",
    "BO",
    "KIM",
    "LY",
    "THY",
    "RA",
)


def register(people: int, seed: int) -> tuple[list[Row], set[tuple[str, str]], set[tuple[str, str]]]:
    """Rows, the pairs that are one person, and the pairs of twins, whose cards are one after the other."""
    draw = random.Random(seed)
    rows: list[Row] = []
    one_person, twins = set(), set()

    def person() -> Row:
        commune = draw.randrange(400)
        return {
            "given": "".join(draw.sample(SYLLABLES, 2)),
            "family": "".join(draw.sample(SYLLABLES, draw.choice((1, 2)))),
            "born": f"{draw.randrange(1940, 2006)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}",
            "card": f"{draw.randrange(10**8, 10**9)}",
            "district": f"{commune // 8:04}",
            "commune": f"{commune:06}",
        }

    def add(row: Row) -> str:
        rows.append({"id": f"R{len(rows)}", **row})
        return rows[-1]["id"]

    for at in range(people):
        row = person()
        mine = add(row)
        if at % 20 == 0:
            again = dict(row)
            if at % 40 == 0:
                again["card"] = ""
            else:
                again["given"] = again["given"][:-1] + "H"
            one_person.add((mine, add(again)))
        elif at % 50 == 7:
            other = {**row, "given": person()["given"], "card": str(int(row["card"]) + 1)}
            twins.add((mine, add(other)))
    return rows, one_person, twins


def matched(rows: Sequence[Row]) -> tuple[Register, dict[tuple[str, str], float]]:
    """Each candidate's probability of being one person, by ids in ascending order."""
    made = encode(parse_schema(SCHEMA), {name: [row[name] for row in rows] for name in rows[0]})
    training.weigh_by_itself(made)
    one, other, patterns = training.candidate_patterns(made, blocking.keys(made))
    distinct, back, counts = np.unique(patterns, return_inverse=True, return_counts=True)
    learnt = training.learn_mixture(made, distinct, counts.astype(float))
    belief = mixture.beliefs(unpacked(made.schema, distinct), learnt.tables, learnt.shares)
    same = (belief["again"] + belief["copy"])[back]
    found = {}
    for a, b, probability in zip(one.tolist(), other.tolist(), same.tolist(), strict=True):
        low, high = sorted((made.ids[a], made.ids[b]), key=lambda each: int(each[1:]))
        found[low, high] = probability
    return made, found


def test_finds_one_person_and_leaves_twins_with_neighbouring_cards() -> None:
    rows, one_person, twins = register(2000, seed=1)
    _, found = matched(rows)
    claimed = {pair for pair, probability in found.items() if probability >= 0.5}
    assert len(one_person & claimed) >= 0.95 * len(one_person)
    assert len(twins & claimed) <= 0.1 * len(twins)
    assert len(claimed - one_person) <= 0.05 * len(one_person)


def test_the_order_of_the_records_changes_nothing() -> None:
    rows, _, _ = register(400, seed=2)
    shuffled = list(rows)
    random.Random(3).shuffle(shuffled)
    one, other = matched(rows)[1], matched(shuffled)[1]
    assert one.keys() == other.keys()
    assert max(abs(one[pair] - other[pair]) for pair in one) < 1e-6


def test_a_number_that_everybody_shares_makes_no_pairs() -> None:
    rows, _, _ = register(400, seed=4)
    usual = len(matched(rows)[1])
    shared = len(matched([{**row, "card": "111222333"} for row in rows])[1])
    assert shared <= usual


def test_levels_are_monotone_and_sum_to_one() -> None:
    field = mixture.Field(
        "category",
        ("a", "b", "c", "d", "e", "different"),
        np.array([0.01, 0.02, 0.03, 0.04, 0.1, 0.8]),
        1.0,
        np.full(5, 0.2),
    )
    level = mixture.monotone(field, np.array([0.1, 0.5, 0.1, 0.1, 0.1, 0.1]), field.chance)
    weights = level / field.chance
    assert (np.diff(weights) <= 1e-12).all()
    assert level.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("1990-04-12", (1990, 4, 12)),
        ("19900412", (1990, 4, 12)),
        ("12/04/1990", (1990, 4, 12)),
        ("2533-04-12", (1990, 4, 12)),
        ("១៩៩០-០៤-១២", (1990, 4, 12)),
        ("1990", (1990, 0, 0)),
        ("1990-00-00", (1990, 0, 0)),
        ("about 1990", (0, 0, 0)),
    ],
)
def test_dates_as_registers_write_them(text: str, date: tuple[int, int, int]) -> None:
    assert parse(text, usual_patterns()) == date


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ('[[field]]\nkind = "text"\ncolumn = "a"', "id is missing"),
        ('id = "i"\n[[field]]\nkind = "colour"\ncolumn = "a"', "line 4: column 'a'"),
        ('id = "i"\n[[field]]\nkind = "phone"\ncolumns = ["a", "b"]', "a phone has one column"),
        (
            'id = "i"\n[[field]]\nkind = "text"\ncolumn = "a"\n[[field]]\nkind = "email"\ncolumn = "a"',
            "twice",
        ),
        ('id = "i', "no TOML"),
    ],
)
def test_a_wrong_schema_is_told_with_its_column(schema: str, told: str) -> None:
    with pytest.raises(InvalidSchema, match=told):
        parse_schema(schema)


def test_columns_names_alone_are_enough() -> None:
    schema: Schema = guess_schema(["rec_id", "surname", "given_name", "dob", "suburb", "state", "colour"])
    assert schema.id == "rec_id"
    assert [(each.kind, each.columns) for each in schema.fields] == [
        ("given_name", ("given_name",)),
        ("family_name", ("surname",)),
        ("date_of_birth", ("dob",)),
        ("place", ("state", "suburb")),
    ]
