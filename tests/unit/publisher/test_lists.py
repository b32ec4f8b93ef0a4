"""Lists and manifests, held against the contract and against a verifier that shares no code with them."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from audit.verifier import NotVerified, verify_list
from services.publisher.lists import Removed, Totals, station_list
from shared.contracts.identity import canonical
from shared.contracts.lists import ProvinceManifest, RollManifest, StationList
from shared.contracts.topics import TOPICS, Topic
from tests.kit.checked_records import registration
from tests.kit.small_edition import PUBLIC_PEM, SIGN, edition, small_edition

SMALL = small_edition()
LIST = SMALL.lists[0].value


def test_a_list_is_as_the_contract_says_and_canonical() -> None:
    for made in SMALL.lists:
        content = json.loads(made.value)
        StationList.model_validate_json(made.value)
        assert canonical(content) == made.value
        assert set(content["list"]) == {
            *("register", "roll", "kind", "version", "epoch", "command_offset", "election", "station"),
            *("commune", "count", "removed_count", "merkle_root", "replaces", "reference"),
        }


def test_manifests_are_as_the_contract_says_and_canonical() -> None:
    provinces: list[tuple[Totals, type[BaseModel]]] = [
        (each, ProvinceManifest) for each in SMALL.provinces.values()
    ]
    provinces.append((SMALL.roll, RollManifest))
    for totals, model in provinces:
        model.model_validate_json(totals.value)
        assert canonical(json.loads(totals.value)) == totals.value
    head = json.loads(SMALL.roll.value)["manifest"]
    assert (head["stations"], head["entries"], head["excluded"]) == (3, 4, {"held": 2})


def test_entries_are_in_order_of_name_birth_and_id_and_numbered() -> None:
    voters = [
        registration("r-2", family="ខ", given="ក"),
        registration("r-1", family="ក", given="ខ", born="1991-01-01"),
        registration("r-4", family="ក", given="ខ", born="1990-01-01"),
        registration("r-3", family="ក", given="ខ", born="1990-01-01"),
        registration("r-5", family="ក", given="ក", born="1999-01-01"),
    ]
    entries = json.loads(station_list(edition(), "S-1", "010203", voters, [], SIGN).value)["entries"]
    assert [entry["registration_id"] for entry in entries] == ["r-5", "r-3", "r-4", "r-1", "r-2"]
    assert [entry["serial"] for entry in entries] == [1, 2, 3, 4, 5]


def test_removed_rows_are_in_order_of_id_and_say_why_and_by_what() -> None:
    assert json.loads(LIST)["removed"] == [
        {"registration_id": "r-8", "reason": "held", "by": None},
        {"registration_id": "r-9", "reason": "decided", "by": "decision-1"},
    ]


def test_the_longest_list_that_the_contract_allows_fits_its_topic() -> None:
    name, event_id = "\U0001f5f3" * 100, "\U0001f5f3" * 256  # 4 bytes a character
    voters = [registration(f"{number:064}", family=name, given=name) for number in range(750)]
    gone = [Removed(f"{number:064}", "disenfranchised", event_id) for number in range(750)]
    longest = station_list(edition(), "S" * 64, "010203", voters, gone, SIGN).value
    second_script = 750 * 2 * len(name.encode())
    [limit] = [spec.configuration()["max.message.bytes"] for spec in TOPICS if spec.topic == Topic.LISTS]
    assert len(longest) + second_script < int(limit)


def test_equal_input_gives_equal_bytes() -> None:
    assert [each.value for each in small_edition().outputs()] == [each.value for each in SMALL.outputs()]


def test_keys_and_headers_say_roll_station_and_version() -> None:
    first, *_, last_province, roll = SMALL.outputs()
    assert first.key == b"2027-commune/S-1/2"
    assert dict(first.headers) == {
        "roll": b"2027-commune",
        "version": b"2",
        "kind": b"final",
        "province": b"01",
        "station": b"S-1",
    }
    assert (last_province.key, roll.key) == (b"2027-commune/02/2", b"2027-commune/2")


def test_every_list_verifies_by_an_independent_verifier() -> None:
    for made in SMALL.lists:
        assert verify_list(made.value, PUBLIC_PEM)["list"]["station"] == made.station


def changes(value: Any) -> Iterator[Any]:
    """Values that differ from this one, and so from every part of it."""
    match value:
        case bool() | None:
            yield "changed"
        case int():
            yield value + 1
        case str():
            yield value + "x"
            yield value[:-1] + chr(ord(value[-1]) ^ 1) if value else "y"
            yield None
        case list():
            yield [*value, "more"]
            if value:
                yield value[1:]
                yield [value[-1], *value[:-1]] if len(value) > 1 else []
        case dict():
            yield {**value, "more": 1}


def variants(content: Any) -> Iterator[tuple[str, Any]]:
    """The document with each single field changed, added or taken away, at every depth."""

    def walk(value: Any, path: list[Any]) -> Iterator[tuple[list[Any], Any]]:
        for changed in changes(value):
            yield path, changed
        members = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        for name, member in members:
            yield from walk(member, [*path, name])
            if isinstance(value, dict):
                yield path, {each: item for each, item in value.items() if each != name}

    for path, changed in walk(content, []):
        if not path:
            yield "", changed
            continue
        whole = copy.deepcopy(content)
        parent = whole
        for name in path[:-1]:
            parent = parent[name]
        parent[path[-1]] = changed
        yield ".".join(map(str, path)), whole


def test_no_single_field_of_a_list_can_be_changed() -> None:
    content = json.loads(LIST)
    paths = set()
    for path, changed in variants(content):
        if changed == content:
            continue
        paths.add(path)
        with pytest.raises((NotVerified, ValueError, LookupError, TypeError, AttributeError)):
            verify_list(json.dumps(changed).encode(), PUBLIC_PEM)
            pytest.fail(f"a change at {path} went unseen")
    assert {"list.register", "entries.0.serial", "removed.1.by", "signature.value", ""} <= paths
    assert len(paths) > 70


def test_a_list_with_a_member_twice_does_not_verify() -> None:
    twice = LIST.replace(b'{"entries":', b'{"entries":[],"entries":', 1)
    with pytest.raises(NotVerified):
        verify_list(twice, PUBLIC_PEM)
