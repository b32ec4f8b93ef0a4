"""`rollstream check` tells line, path and rule of what the contract refuses, and nothing of the value."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from cli.__main__ import app
from client.check import Finding, check_lines
from client.wire import ProducerRecord, wrap
from shared.contracts.events import EventType as Type
from tests.kit.registration_kit import batch_closed, event, registration, removal


def line(event_type: str, data: Any, **more: Any) -> bytes:
    envelope = {"specversion": "1.0", "id": "e", "source": "s", "type": event_type, "data": data, **more}
    return json.dumps(envelope, ensure_ascii=False).encode() + b"\n"


def found(*lines: bytes) -> list[Finding]:
    return list(check_lines(lines))


def test_a_file_that_follows_the_contract_has_no_findings() -> None:
    assert not found(
        line(Type.REGISTERED, registration()),
        line(Type.REMOVED, removal()),
        line(Type.BATCH_CLOSED, batch_closed()),
    )


def test_each_breach_is_told_with_its_line_path_and_rule() -> None:
    assert found(
        b"{broken\n",
        line(Type.REGISTERED, registration(voter__sex="F", capture__sequence=-1)),
        line("rollstream.other.v1", registration()),
        line(Type.REGISTERED, registration(voter__date_of_birth="2020-01-01")),
        line(Type.REGISTERED, registration(), specversion="0.3"),
        b'{"raw": {}}\n',
    ) == [
        Finding(1, "", "json", detail="no_json"),
        Finding(2, "capture.sequence", "range"),
        Finding(2, "voter.sex", "enum", ("female", "male")),
        Finding(3, "", "unknown_type"),
        Finding(4, "voter.date_of_birth", "implausible_birth_date"),
        Finding(5, "", "envelope", detail="specversion"),
        Finding(6, "", "wrapped"),
    ]


def test_where_few_values_are_allowed_they_are_told_and_the_rule_stays_a_code(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    document = {"kind": "birth_certificate", "number": "1"}
    file.write_bytes(
        line(Type.REGISTERED, registration(voter__identity_document=document))
        + line(Type.REMOVED, removal(reason="bored"))
    )
    told = CliRunner().invoke(app, ["check", str(file)]).output
    kinds = "national_id, election_identity, passport"
    assert f"line 1: voter.identity_document.kind: enum (one of {kinds})" in told
    assert "line 2: reason: enum (one of moved, deceased, duplicate, disenfranchised, erroneous)" in told
    rules = [
        each["rule"] for each in json.loads(CliRunner().invoke(app, ["check", str(file), "--json"]).output)
    ]
    assert rules == ["enum", "enum"]


def test_a_wrapped_record_is_checked_as_it_would_be_sent() -> None:
    whole = event(Type.REGISTERED, registration())
    headers = tuple((name.encode(), content) for name, content in whole.headers)
    assert not found(wrap(ProducerRecord(whole.key, whole.value, headers)))
    assert found(wrap(ProducerRecord(None, whole.value, headers)))[0].rule == "key_mismatch"
    assert found(wrap(ProducerRecord(whole.key, whole.value, ((b"\xff", b""), *headers)))) == [
        Finding(1, "", "headers", detail="a name is not UTF-8")
    ]


def test_no_finding_repeats_a_value() -> None:
    canary = "CANARY-7"
    spoilt = registration(voter__sex=canary, residence__village_code=canary, phone=canary)
    assert canary not in str(found(line(Type.REGISTERED, spoilt), line(canary, spoilt)))
