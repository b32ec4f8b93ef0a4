"""A demo takes nothing away that is not its own."""

import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from demo.run import run_demo, write_environment
from demo.state import DemoFailed
from engines import embedded


async def test_a_folder_with_other_things_is_left_as_it_is(tmp_path: Path) -> None:
    key = tmp_path / "register/keys/signing.pem"
    key.parent.mkdir(parents=True)
    key.write_text("a key")
    with pytest.raises(DemoFailed, match="--directory"):
        await run_demo(500, 1, tmp_path, stay=False)
    assert key.read_text() == "a key"


async def test_a_demo_that_runs_is_left_as_it_is_and_the_second_says_what_it_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(embedded, "LOCK_SECONDS", 0.3)
    log = tmp_path / "logs/dedup-1.log"
    log.parent.mkdir()
    log.write_text("started")
    async with embedded.locked(tmp_path / "engines", fresh=False):
        with pytest.raises(DemoFailed, match="another process"):
            await run_demo(500, 1, tmp_path, stay=False)
    assert log.read_text() == "started"
    said = capsys.readouterr().err.replace("\n", " ")
    assert f"Another process runs engines in {tmp_path / 'engines'}: waiting" in said


@pytest.mark.parametrize(
    "words", ["--directory taken", "--directory taken/deeper", "--json none/figures.json"]
)
def test_what_cannot_be_written_is_told_before_anything_starts(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file")
    ended = CliRunner().invoke(app, ["demo", "--exit", *words.split()])
    assert ended.exit_code == 1 and words.split()[0] in ended.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]


def test_another_terminal_takes_over_the_settings_and_nobody_else_can_read_them(tmp_path: Path) -> None:
    path = tmp_path / "environment"
    write_environment(path, {"ROLLSTREAM_MONGO__URI": "mongodb://u:it's a $ecret@h"})
    assert path.stat().st_mode & 0o777 == 0o600
    script = f'. {path} && printf %s "$ROLLSTREAM_MONGO__URI" && command -v rollstream >/dev/null'
    said = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "mongodb://u:it's a $ecret@h"
