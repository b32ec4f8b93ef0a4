"""`rollstream verify`: what it accepts, and what it finds."""

import json
from pathlib import Path
from typing import Any

import pytest

from client.keys import ListKey
from client.lists import Follower
from client.proof import inclusion_proof
from client.verify import NoDocument, edition_faults, faults_of, read_document, verify_paths
from services.publisher.lists import province_manifest, roll_manifest
from shared.contracts.identity import canonical
from shared.crypto import merkle, signing
from shared.process.settings import Settings
from tests.kit.command_log import REGISTER, key_of
from tests.kit.small_edition import SIGN, small_edition
from tests.unit.publisher.test_lists import variants

SMALL = small_edition()
KEY = ListKey(key_of("signer").public_key())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A version as the follower writes it."""
    Follower(Settings(register=REGISTER), tmp_path, [KEY]).take(SMALL.records())
    return tmp_path


def change(path: Path, **members: Any) -> None:
    content = json.loads(path.read_bytes())
    path.write_bytes(canonical({**content, **members}))


def test_a_whole_version_verifies(folder: Path) -> None:
    report = verify_paths([folder], [ListKey(key_of("older").public_key()), KEY])
    assert report.good
    assert (report.lists, report.manifests, report.entries) == (3, 3, 4)
    assert report.whole == [(REGISTER, "2027-commune", 2)]


def test_another_key_verifies_nothing(folder: Path) -> None:
    report = verify_paths([folder], [ListKey(key_of("other").public_key())])
    assert len(report.faults) == 6 and not report.good and not report.whole


def test_nothing_at_all_is_not_good(tmp_path: Path) -> None:
    assert not verify_paths([tmp_path], [KEY]).good


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"list":{}}', b"\xff"])
def test_what_is_no_list_or_manifest_is_named(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(raw)
    with pytest.raises(NoDocument):
        read_document(raw)
    assert [path for path, _ in verify_paths([tmp_path], [KEY]).faults] == [str(tmp_path / "x.json")]


def test_no_single_field_of_any_document_can_be_changed() -> None:
    seen = 0
    for output in SMALL.outputs():
        content = json.loads(output.value or b"")
        for path, changed in variants(content):
            if changed == content:
                continue
            seen += 1
            try:
                faults = faults_of(read_document(json.dumps(changed).encode()), [KEY])
            except NoDocument:
                continue
            assert faults, path
    assert seen > 500


def test_a_version_with_anything_wrong_in_it_is_not_called_whole(folder: Path) -> None:
    file = folder / "2027-commune" / "2" / "lists" / "S-1.json"
    change(file, entries=json.loads(file.read_bytes())["entries"][:-1])
    report = verify_paths([folder], [KEY])
    assert report.faults and not report.whole


def test_without_its_roll_manifest_a_version_is_told_to_be_in_parts(folder: Path) -> None:
    (folder / "2027-commune" / "2" / "roll.json").unlink()
    report = verify_paths([folder], [KEY])
    assert report.good and (report.whole, report.parts) == ([], [(REGISTER, "2027-commune", 2)])


def test_a_list_that_is_missing_or_too_many_is_named(folder: Path) -> None:
    lists = folder / "2027-commune" / "2" / "lists"
    (lists / "S-3.json").unlink()
    assert [fault for _, fault in verify_paths([folder], [KEY]).faults] == [
        "S-3 is named in a manifest but is not there"
    ]
    (lists / "S-3.json").write_bytes(SMALL.lists[2].value)
    (folder / "2027-commune" / "2" / "provinces" / "02.json").unlink()
    faults = [fault for _, fault in verify_paths([folder], [KEY]).faults]
    assert faults == ["02 is named in a manifest but is not there"] + [
        f"{station} is named in no manifest" for station in ("S-2", "S-3")
    ]


def test_a_list_of_another_version_does_not_fit(folder: Path) -> None:
    content = json.loads(SMALL.lists[0].value)
    content["list"]["epoch"] = 9
    content["signature"] = signing.sign_json(key_of("signer"), content["list"])
    (folder / "2027-commune" / "2" / "lists" / "S-1.json").write_bytes(canonical(content))
    assert [fault for _, fault in verify_paths([folder], [KEY]).faults] == [
        "S-1 is of another version than the roll manifest"
    ]


def test_a_voter_gets_a_proof_that_verifies(folder: Path) -> None:
    report = verify_paths([folder], [KEY], voter="r-2")
    ((path, proof),) = report.proofs
    assert path.endswith("S-1.json") and proof.row["registration_id"] == "r-2"
    steps = [bytes.fromhex(step) for step in proof.path]
    row = canonical(dict(proof.row))
    assert merkle.includes(row, proof.index, proof.size, steps, bytes.fromhex(proof.root))


def test_who_is_on_no_list_or_only_among_the_removed_gets_no_proof() -> None:
    document = read_document(SMALL.lists[0].value)
    assert inclusion_proof(document.content, "r-9") is None
    assert inclusion_proof(document.content, "r-1") is not None


def test_a_list_that_does_not_verify_proves_nothing(folder: Path) -> None:
    path = folder / "2027-commune" / "2" / "lists" / "S-1.json"
    content = json.loads(path.read_bytes())
    content["entries"][0]["sex"] = "male"
    path.write_bytes(canonical(content))
    report = verify_paths([folder], [KEY], voter=content["entries"][1]["registration_id"])
    assert report.faults and not report.proofs


@pytest.mark.parametrize("number", [2**53, 2**60, -1, 10**400])
def test_a_number_without_canonical_form_is_no_document(number: int) -> None:
    for output in SMALL.outputs():
        content = json.loads(output.value or b"")
        head = content.get("list") or content["manifest"]
        for name in [each for each in head if isinstance(head[each], int)]:
            changed = {**content, "list" if "list" in content else "manifest": {**head, name: number}}
            with pytest.raises(NoDocument):
                read_document(json.dumps(changed).encode())


def test_a_station_belongs_to_one_province_and_to_its_own() -> None:
    stranger = small_edition()
    rows = [(each.station, each.count, each.root) for each in stranger.lists]
    provinces = {
        "01": province_manifest(stranger.edition, "01", rows[:1], {}, SIGN),
        "02": province_manifest(stranger.edition, "02", rows, {}, SIGN),
    }
    roll = roll_manifest(stranger.edition, provinces, bytes(32), SIGN)
    values = [
        *(each.value for each in stranger.lists),
        *(each.value for each in provinces.values()),
        roll.value,
    ]
    documents = [read_document(value) for value in values]
    assert not any(faults_of(document, [KEY]) for document in documents)
    assert [fault for _, fault in edition_faults(documents)] == [
        "S-1 is named in another province's manifest too",
        "S-1 lies in another province",
    ]
