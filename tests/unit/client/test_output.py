"""What strangers wrote, on an officer's terminal."""

import ast
import json
from pathlib import Path

import pytest

from cli.show_found import show_found
from client.find import Match
from client.output import echo, fail, table, to_json, warn, wrapped

HOSTILE = "r\x1b[2J\x1b]0;x\x07\r\x9b1A\u202etxet"


def is_harmless(text: str) -> bool:
    """Whether nothing but our own styles would be obeyed by a terminal."""
    for style in ("\x1b[0m", "\x1b[1m", "\x1b[22m", "\x1b[31m", "\x1b[33m"):
        text = text.replace(style, "")
    return not any(char in text for char in "\x1b\x07\r\x9b\u202e")


def test_control_characters_are_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    echo(f"{HOSTILE}\n{wrapped(HOSTILE, bold=True)}")
    echo(table("Things", ("name",), [(HOSTILE,)]))
    warn(HOSTILE)
    with pytest.raises(BaseException):  # noqa: B017 - typer's Exit
        fail(HOSTILE)
    told = capsys.readouterr()
    assert is_harmless(told.out) and is_harmless(told.err)
    assert told.out.startswith("r\ufffd[2J\ufffd]0;x\ufffd\ufffd\ufffd1A\ufffdtxet\n")


def test_what_find_found_moves_no_terminal_and_makes_no_line_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    facts = {
        "event_id": f"{HOSTILE}\n  outcome: accepted",
        "versions": [{"place": "0/1", "type": HOSTILE, "event_id": HOSTILE}],
        "others": [{"place": "0/2", "outcome": "rejected", "event_id": HOSTILE}],
    }
    show_found([Match("event", f"{HOSTILE}\nregistration r-2", facts)])
    told = capsys.readouterr().out
    assert is_harmless(told)
    assert "\n  outcome: accepted" not in told and "\nregistration r-2" not in told


def test_json_escapes_them_and_means_the_same() -> None:
    told = to_json({"id": HOSTILE})
    assert is_harmless(told) and json.loads(told) == {"id": HOSTILE}


def test_no_command_prints_by_another_way() -> None:
    for module in (*Path("cli").glob("*.py"), *Path("client").glob("*.py")):
        if module == Path("client/output.py"):
            continue
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in ("typer.echo", "typer.secho", "print"), module
