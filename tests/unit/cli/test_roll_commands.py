"""`rollstream lists` while it follows: who lacks a key is told while it can still be mended."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from client.lists import Followed, Follower
from shared.crypto import signing
from tests.kit.command_log import REGISTER, key_of
from tests.kit.small_edition import small_edition

HINT = "by another --key"


@pytest.mark.parametrize(("signer", "hints"), [("signer", 0), ("other", 1)])
def test_who_follows_with_another_key_is_told_once_that_one_may_be_missing(
    signer: str, hints: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def follow(self: Follower, *, once: bool) -> Followed:
        self.take(small_edition().records())
        raise KeyboardInterrupt

    monkeypatch.setattr(Follower, "follow", follow)
    monkeypatch.setenv("ROLLSTREAM_REGISTER", REGISTER)
    key = tmp_path / "key.pub.pem"
    key.write_bytes(signing.public_pem(key_of(signer).public_key()))
    ended = CliRunner().invoke(app, ["lists", "--out", str(tmp_path / "lists"), "--key", str(key)])
    assert ended.exit_code == 130
    assert ended.stderr.count(HINT) == hints
    assert ("refused" in ended.stderr) is bool(hints)
