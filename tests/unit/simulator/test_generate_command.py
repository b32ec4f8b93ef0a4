"""`rollstream generate` as people meet it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from simulator import generate_stream


def generate(tmp_path: Path, *words: str) -> str:
    out = tmp_path / "made"
    ended = CliRunner().invoke(app, ["generate", "--out", str(out), "--voters", "300", *words])
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def lines(tmp_path: Path) -> list[bytes]:
    return (tmp_path / "made/events.jsonl").read_bytes().splitlines()


def test_the_devices_sign_for_the_register_of_the_settings_or_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLSTREAM_REGISTER", "kh-set")
    for words, register in (((), "kh-set"), (("--register", "kh-named"), "kh-named")):
        said = generate(tmp_path, *words)
        assert f"signed for the register {register}" in said.replace("\n", " ")
        assert lines(tmp_path) == generate_stream(voters=300, register=register).lines
    assert len(json.loads((tmp_path / "made/devices.json").read_bytes())) >= 3


def test_a_register_without_devices_is_given_no_signatures_and_no_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLSTREAM_REGISTER", "kh-set")
    generate(tmp_path)  # what lies there from an earlier run goes
    said = json.loads(generate(tmp_path, "--unsigned", "--json"))
    assert said["register"] is None
    assert lines(tmp_path) == generate_stream(voters=300).lines
    assert not (tmp_path / "made/devices.json").exists()
