"""`rollstream init`: what to do next is not buried, and nothing that was mended is lost."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
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
    assert said[-1].startswith("Next: rollstream topics, then rollstream adopt --first") and len(said) < 15
