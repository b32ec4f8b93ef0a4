"""`rollstream operations`: what it shows, and that it names what does not hold."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from typer.testing import CliRunner, Result

import client.operations
from cli.__main__ import app
from client.operations import Operations
from tests.kit.terminal import NOBODY
from tests.kit.trail_log import DEDUP, PERSON, REGISTRATION, TrailLog, keys

Show = Callable[..., Result]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """The command on a trail."""
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")

    def of(log: TrailLog, *words: str, unchecked: str | None = None) -> Result:
        async def read(_settings: object) -> Operations:
            known = None if unchecked else keys()
            return Operations(log.trail(known) if known else log.unchecked(), known, unchecked)

        monkeypatch.setattr(client.operations, "read_operations", read)
        return CliRunner().invoke(app, ["operations", *words])

    return of


def acts() -> TrailLog:
    log = TrailLog()
    log.start(DEDUP)
    log.drop(PERSON)
    log.start(REGISTRATION)
    return log


def test_a_trail_that_holds_is_shown_with_who_did_what_and_what_is_sealed(show: Show) -> None:
    ended = show(acts())
    assert ended.exit_code == 0, ended.output
    lines = ended.stdout.splitlines()
    [dropped] = [line for line in lines if "dropped" in line]
    assert "operator" in dropped and "1/7, 1/9: a test" in dropped and "signed" in dropped
    [started] = [line for line in lines if "dedup a" in line]
    assert "unsigned" in started and "first start" in started
    assert "All 3 hold. The first 2 are sealed by later ones, the last 1 not yet." in ended.stdout
    told = json.loads(show(acts(), "--json", "--limit", "1").stdout)
    assert (told["records"], told["sealed"], told["unsealed"], told["first_fault"]) == (3, 1, 1, None)
    assert [each["offset"] for each in told["acts"]] == [2]
    assert "2 before them" in show(acts(), "--limit", "1").stdout


def test_a_record_that_does_not_hold_is_named_and_ends_with_1(show: Show) -> None:
    log = acts()
    log.messages[1] = replace(log.messages[1], value=log.messages[1].value.replace(b"a test", b"a tesT"))
    ended = show(log)
    assert ended.exit_code == 1
    assert "the first at offset 1: signature" in ended.stderr and "at offset 2: head" in ended.stderr
    assert "hold." not in ended.stdout
    told = show(log, "--json")
    assert told.exit_code == 1
    assert json.loads(told.stdout)["first_fault"] == {"offset": 1, "fault": "signature"}


def test_what_could_not_be_checked_is_said(show: Show) -> None:
    ended = show(acts(), unchecked="a file is missing")
    assert ended.exit_code == 0 and "no signature was checked: a file is missing" in ended.stderr
    assert "not checked" in ended.stdout
