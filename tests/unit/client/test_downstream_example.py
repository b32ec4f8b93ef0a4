"""The consumer among the examples takes what `rollstream lists` takes, and nothing else."""

import dataclasses
import runpy
from pathlib import Path
from typing import Any

import pytest

from services.publisher.lists import signer, station_list
from shared.runtime.record import Record
from tests.kit.checked_records import registration
from tests.kit.command_log import key_of
from tests.kit.small_edition import edition, small_edition

EXAMPLE = runpy.run_path(str(Path(__file__).parents[3] / "examples/downstream.py"))
KEY = key_of("signer").public_key()
RECORDS = small_edition().records()


def taken(records: list[Record]) -> list[dict[str, Any]] | None:
    """The lists of the version; None while it is not whole."""
    found = EXAMPLE["Records"]()
    for record in records:
        content = EXAMPLE["verified"](record, KEY)
        if content is not None:
            assert record.key is not None
            found.by_key.setdefault((record.topic, record.key.decode()), []).append(content)
    try:
        lists: list[dict[str, Any]] = found.lists("2027-commune", 2)
    except LookupError:
        return None
    return lists


def test_a_whole_version_is_taken_in_whatever_order_it_comes() -> None:
    for records in (RECORDS, RECORDS[::-1]):
        stations = [(each["head"]["station"], len(each["entries"])) for each in taken(records) or []]
        assert stations == [("S-1", 3), ("S-2", 1), ("S-3", 0)]
    for missing in range(len(RECORDS)):
        assert taken(RECORDS[:missing] + RECORDS[missing + 1 :]) is None


@pytest.mark.parametrize("name", ["signer", "other"])
def test_of_several_lists_under_one_key_the_first_that_its_manifest_names_counts(name: str) -> None:
    other = station_list(edition(), "S-1", "010203", [registration("r-1")], [], signer(key_of(name)))
    record = dataclasses.replace(RECORDS[0], value=other.value)
    for records in ([record, *RECORDS], [*RECORDS, record]):
        assert taken(records) == taken(RECORDS)


def test_what_does_not_verify_is_passed_over() -> None:
    value = RECORDS[0].value or b""
    junk = [b"", b"junk", b"[]", b"{}", b"\xff", None, value.replace(b"SOK", b"SOX"), value[:-20]]
    wrong = [dataclasses.replace(RECORDS[0], value=each) for each in junk]
    moved = [dataclasses.replace(RECORDS[0], key=each) for each in (RECORDS[1].key, b"\xff", None)]
    for record in [*wrong, *moved]:
        assert EXAMPLE["verified"](record, KEY) is None
    assert taken([*wrong, *moved, *RECORDS]) == taken(RECORDS)
