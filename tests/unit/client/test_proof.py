"""A voter's proof is verified by itself: by the command, and by a script that knows nothing of Rollstream."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from client.keys import ListKey
from client.lists import Follower
from client.proof import NoProof, inclusion_proof, proof_faults, read_proof
from services.publisher.lists import station_list
from shared.crypto import signing
from shared.process.settings import Settings
from tests.kit.checked_records import registration
from tests.kit.command_log import REGISTER, key_of
from tests.kit.small_edition import PUBLIC_PEM, SIGN, edition, small_edition
from tests.unit.publisher.test_lists import variants

KEY = ListKey(key_of("signer").public_key())
SCRIPT = Path(__file__).parents[3] / "examples/verify_proof.py"


def document(size: int = 3, at: int = 1) -> dict[str, Any]:
    """The proof of one of so many voters at a station."""
    voters = [registration(f"r-{number:03}") for number in range(size)]
    made = json.loads(station_list(edition(), "S-1", "010203", voters, [], SIGN).value)
    proof = inclusion_proof(made, made["entries"][at]["registration_id"])
    assert proof is not None
    content: dict[str, Any] = json.loads(json.dumps(proof.document()))
    return content


def faults(content: Any) -> list[str]:
    try:
        proof = read_proof(json.dumps(content).encode())
    except NoProof as error:
        return [str(error)]
    return ["no proof"] if proof is None else proof_faults(proof, [KEY])


def script_takes(content: Any, folder: Path) -> bool:
    (folder / "proof.json").write_text(json.dumps(content))
    (folder / "key.pem").write_bytes(PUBLIC_PEM)
    command = [sys.executable, str(SCRIPT), str(folder / "proof.json"), str(folder / "key.pem")]
    return subprocess.run(command, capture_output=True, timeout=60).returncode == 0


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_a_proof_holds_for_every_row_of_a_list_of_any_size(size: int) -> None:
    assert [faults(document(size, at)) for at in range(size)] == [[]] * size


def test_no_single_field_of_a_proof_can_be_changed() -> None:
    seen = 0
    for path, changed in variants(document()):
        if changed != document():
            seen += 1
            assert faults(changed), path
    assert seen > 50


def test_who_was_removed_cannot_be_proven_to_be_on_the_list() -> None:
    content = json.loads(small_edition().lists[0].value)
    assert content["removed"] and inclusion_proof(content, content["removed"][0]["registration_id"]) is None
    forged = document()
    forged["row"] = content["removed"][0]
    assert faults(forged)


def test_the_script_of_the_examples_takes_what_is_right_and_nothing_else(tmp_path: Path) -> None:
    for size, at in ((1, 0), (5, 4), (7, 2)):
        assert script_takes(document(size, at), tmp_path)
    for part, name, value in (("row", "sex", "male"), ("list", "station", "S-9"), ("list", "count", 1)):
        forged = document()
        forged[part][name] = value
        assert not script_takes(forged, tmp_path), name
    elsewhere = document()
    elsewhere["path"] = elsewhere["path"][::-1]
    assert not script_takes(elsewhere, tmp_path)


def test_the_command_writes_a_proof_and_verifies_it_without_the_list(tmp_path: Path) -> None:
    Follower(Settings(register=REGISTER), tmp_path / "lists", [KEY]).take(small_edition().records())
    (tmp_path / "key.pem").write_bytes(PUBLIC_PEM)
    file, key = str(tmp_path / "proof.json"), ("--key", str(tmp_path / "key.pem"))
    made = CliRunner().invoke(
        app, ["verify", str(tmp_path / "lists"), *key, "--voter", "r-2", "--proof", file]
    )
    assert made.exit_code == 0, made.output
    alone = CliRunner().invoke(app, ["verify", file, *key])
    assert alone.exit_code == 0 and "r-2 is number" in alone.output
    assert "station S-1: kh-test, roll 2027-commune, version 2" in alone.output
    (tmp_path / "other.pem").write_bytes(signing.public_pem(key_of("other").public_key()))
    wrong = CliRunner().invoke(app, ["verify", file, "--key", str(tmp_path / "other.pem")])
    assert wrong.exit_code == 1 and "not one of the given keys'" in wrong.output


def test_the_proof_that_is_kept_is_of_the_newest_version_and_of_one_roll(tmp_path: Path) -> None:
    follower = Follower(Settings(register=REGISTER), tmp_path / "lists", [KEY])
    for version in (9, 10):
        follower.take(small_edition(version).records())
    (tmp_path / "key.pem").write_bytes(PUBLIC_PEM)
    file = tmp_path / "proof.json"
    command = ["verify", str(tmp_path / "lists"), "--key", str(tmp_path / "key.pem"), "--voter", "r-2"]
    made = CliRunner().invoke(app, [*command, "--proof", str(file)])
    assert made.exit_code == 0, made.output
    assert json.loads(file.read_bytes())["list"]["version"] == 10
    follower.take(small_edition(2, "another").records())
    file.unlink()
    of_two = CliRunner().invoke(app, [*command, "--proof", str(file)])
    assert of_two.exit_code == 1 and "several rolls" in of_two.output
    assert not file.exists()


def test_no_proof_is_kept_of_what_does_not_verify_whole(tmp_path: Path) -> None:
    Follower(Settings(register=REGISTER), tmp_path / "lists", [KEY]).take(small_edition().records())
    (tmp_path / "key.pem").write_bytes(PUBLIC_PEM)
    other = next(path for path in (tmp_path / "lists").rglob("*.json") if "S-2" in path.name)
    other.write_text(other.read_text().replace("r-7", "r-6"))
    file = tmp_path / "proof.json"
    command = ["verify", str(tmp_path / "lists"), "--key", str(tmp_path / "key.pem"), "--voter", "r-2"]
    assert CliRunner().invoke(app, [*command, "--proof", str(file)]).exit_code == 1
    assert not file.exists()


def test_a_wrong_key_is_told_once_and_not_for_each_file(tmp_path: Path) -> None:
    Follower(Settings(register=REGISTER), tmp_path / "lists", [KEY]).take(small_edition().records())
    (tmp_path / "other.pem").write_bytes(signing.public_pem(key_of("other").public_key()))
    told = CliRunner().invoke(app, ["verify", str(tmp_path / "lists"), "--key", str(tmp_path / "other.pem")])
    assert told.exit_code == 1 and told.output.count("not one of the given keys'") == 1
    assert "and 5 others" in told.output and "another --key" in told.output
