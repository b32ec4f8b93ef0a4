"""What would become of commands is known before they are sent, whatever else lies on the topic."""

import time
from dataclasses import replace
from typing import Any

import pytest

from client import commands, foresight
from client.commands import CommandNotSent, Signer
from client.foresight import Folded
from shared.commands.fold import LIFETIME_MS
from shared.contracts.commands import CommandType
from shared.contracts.topics import Topic
from shared.process.settings import Settings
from shared.runtime.record import Record
from tests.kit.command_log import REGISTER, CommandLog, key_of, pair_of, running

PUBLISHER, APPROVER = (Signer(name, key_of(name)) for name in ("publisher", "approver"))


def lying(log: CommandLog, age_ms: int = 0) -> list[Record]:
    """The topic, its last message `age_ms` old."""
    later = round(time.time() * 1000) - age_ms - log.messages[-1].timestamp
    return [
        Record(Topic.COMMANDS, 0, each.offset, each.timestamp + later, b"k", each.value, headers)
        for each, headers in zip(log.messages, log.headers, strict=True)
    ]


def folded(log: CommandLog, records: list[Record]) -> Folded:
    settings = Settings(register=REGISTER, founding_officers=log.officers_sha)
    return foresight.fold_all(settings, records, log.resolve)


def cut_off(log: CommandLog, **options: Any) -> str:
    return log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher", **options)


def test_who_sends_without_knowing_the_founding_officers_is_told_which_setting_is_missing() -> None:
    with pytest.raises(CommandNotSent, match="ROLLSTREAM_FOUNDING_OFFICERS: is not set"):
        foresight.fold_all(Settings(register=REGISTER), [], running().resolve)


def test_the_message_that_an_approval_names_is_the_officer_s_and_not_a_stranger_s_with_its_id() -> None:
    log = running()
    cut_off(log, ce_id="wanted-proposal", key="stranger")
    log.messages[-1] = replace(log.messages[-1], value=b'{"epoch":9}')
    cut_off(log, ce_id="wanted-proposal")
    cut_off(log, ce_id="wanted-proposal", key="stranger")
    records = lying(log)
    topic = folded(log, records)
    found = commands.find(records, "wanted-pro", topic.state)
    assert found.value == b'{"epoch":1}'
    approval = commands.approval(REGISTER, APPROVER, found, "looked at")
    assert foresight.check(topic, [approval], log.resolve) is None


def test_a_proposal_that_is_too_old_by_now_is_not_approved() -> None:
    log = running()
    cut_off(log, ce_id="old-proposal")
    records = lying(log, age_ms=LIFETIME_MS + 60_000)
    topic = folded(log, records)
    approval = commands.approval(
        REGISTER, APPROVER, commands.find(records, "old-proposal", topic.state), "late"
    )
    with pytest.raises(CommandNotSent, match=r"\(expired\).*proposed anew"):
        foresight.check(topic, [approval], log.resolve)


def test_what_is_withdrawn_in_one_command_cannot_be_approved_in_the_next() -> None:
    log = running()
    cut_off(log, ce_id="my-proposal")
    records = lying(log)
    topic = folded(log, records)
    proposal = commands.find(records, "my-proposal", topic.state)
    withdrawal = commands.withdrawal(REGISTER, PUBLISHER, proposal, "not yet")
    assert withdrawal.key == b"my-proposal"
    assert foresight.check(topic, [withdrawal], log.resolve) is None
    approval = commands.approval(REGISTER, APPROVER, proposal, "looked at")
    with pytest.raises(CommandNotSent, match=r"\(settled\)"):
        foresight.check(topic, [approval], log.resolve)


def test_what_cannot_be_decoded_on_the_topic_is_passed_over() -> None:
    log = running()
    cut_off(log)
    records = lying(log)
    run = Record(Topic.COMMANDS, 0, records[-1].offset + 1, 0, None, None, (), "undecodable_batch", 99)
    assert folded(log, [*records, run]).state.next_offset == len(log.messages)


def test_a_command_on_two_long_ids_has_a_key_that_is_not_too_long() -> None:
    """129 bytes would be: the message would have no effect, and nobody would tell."""
    log = running()
    pair = pair_of(("a" * 64, "a" * 64), ("b" * 64, "b" * 64))
    data = {"pair": pair, "decision": "different_persons", "reason": "seen both"}
    adjudicator = Signer("adjudicator", key_of("adjudicator"))
    command = commands.sign(REGISTER, adjudicator, CommandType.DECIDED, data)
    topic = folded(log, lying(log))
    assert foresight.check(topic, [command], log.resolve) is None
    assert topic.state.verdicts[command.id].verdict == "open"
