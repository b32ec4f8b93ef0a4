"""`rollstream init`: what to do next is not buried, and nothing that was mended is lost."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from client.init import init_register
from shared.commands.fold import Message, fold
from shared.contracts.identity import sha256_hex
from shared.reference.devices import Device, devices_file
from shared.reference.files import InvalidReference, ReferenceStore
from shared.reference.gazetteer_export import export_gazetteer


def test_what_was_mended_is_one_line_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLSTREAM_REGISTER", "kh-test")
    out = tmp_path / "register"
    ended = CliRunner().invoke(app, ["init", "--out", str(out)])
    mended = export_gazetteer()[1]
    assert (out / "gazetteer-mended.txt").read_text().splitlines() == mended
    said = ended.output.splitlines()
    [told] = [line for line in said if "gazetteer-mended.txt" in line]
    assert f"in {len(mended)} places" in told
    assert said[-1].startswith("Next: rollstream topics, then rollstream adopt --first") and len(said) < 17


def test_the_setting_that_pins_the_officers_is_told_as_it_is_to_be_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLSTREAM_REGISTER", "kh-test")
    ended = CliRunner().invoke(app, ["init", "--out", str(tmp_path / "register")])
    pinned = sha256_hex((tmp_path / "register/officers.json").read_bytes())
    assert f"ROLLSTREAM_FOUNDING_OFFICERS={pinned}" in ended.output
    again = CliRunner().invoke(app, ["init", "--out", str(tmp_path / "other"), "--json"])
    assert json.loads(again.output)["founding_officers"] != pinned  # other keys, other officers


def test_the_first_adoptions_make_a_register_that_is_ready_with_its_devices_from_the_first_epoch_on(
    tmp_path: Path,
) -> None:
    file = tmp_path / "devices.json"
    file.write_text(json.dumps(devices_file([Device("D-1", bytes(32), "010203", frozenset(["0102"]))])))
    for devices in (None, file):
        out = tmp_path / f"register-{devices is None}"
        made = init_register("kh-test", out, None, devices)
        messages = [
            Message.of_record(at, at, each.headers, each.value, key=each.key)
            for at, each in enumerate(made.adoptions)
        ]
        store = ReferenceStore(made.reference_dir)
        state = fold("kh-test", made.founding_officers, messages, store.read)
        assert {each.verdict for each in state.verdicts.values()} == {"effective"}
        assert state.ready_for_epoch(1)
        in_force = state.reference_for_epoch("devices", 1)
        assert in_force == (None if devices is None else sha256_hex(file.read_bytes()))
        assert all(each.areas is None for each in state.officers_at(len(messages)).values())


def test_a_devices_file_that_breaks_its_rules_makes_no_register(tmp_path: Path) -> None:
    file = tmp_path / "devices.json"
    file.write_text('[{"device": "D-1"}]')
    with pytest.raises(InvalidReference):
        init_register("kh-test", tmp_path / "register", None, file)
    assert not (tmp_path / "register/keys").exists()
