"""Devices whose keys everybody can make are not adopted, except where this is a demo."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from cli.devices_file import require_own_keys
from shared.process.settings import Settings
from simulator.keys import DeviceKey


def devices_file(folder: Path, seed: int) -> Path:
    devices = [
        {
            "device": name,
            "public_key": DeviceKey(seed, name, "kh").public,
            "office": "0102",
            "areas": ["0102"],
        }
        for name in ("D-1", "D-2")
    ]
    file = folder / "devices.json"
    file.write_text(json.dumps(devices))
    return file


@pytest.mark.parametrize("seed", [1, 2026])
def test_generated_devices_are_refused_outside_of_a_demo(
    tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    file = devices_file(tmp_path, seed)
    with pytest.raises(typer.Exit):
        require_own_keys(Settings(register="kh"), file)
    assert "the key of D-1" in capsys.readouterr().err
    require_own_keys(Settings(register="kh", demo=True), file)


def test_others_are_none_of_its_business(tmp_path: Path) -> None:
    require_own_keys(Settings(register="kh"), devices_file(tmp_path, 77))
    require_own_keys(Settings(register="kh"), tmp_path / "nothing")
