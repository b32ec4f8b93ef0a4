"""What somebody without a key writes to the topic: it keeps no id, stops nobody and changes nothing."""

from dataclasses import replace
from typing import Any

import pytest

from shared.contracts.commands import CommandType
from shared.contracts.identity import canonical, sha256_hex
from shared.reference.officers import command_headers
from tests.kit.command_log import REGISTER, CommandLog, key_of, running


def verdict(log: CommandLog, ce_id: str) -> tuple[str, str | None]:
    found = log.state().verdicts[ce_id]
    return found.verdict, found.reason


def forged(log: CommandLog, ce_id: str, epoch: int = 1, name: str = "publisher") -> None:
    log.send(CommandType.CUT_OFF, {"epoch": epoch}, name, ce_id=ce_id, key="stranger")


def test_a_forged_message_does_not_take_an_officer_s_id() -> None:
    log = running()
    forged(log, "wanted", 7)
    forged(log, "wanted", 8, name="nobody")
    assert verdict(log, "wanted") == ("refused", "signature")
    log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher", ce_id="wanted")
    forged(log, "wanted", 9)
    assert verdict(log, "wanted") == ("open", None)
    assert log.state().verdicts["wanted"].data == {"epoch": 1}
    mine = next(each for each in log.messages if each.value == canonical({"epoch": 1}))
    data = {"command_id": "wanted", "command_sha256": sha256_hex(mine.value), "reason": "looked at"}
    log.send(CommandType.APPROVED, data, "approver")
    assert verdict(log, "wanted") == ("effective", None)


def test_an_approval_of_what_only_a_stranger_sent_finds_nothing() -> None:
    log = running()
    forged(log, "theirs")
    assert verdict(log, log.approve("theirs")) == ("refused", "unknown_command")
    assert verdict(log, log.withdraw("theirs", "approver")) == ("refused", "unknown_command")


def test_of_an_officer_s_own_messages_with_one_id_the_first_counts_also_where_it_is_refused() -> None:
    log = running()
    log.send(CommandType.CUT_OFF, {"epoch": 0}, "publisher", ce_id="same")
    log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher", ce_id="same")
    assert verdict(log, "same") == ("refused", "invalid")


def test_a_type_that_is_none_is_nobody_s_unless_an_officer_signed_it() -> None:
    log = running()
    assert verdict(log, log.send("x.other.v1", {}, "admin", key="stranger")) == ("refused", "signature")
    assert verdict(log, log.send("x.other.v1", {}, "stranger")) == ("refused", "unknown_officer")
    assert verdict(log, log.send("x.other.v1", {}, "admin")) == ("refused", "unknown_type")


def signed(ce_id: str, value: bytes) -> tuple[tuple[str, bytes], ...]:
    return command_headers(REGISTER, "publisher", key_of("publisher"), CommandType.CUT_OFF, ce_id, value)


def test_a_time_stamp_that_the_broker_did_not_give_makes_a_message_count_for_nothing() -> None:
    log = running()
    value = canonical({"epoch": 1})
    log.append(signed("moved", value), value, append_time=False)
    head = log.state().audit_head_at(len(log.messages) - 2)
    assert "moved" not in log.state().verdicts
    assert log.state().audit_head == log.messages[-1].chained(head)  # it lies there all the same
    log.append(signed("moved", value), value)
    assert verdict(log, "moved") == ("open", None)


@pytest.mark.parametrize(
    ("more", "key", "told"),
    [(0, b"k" * 128, True), (0, b"k" * 129, False), (65_536, b"k", False)],
)
def test_a_message_over_the_limits_of_an_event_counts_for_nothing(more: int, key: bytes, told: bool) -> None:
    log = running()
    value = canonical({"epoch": 1})
    log.append((*signed("big", value), ("x", b"y" * more)), value, key=key)
    assert ("big" in log.state().verdicts) is told
    assert log.state().audit_head != log.state().audit_head_at(len(log.messages) - 2)
    log.append(signed("big", value), value)
    assert verdict(log, "big") == ("open", None)  # its id was free


def test_exactly_64_kib_with_key_and_headers_are_allowed() -> None:
    value = canonical({"epoch": 1})
    headers = signed("full", value)
    rest = 65_536 - len(value) - 1 - sum(len(name.encode()) + len(told) for name, told in headers) - 1
    for room, told in ((rest, True), (rest + 1, False)):
        log = running()
        log.append((*headers, ("x", b"y" * room)), value, key=b"k")
        assert ("full" in log.state().verdicts) is told


@pytest.mark.parametrize("timestamp", [2**62, -(2**62), 253_402_300_800_000])
def test_no_time_stamp_stops_the_fold(timestamp: int) -> None:
    log = running()
    log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher", ce_id="then")
    log.messages[-1] = replace(log.messages[-1], timestamp=timestamp)
    log.approve("then")
    assert verdict(log, "then")[0] == "effective"


DEEP: list[Any] = []
for _ in range(40):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "value", [b"", b"\xff", b"{", b"9" * 5000, canonical(DEEP), b'{"epoch":1e400}', b'{"epoch":1,"epoch":1}']
)
def test_an_officer_s_value_that_is_no_command_is_invalid(value: bytes) -> None:
    log = running()
    log.append(signed("odd", value), value)
    assert verdict(log, "odd") == ("refused", "invalid")


@pytest.mark.parametrize(
    ("character", "may"), [("\x1f", False), ("\x7f", True), ("\x80", True), ("\x9f", True)]
)
def test_the_control_characters_that_no_id_has_are_those_below_a_space(character: str, may: bool) -> None:
    log = running()
    ce_id = log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher", ce_id=f"cut{character}off")
    assert (ce_id in log.state().verdicts) is may
