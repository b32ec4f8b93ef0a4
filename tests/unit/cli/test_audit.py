"""`rollstream audit`, as an observer types it."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from typer.testing import CliRunner, Result

from audit.check import MissingFile
from audit.report import CHECKS, MOST, OF_STORE, Report
from cli.__main__ import app
from client import audit as client_audit
from shared.process.settings import Settings
from tests.kit.terminal import NOBODY
from tests.reference.good_run import Run, good_run

Audit = Callable[..., Result]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[[Run | Exception], Audit]:
    """The command on a register, or where reading it fails."""
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)

    def of(register: Run | Exception) -> Audit:
        async def audit(_settings: Settings, *, with_store: bool, tell: Any, **_: Any) -> Report:
            if isinstance(register, Exception):
                raise register
            tell("registration.events.v1", 1, 2)
            return await register.audit(with_store=with_store)

        monkeypatch.setattr(client_audit, "audit", audit)
        return lambda *words: CliRunner().invoke(app, ["audit", *words])

    return of


def test_where_all_holds_it_says_so_and_ends_with_0(ask: Callable[[Run | Exception], Audit]) -> None:
    ended = ask(good_run())()
    assert ended.exit_code == 0, ended.output
    assert "All holds: " in ended.stdout and "Broken" not in ended.stdout
    assert all(check.replace("_", " ") in ended.stdout for check in CHECKS)


def test_what_is_broken_is_named_with_its_place_and_ends_with_1(
    ask: Callable[[Run | Exception], Audit],
) -> None:
    run = good_run()
    run.store["outcomes"].pop()
    for number in range(MOST + 1):
        run.store["conflicts"].append({"_id": f"c-{number}", "as_of": {"command_offset": 0}})
    ended = ask(run)("--limit", "3")
    assert ended.exit_code == 1
    assert ended.stdout.count("conflicts/c-") == 3 and "no outcome is stored" in ended.stdout
    assert f"BROKEN: {MOST + 2} findings" in ended.stdout


class WithSkip:
    """A good run in which two officers had a foreign record passed over."""

    register = good_run().register

    async def audit(self, *, with_store: bool) -> Report:
        report = await good_run().audit(with_store=with_store)
        report.pass_over("registration.checked.v1/0/99", "command-7")
        return report


def test_what_two_officers_had_passed_over_is_shown_and_ends_with_0(
    ask: Callable[[Run | Exception], Audit],
) -> None:
    ended = ask(cast(Run, WithSkip()))()
    assert ended.exit_code == 0, ended.output
    assert "Passed over" in ended.stdout and "registration.checked.v1/0/99" in ended.stdout
    [told] = json.loads(ask(cast(Run, WithSkip()))("--json").stdout)["passed_over"]
    assert told == {"where": "registration.checked.v1/0/99", "command": "command-7"}


def test_what_is_not_there_yet_ends_with_3(ask: Callable[[Run | Exception], Audit]) -> None:
    run = good_run()
    run.store = {}
    ended = ask(run)()
    assert ended.exit_code == 3, ended.output
    assert "not there yet" in ended.stdout and "Broken" not in ended.stdout


def test_scripts_read_json(ask: Callable[[Run | Exception], Audit]) -> None:
    run = good_run()
    told = json.loads(ask(run)("--json").stdout)
    assert told["holds"] and told["caught_up"] and told["counts"]["accepted"] > 0
    assert list(told["checks"]) == list(CHECKS)
    run.store["outcomes"].pop()
    ended = ask(run)("--json")
    (finding,) = json.loads(ended.stdout)["broken"]
    assert ended.exit_code == 1 and finding["check"] == "outcomes"


def test_without_a_store_only_topics_are_checked(ask: Callable[[Run | Exception], Audit]) -> None:
    run = good_run()
    run.store["outcomes"].pop()
    ended = ask(run)("--no-store", "--json")
    assert ended.exit_code == 0
    assert json.loads(ended.stdout)["checks"].keys() == CHECKS.keys() - OF_STORE


@pytest.mark.parametrize("error", [MissingFile("copy it there"), OSError(2, "gone", "x"), RuntimeError()])
def test_what_cannot_be_told_ends_with_2(ask: Callable[[Run | Exception], Audit], error: Exception) -> None:
    ended = ask(error)()
    assert ended.exit_code == 2 and ended.stderr.startswith("error: ") and not ended.stdout


def test_without_settings_it_ends_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROLLSTREAM_REGISTER", raising=False)
    ended = CliRunner().invoke(app, ["audit"])
    assert ended.exit_code == 2 and "ROLLSTREAM_REGISTER" in ended.stderr


def test_where_no_broker_answers_it_ends_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NOBODY.items():
        monkeypatch.setenv(name, value)
    ended = CliRunner().invoke(app, ["audit", "--no-store"])
    assert ended.exit_code == 2 and "no broker answers at 127.0.0.1:1" in ended.stderr
