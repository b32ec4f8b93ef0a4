"""What is asked of each field of an event, and that a breach is told by path and rule alone."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import commands, events
from shared.contracts.commands import CommandType
from shared.contracts.events import EventType
from shared.contracts.fields import RULES
from tools.documents.examples import examples

_EXAMPLES = examples()
MISSING = object()
_ID = "x" * 65


def changed(name: str, path: str, value: Any) -> Any:
    """The example of that type with one member replaced, added, or taken away."""
    data: Any = copy.deepcopy(_EXAMPLES[name])
    parent = data
    *way, last = path.split(".")
    for step in way:
        parent = parent[step]
    if value is MISSING:
        del parent[last]
    else:
        parent[last] = value
    return data


def errors_of(name: str, data: Any) -> list[tuple[str, str]]:
    with pytest.raises(events.InvalidData) as invalid:
        events.parse(name, data)
    return [(error["path"], error["rule"]) for error in invalid.value.errors]


@pytest.mark.parametrize("name", list(events.MODELS))
def test_the_example_of_each_type_is_valid(name: str) -> None:
    assert isinstance(events.parse(name, _EXAMPLES[name]), events.MODELS[name])


@pytest.mark.parametrize("data", [None, [], "text", 7, True])
def test_data_that_is_no_object_is_told_at_the_whole(data: Any) -> None:
    assert errors_of(EventType.REGISTERED, data) == [("", "type")]


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("registration_id", MISSING, "missing"),
        ("registration_id", None, "type"),
        ("registration_id", 7, "type"),
        ("registration_id", "", "pattern"),
        ("registration_id", _ID, "pattern"),
        ("registration_id", "a b", "pattern"),
        ("registration_id", "a\n", "pattern"),
        ("registration_id", "១២៣", "pattern"),
        ("revision", 0, "range"),
        ("revision", 2**31, "range"),
        ("revision", 10**30, "range"),
        ("revision", "1", "type"),
        ("revision", True, "type"),
        ("revision", 1.0, "type"),
        ("voter", MISSING, "missing"),
        ("voter", [], "type"),
        ("voter.family_name", None, "type"),
        ("voter.family_name", {}, "name_in_no_script"),
        ("voter.family_name", {"km": None, "latin": None}, "name_in_no_script"),
        ("voter.family_name.km", "", "length"),
        ("voter.family_name.km", "ក" * 101, "length"),
        ("voter.family_name.latin", " . ", "blank"),
        ("voter.given_name.latin", 5, "type"),
        ("voter.sex", "other", "enum"),
        ("voter.sex", None, "enum"),
        ("voter.date_of_birth", "1990-4-12", "pattern"),
        ("voter.date_of_birth", "12-04-1990", "pattern"),
        ("voter.date_of_birth", "1990-02-30", "no_such_day"),
        ("voter.date_of_birth", "0000-01-01", "no_such_day"),
        ("voter.date_of_birth", "១៩៩០-១៣-០១", "no_such_day"),
        ("voter.date_of_birth_precision", "week", "enum"),
        ("voter.identity_document.kind", "library_card", "enum"),
        ("voter.identity_document.number", "", "pattern"),
        ("voter.identity_document.number", "1" * 33, "pattern"),
        ("voter.identity_document.number", MISSING, "missing"),
        ("voter.phone", "12345", "pattern"),
        ("voter.phone", "call me", "pattern"),
        ("residence.village_code", "0102030", "pattern"),
        ("residence.village_code", "០១០២០៣", "pattern"),
        ("residence.village_code", 1020304, "type"),
        ("polling_station", "", "pattern"),
        ("capture.office", MISSING, "missing"),
        ("capture.device", _ID, "pattern"),
        ("capture.operator", "O P", "pattern"),
        ("capture.batch", None, "type"),
        ("capture.sequence", -1, "range"),
        ("capture.sequence", 100_000, "range"),
        ("capture.captured_at", "2026-10-20T08:15:00", "pattern"),
        ("capture.captured_at", "2026-10-20 08:15:00Z", "pattern"),
        ("capture.captured_at", "2026-10-20T24:00:00Z", "pattern"),
        ("capture.captured_at", "2026-10-20T08:15:00+07:60", "pattern"),
        ("capture.captured_at", "2026-10-20T08:15:00.1234567890Z", "pattern"),
        ("capture.captured_at", "2026-02-30T08:15:00Z", "no_such_time"),
        ("capture.captured_at", "0001-01-01T00:00:00+07:00", "no_such_time"),
        ("capture.captured_at", "9999-12-31T23:59:59-07:00", "no_such_time"),
    ],
)
def test_a_field_that_breaks_its_rule_is_told_by_its_path_and_rule(path: str, value: Any, rule: str) -> None:
    assert (path, rule) in errors_of(EventType.CORRECTED, changed(EventType.CORRECTED, path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("registration_id", "Az09-_." + "x" * 57),
        ("revision", 2**31 - 1),
        ("voter.family_name", {"km": "សុខ"}),
        ("voter.family_name", {"latin": "Sok", "km": None}),
        ("voter.date_of_birth", "១៩៩០-០៤-១២"),
        ("voter.date_of_birth", "2000-02-29"),
        ("voter.identity_document", None),
        ("voter.identity_document", MISSING),
        ("voter.identity_document.number", "០១០ 203/A-4."),
        ("voter.phone", "+855 (0)12 345-678"),
        ("voter.phone", "០១២៣៤៥៦៧៨"),
        ("residence.village_code", "010203"),
        ("polling_station", MISSING),
        ("capture.sequence", 0),
        ("capture.sequence", 9_999),
        ("capture.captured_at", "2026-10-20T08:15:00.123456789Z"),
        ("capture.captured_at", "2026-10-20T08:15:00-11:30"),
    ],
)
def test_what_the_contract_allows_is_taken(path: str, value: Any) -> None:
    events.parse(EventType.CORRECTED, changed(EventType.CORRECTED, path, value))


def test_a_first_revision_is_one() -> None:
    for value, rule in ((2, "range"), (0, "range"), (True, "type"), (1.0, "type"), ("1", "type")):
        data = changed(EventType.REGISTERED, "revision", value)
        assert errors_of(EventType.REGISTERED, data) == [("revision", rule)]
    events.parse(EventType.CORRECTED, changed(EventType.CORRECTED, "revision", 2))


@pytest.mark.parametrize(
    ("precision", "good", "bad"),
    [
        ("month", "1990-04-01", "1990-04-02"),
        ("year", "1990-01-01", "1990-04-01"),
        ("year", "១៩៩០-០១-០១", "១៩៩០-០១-០២"),
        ("year", "1990-0១-០1", "1990-0២-01"),
    ],
)
def test_parts_beyond_the_precision_are_written_01(precision: str, good: str, bad: str) -> None:
    data = changed(EventType.CORRECTED, "voter.date_of_birth_precision", precision)
    data["voter"]["date_of_birth"] = good
    events.parse(EventType.CORRECTED, data)
    data["voter"]["date_of_birth"] = bad
    assert errors_of(EventType.CORRECTED, data) == [("voter.date_of_birth", "date_of_birth_precision")]


def test_a_removal_has_no_voter_and_one_of_five_reasons() -> None:
    assert errors_of(EventType.REMOVED, changed(EventType.REMOVED, "reason", "gone")) == [("reason", "enum")]
    assert errors_of(EventType.REMOVED, changed(EventType.REMOVED, "voter", {})) == [("", "unknown_field")]


@pytest.mark.parametrize(
    ("first", "last", "count", "expected"),
    [
        (0, 18, 19, None),
        (5, 4, 0, None),
        (9_999, 9_999, 1, None),
        (0, -1, 0, ("last_sequence", "range")),
        (0, 18, 18, ("count", "count")),
        (5, 3, -1, ("count", "range")),
        (0, 9_999, 10_000, None),
        (-1, 0, 2, ("first_sequence", "range")),
        (9_999, 10_000, 2, ("last_sequence", "range")),
    ],
)
def test_a_batchs_count_adds_up(first: int, last: int, count: int, expected: tuple[str, str] | None) -> None:
    data = {
        **_EXAMPLES[EventType.BATCH_CLOSED],
        "first_sequence": first,
        "last_sequence": last,
        "count": count,
    }
    if expected is None:
        events.parse(EventType.BATCH_CLOSED, data)
    else:
        assert errors_of(EventType.BATCH_CLOSED, data) == [expected]


def test_a_captures_sequence_is_0_to_9_999() -> None:
    for sequence in (0, 9_999):
        events.parse(EventType.REGISTERED, changed(EventType.REGISTERED, "capture.sequence", sequence))
    for sequence in (-1, 10_000):
        broken = changed(EventType.REGISTERED, "capture.sequence", sequence)
        assert errors_of(EventType.REGISTERED, broken) == [("capture.sequence", "range")]


def test_each_breach_is_told_once_in_order_of_path_and_rule() -> None:
    data = {"zz": 1, "aa": 2, "voter": {"x": 1, "y": 2}, **{f"f{number}": 0 for number in range(3_000)}}
    told = errors_of(EventType.REGISTERED, data)
    assert told == sorted(set(told))
    assert [each for each in told if each[1] == "unknown_field"] == [
        ("", "unknown_field"),
        ("voter", "unknown_field"),
    ]


@given(
    name=st.sampled_from(list(events.MODELS)),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just(MISSING),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
        max_leaves=4,
    ),
    data=st.data(),
)
def test_every_rule_is_a_word_of_the_published_list(name: str, value: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(_paths_of(_EXAMPLES[name]))))
    try:
        events.parse(name, changed(name, path, value))
    except events.InvalidData as invalid:
        assert {error["rule"] for error in invalid.errors} <= RULES.keys()


def _paths_of(value: Any, before: str = "") -> set[str]:
    if not isinstance(value, dict):
        return set()
    names = {f"{before}{name}" for name in value}
    return names.union(*(_paths_of(item, f"{before}{name}.") for name, item in value.items()))


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(lambda text: "QXCANARY" + text)
_PATHS = (
    "registration_id",
    "revision",
    "voter",
    "voter.family_name",
    "voter.family_name.km",
    "voter.sex",
    "voter.date_of_birth",
    "voter.identity_document",
    "voter.identity_document.number",
    "voter.phone",
    "residence.village_code",
    "capture.captured_at",
    "capture.sequence",
)


@given(path=st.sampled_from(_PATHS), canary=_TEXT, as_name=st.booleans())
def test_no_error_ever_repeats_a_value_or_an_unknown_name(path: str, canary: str, as_name: bool) -> None:
    value: Any = {canary: canary} if as_name else canary + "!" * 101
    with pytest.raises(events.InvalidData) as invalid:
        events.parse(EventType.CORRECTED, changed(EventType.CORRECTED, path, value))
    told = f"{invalid.value!r} {invalid.value} {json.dumps(invalid.value.errors)}"
    assert "QXCANARY" not in told
    # Nothing hangs on it either, for a logger that prints causes.
    assert invalid.value.__cause__ is None
    assert invalid.value.__suppress_context__


@pytest.mark.parametrize("name", list(commands.MODELS))
def test_the_example_of_each_command_is_valid(name: str) -> None:
    assert isinstance(commands.parse(name, _EXAMPLES[name]), commands.MODELS[name])


@pytest.mark.parametrize(
    ("name", "path", "value", "expected"),
    [
        (CommandType.APPROVED, "command_id", "", "command_id: length"),
        (CommandType.APPROVED, "command_sha256", "AB" * 32, "command_sha256: pattern"),
        (CommandType.APPROVED, "reason", "", "reason: length"),
        (CommandType.ADOPTED, "kind", "weather", "kind: enum"),
        (CommandType.CUT_OFF, "epoch", 0, "epoch: range"),
        (CommandType.DECIDED, "keep", None, ": keep"),
        (CommandType.DECIDED, "keep", "a-third", ": keep"),
        (CommandType.DECIDED, "decision", "different_persons", ": keep"),
        (CommandType.DECIDED, "pair", [], "pair: length"),
        (CommandType.REVERSED, "pair", "no", "pair: type"),
        (CommandType.FINALISED, "election.day", "2027-02-30", "election.day: no_such_day"),
        (CommandType.FINALISED, "undecided", "ignore", "undecided: enum"),
        (CommandType.FINALISED, "more", 1, ": unknown_field"),
    ],
)
def test_a_command_that_breaks_its_rule_says_which(name: str, path: str, value: Any, expected: str) -> None:
    with pytest.raises(commands.InvalidCommand, match=f"^{expected}$"):
        commands.parse(name, changed(name, path, value))


def test_a_pair_names_two_registrations_the_smaller_id_first() -> None:
    pair = _EXAMPLES[CommandType.REVERSED]["pair"]
    for wrong in (pair[::-1], [pair[0], pair[0]]):
        with pytest.raises(commands.InvalidCommand, match=r"^: pair_order$"):
            commands.parse(CommandType.REVERSED, changed(CommandType.REVERSED, "pair", wrong))


def test_a_type_that_is_no_command_is_refused() -> None:
    with pytest.raises(commands.InvalidCommand, match=r"^: unknown_type$"):
        commands.parse("rollstream.command.invented.v1", {})
