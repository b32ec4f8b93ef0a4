"""`rollstream lists`: a version is taken when it is whole, and not before."""

import dataclasses
import json
from pathlib import Path

import pytest
from aiokafka import TopicPartition

from client.keys import ListKey
from client.lists import Follower, current_versions
from services.publisher.lists import roll_manifest, signer, station_list
from shared.contracts.identity import canonical
from shared.crypto import signing
from shared.process.settings import Settings
from shared.runtime.record import Record
from tests.kit.checked_records import registration
from tests.kit.command_log import REGISTER, key_of
from tests.kit.small_edition import SIGN, edition, small_edition

KEY, OTHER = ListKey(key_of("signer").public_key()), ListKey(key_of("other").public_key())
RECORDS = small_edition().records()
FILES = [
    *(f"lists/{station}.json" for station in ("S-1", "S-2", "S-3")),
    *(f"provinces/{province}.json" for province in ("01", "02")),
    "roll.json",
]


def follower(out: Path, register: str = REGISTER) -> Follower:
    return Follower(Settings(register=register), out, [KEY])


def written(out: Path) -> list[str]:
    version = out / "2027-commune" / "2"
    return sorted(str(file.relative_to(version)) for file in version.rglob("*") if file.is_file())


def test_a_version_appears_with_its_last_part_whatever_that_is(tmp_path: Path) -> None:
    for last in range(len(RECORDS)):
        out = tmp_path / str(last)
        each = follower(out)
        each.take(RECORDS[:last] + RECORDS[last + 1 :])
        assert written(out) == [] and each.followed.versions == []
        each.take([RECORDS[last]])
        assert written(out) == FILES and each.followed.versions == [("2027-commune", 2)]


def test_what_is_written_is_what_was_sent(tmp_path: Path) -> None:
    follower(tmp_path).take(RECORDS)
    assert (tmp_path / "2027-commune" / "2" / "lists" / "S-1.json").read_bytes() == RECORDS[0].value
    assert list(current_versions(tmp_path)) == [("2027-commune", 2)]


def test_an_interrupted_run_goes_on_with_what_it_had(tmp_path: Path) -> None:
    follower(tmp_path).take(RECORDS[:4])
    again = follower(tmp_path)
    again._load()
    again.take(RECORDS[4:])
    assert written(tmp_path) == FILES


def test_repetitions_change_nothing(tmp_path: Path) -> None:
    each = follower(tmp_path)
    each.take(RECORDS + RECORDS)
    each.take(RECORDS)
    assert each.followed.versions == [("2027-commune", 2)] and each.followed.refused == 0


def test_the_newest_whole_version_is_the_current_one(tmp_path: Path) -> None:
    each = follower(tmp_path)
    each.take(small_edition(version=10).records())
    each.take(RECORDS)
    each.take(small_edition(version=11).records()[:-1])
    assert list(current_versions(tmp_path)) == [("2027-commune", 10)]


def test_what_does_not_verify_is_refused_and_never_written(tmp_path: Path) -> None:
    value = RECORDS[0].value or b""
    forged = value.replace(b"SOK", b"SOX")
    assert forged != value
    each = follower(tmp_path)
    junk = [_with(forged), _with(b"junk"), _with(None)]
    each.take([*junk, *RECORDS[1:]])
    assert each.followed.refused == 3 and written(tmp_path) == []


def test_lists_of_another_register_are_refused(tmp_path: Path) -> None:
    each = follower(tmp_path, register="kh-other")
    each.take(RECORDS)
    assert each.followed.refused == len(RECORDS)


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_refused_is_read_again_once_its_key_or_register_is_named(kept: bool, tmp_path: Path) -> None:
    partition = TopicPartition("roll.manifests.v1", 0)
    first = Follower(Settings(register=REGISTER), tmp_path, [OTHER])
    first._store_progress({partition: 7})
    keys = [OTHER] if kept else [OTHER, KEY]
    assert Follower(Settings(register=REGISTER), tmp_path, keys)._progress() == (
        {"roll.manifests.v1/0": 7},
        not kept,
    )
    assert Follower(Settings(register="kh-other"), tmp_path, [OTHER])._progress()[1]


def test_a_name_of_dots_leads_to_no_other_folder(tmp_path: Path) -> None:
    each = follower(tmp_path / "out")
    each.take(small_edition(roll="..").records())
    assert each.followed.refused == len(RECORDS)
    assert not list(tmp_path.rglob("*.json"))


def signed_otherwise(key: str = "signer") -> Record:
    """A list of S-1 that verifies by itself and is not the one that the province's manifest names."""
    voters = [registration("r-1", family="SOK")]
    made = station_list(edition(), "S-1", "010203", voters, [], signer(key_of(key)))
    return _with(made.value)


@pytest.mark.parametrize("at", [0, 1, len(RECORDS)])
def test_of_several_lists_under_one_key_the_first_that_its_manifest_names_counts(
    at: int, tmp_path: Path
) -> None:
    each = follower(tmp_path)
    for record in [*RECORDS[:at], signed_otherwise(), *RECORDS[at:]]:
        each.take([record])
    assert (tmp_path / "2027-commune" / "2" / "lists" / "S-1.json").read_bytes() == RECORDS[0].value
    assert written(tmp_path) == FILES and each.followed.versions == [("2027-commune", 2)]
    assert not list((tmp_path / ".incoming").rglob("*.json"))


def test_of_a_list_that_two_keys_signed_the_first_counts(tmp_path: Path) -> None:
    content = json.loads(RECORDS[0].value or b"")
    content["signature"] = signing.sign_json(key_of("other"), content["list"])
    again = _with(canonical(content))
    for name, order in (("first", [again, *RECORDS]), ("last", [*RECORDS[:-1], again, RECORDS[-1]])):
        each = Follower(Settings(register=REGISTER), tmp_path / name, [KEY, OTHER])
        each.take(order)
        taken = (tmp_path / name / "2027-commune" / "2" / "lists" / "S-1.json").read_bytes()
        assert taken == (again if name == "first" else RECORDS[0]).value


def test_a_second_manifest_under_a_key_is_passed_over(tmp_path: Path) -> None:
    other = roll_manifest(edition(), {}, bytes(32), SIGN)
    late = dataclasses.replace(RECORDS[-1], value=other.value)
    each = follower(tmp_path)
    each.take([RECORDS[-1], late, *RECORDS[:-1]])
    assert (tmp_path / "2027-commune" / "2" / "roll.json").read_bytes() == RECORDS[-1].value


def test_a_signed_record_under_another_key_is_no_record_of_that_key(tmp_path: Path) -> None:
    each = follower(tmp_path)
    moved = [dataclasses.replace(RECORDS[at], key=RECORDS[at + 1].key) for at in range(len(RECORDS) - 1)]
    each.take([*moved, dataclasses.replace(RECORDS[-1], key=None)])
    assert each.followed.refused == len(RECORDS) and written(tmp_path) == []


def test_an_interrupted_run_knows_which_record_came_first(tmp_path: Path) -> None:
    follower(tmp_path).take([signed_otherwise(), *RECORDS[:-1]])
    again = follower(tmp_path)
    again._load()
    again.take(RECORDS[-1:])
    assert written(tmp_path) == FILES
    assert (tmp_path / "2027-commune" / "2" / "lists" / "S-1.json").read_bytes() == RECORDS[0].value


def _with(value: bytes | None) -> Record:
    first = RECORDS[0]
    return Record(first.topic, first.partition, 99, 0, first.key, value, first.headers)
