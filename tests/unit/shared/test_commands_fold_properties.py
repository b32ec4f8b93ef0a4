"""What holds of the fold whatever the commands are."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.commands.fold import apply
from shared.contracts.commands import CommandType
from shared.contracts.identity import sha256_hex
from shared.reference.officers import officers_file
from tests.kit.command_log import (
    OFFICERS,
    CommandLog,
    all_roles,
    running,
    snapshot,
)

A = ("r-1", "a" * 64)
B = ("r-2", "b" * 64)
C = ("r-3", "c" * 64)

STEPS = st.lists(
    st.sampled_from(
        ["cut_off", "decide", "undecide", "reverse", "finalise", "officers", "open", "junk", "self", "twice"]
    ),
    max_size=12,
)


def play(steps: list[str]) -> CommandLog:
    log = running()
    epoch = 0
    for step in steps:
        match step:
            case "cut_off":
                epoch += 1
                log.cut_off(epoch)
            case "decide":
                log.decide(A, B, "r-1")
            case "undecide":
                log.decide(A, B, None)
            case "reverse":
                log.reverse(A, B)
            case "finalise":
                log.finalise()
            case "officers":
                log.adopt("officers", json.dumps(officers_file([*OFFICERS, all_roles("new")])).encode())
            case "open":
                log.decide(A, C, "r-1", approve=False)
            case "junk":
                log.append((("ce_id", b"junk-%d" % len(log.messages)),), b"\xff")
            case "self":
                log.approve(log.decide(A, C, "r-3", approve=False), "adjudicator")
            case "twice":
                last = log.messages[-1]
                log.append(log.headers[-1], last.value)
    return log


@settings(deadline=None, max_examples=40)
@given(STEPS)
def test_folding_message_by_message_is_folding_all_and_every_prefix_keeps_its_answers(
    steps: list[str],
) -> None:
    log = play(steps)
    whole = log.state()
    state = log.empty()
    for message in log.messages:
        apply(state, message, log.resolve)
        for offset in range(message.offset + 1):
            assert state.audit_head_at(offset) == whole.audit_head_at(offset)
            assert state.decisions_at(offset) == whole.decisions_at(offset)
            assert state.officers_at(offset) == whole.officers_at(offset)
    assert snapshot(state) == snapshot(whole)


@settings(deadline=None, max_examples=40)
@given(STEPS, st.data())
def test_reading_a_message_again_changes_nothing(steps: list[str], data: st.DataObject) -> None:
    log = play(steps)
    state = log.empty()
    for at, message in enumerate(log.messages):
        apply(state, message, log.resolve)
        apply(state, log.messages[data.draw(st.integers(0, at))], log.resolve)
    assert snapshot(state) == snapshot(log.state())


@settings(deadline=None, max_examples=30)
@given(STEPS)
def test_without_qualified_approvals_nothing_takes_effect(steps: list[str]) -> None:
    log = play(steps)
    unqualified = CommandLog().found()
    for message in log.messages[1:]:
        if message.ce_type == CommandType.APPROVED:
            approval = json.loads(message.value)
            unqualified.send(CommandType.APPROVED, approval, "adjudicator", ce_id=message.ce_id)
        else:
            unqualified.append(log.headers[message.offset], message.value)
    state = unqualified.state()
    assert [each.ce_id for each in state.verdicts.values() if each.verdict == "effective"] == ["founding"]
    assert not state.cut_offs and not state.decision_log and not state.finalise_requests


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_message_of_which_any_byte_is_changed_has_no_effect(data: st.DataObject) -> None:
    log = running()
    proposal = log.decide(A, B, "r-1", approve=False)
    target = log.messages[-1]
    part = data.draw(st.sampled_from(["ce_type", "ce_id", "officer", "signature", "value"]))
    content = getattr(target, part)
    raw = bytearray(content.encode() if isinstance(content, str) else content)
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    changed: Any = bytes(raw) if isinstance(content, bytes) else raw.decode("utf-8", "surrogateescape")
    log.messages[-1] = replace(target, **{part: changed})
    named = changed.encode("utf-8", "replace").decode() if part == "ce_id" else proposal
    log.send(
        CommandType.APPROVED,
        {
            "command_id": named,
            "command_sha256": sha256_hex(log.messages[-1].value),
            "reason": "approved as it lies there",
        },
        "approver",
    )
    assert log.state().decision_log == []
