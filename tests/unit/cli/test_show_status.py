"""`rollstream status` as people see it."""

from typing import Any

import pytest

from cli.show_status import show_status

FINALISED = {"roll": "2027-commune", "epoch": 1, "election": {}, "kind": "final", "undecided": "refuse"}


def command(command_type: str, data: Any, verdict: str = "open", **others: Any) -> dict[str, Any]:
    return {
        "_id": "0123456789abcdef",
        "type": f"rollstream.{command_type}.v1",
        "data": data,
        "proposed_by": "publisher",
        "verdict": verdict,
        "reason": None,
        **others,
    }


def shown(*commands: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    show_status({"commands": list(commands), "conflicts": {}, "rolls": []})
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("command_type", "data", "told"),
    [
        ("register.cut-off", {"epoch": 7}, "epoch 7"),
        ("roll.finalised", FINALISED, "2027-commune, epoch 1"),
        ("reference.adopted", {"kind": "stations", "version": "2", "sha256": "a" * 64}, "stations 2"),
        ("conflict.reversed", {"pair": [{"registration_id": "r-1"}, {"registration_id": "r-2"}]}, "r-2"),
        ("command.approved", {"command_id": "fedcba9876543210"}, "fedcba987654 "),
        ("conflict.decided", "no object", "decided"),
    ],
)
def test_who_approves_sees_what_each_command_is_of_and_whose(
    command_type: str, data: Any, told: str, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    out = shown(command(command_type, data, "refused"), capsys=capsys)
    assert told in out and "publisher" in out


def test_what_is_approved_and_waits_is_not_taken_for_what_lacks_an_approval(
    monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    out = shown(command("roll.finalised", FINALISED, approved_by="second"), capsys=capsys)
    assert "approved by second, waits" in out
    assert "waits" not in shown(command("roll.finalised", FINALISED, approved_by=None), capsys=capsys)


def test_where_nothing_was_judged_the_service_that_judges_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "rollstream serve publisher" in shown(capsys=capsys)
