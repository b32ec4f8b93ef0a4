"""`rollstream user` writes who may sign in."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from services.console import users
from services.console.users import open_key, parse_users, verify
from shared.crypto import signing
from tests.kit.command_log import REGISTER, key_of
from tests.kit.console_kit import CHEAP

PASSWORD = "right horse battery"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROLLSTREAM_REGISTER", REGISTER)
    monkeypatch.setattr(users.Cost, "__init__", _cheaply)
    signing.write_private_key(tmp_path / "one.pem", key_of("one"))
    return tmp_path


def _cheaply(cost: users.Cost) -> None:
    object.__setattr__(cost, "iterations", CHEAP.iterations)
    object.__setattr__(cost, "memory_kib", CHEAP.memory_kib)


def run(folder: Path, *words: str, password: str = PASSWORD) -> Result:
    command = ["user", *words, "--users", str(folder / "users.json"), "--password-stdin"]
    return CliRunner().invoke(app, command, input=f"{password}\n")


def test_a_user_is_added_and_the_password_opens_the_key(folder: Path) -> None:
    signs = ("--officer", "one", "--key", str(folder / "one.pem"))
    made = run(folder, "sok", "--role", "adjudicator", "--role", "viewer", "--area", "0102", *signs)
    assert made.exit_code == 0, made.output
    assert run(folder, "chan", "--role", "viewer").exit_code == 0
    there = parse_users((folder / "users.json").read_bytes())
    assert set(there) == {"sok", "chan"}
    assert there["sok"].areas == frozenset({"0102"}) and verify(there["sok"], PASSWORD)
    key = open_key(REGISTER, there["sok"], PASSWORD)
    assert key is not None and key.private_bytes_raw() == key_of("one").private_bytes_raw()
    assert run(folder, "sok", "--remove").exit_code == 0
    assert set(parse_users((folder / "users.json").read_bytes())) == {"chan"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("sok",), "--role at least once"),
        (("sok", "--role", "king"), "no role king"),
        (("sok", "--role", "viewer", "--area", "1"), "--area 1"),
        (("sok", "--role", "viewer", "--officer", "one"), "go together"),
        (("sok", "--role", "viewer", "--officer", "one", "--key", "nowhere.pem"), "nowhere.pem"),
        (("s k", "--role", "viewer"), "nothing was written"),
        (("sok", "--remove"), "no user sok"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_written(
    folder: Path, words: tuple[str, ...], told: str
) -> None:
    answer = run(folder, *words)
    assert answer.exit_code == 1 and told in answer.output
    assert not (folder / "users.json").exists()


def test_a_short_password_is_refused(folder: Path) -> None:
    answer = run(folder, "sok", "--role", "viewer", password="short")
    assert answer.exit_code == 1 and "12 to 256" in answer.output
