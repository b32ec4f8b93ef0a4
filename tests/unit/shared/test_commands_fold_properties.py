"""What holds of the fold whatever the commands are."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.commands.fold import LIFETIME_MS, Message, State, Verdict, apply, fold
from shared.contracts.commands import CommandType
from shared.contracts.identity import sha256_hex
from shared.reference.officers import officers_file
from tests.kit.command_log import (
    OFFICERS,
    REGISTER,
    START_MS,
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
        [
            *("cut_off", "decide", "undecide", "reverse", "finalise", "officers", "open", "junk", "self"),
            *("twice", "withdraw", "return", "approve", "late", "devices", "skip"),
        ]
    ),
    max_size=14,
)


def open_proposals(log: CommandLog) -> list[str]:
    verdicts = log.state().verdicts.values()
    return [each.ce_id for each in verdicts if each.verdict == "open" and each.settled is None]


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
            case "withdraw" | "return" | "approve" | "late":
                for proposal in open_proposals(log)[-1:]:
                    if step == "withdraw":
                        log.withdraw(proposal, "adjudicator")
                    elif step == "return":
                        log.withdraw(proposal, "approver")
                    else:
                        log.approve(proposal, after_ms=LIFETIME_MS + 1 if step == "late" else 1)
            case "skip":
                data = {"topic": "registration.checked.v1", "partition": 1, "offset": len(log.messages)}
                more = {"record_sha256": "0" * 64, "reason": "a stranger wrote it"}
                log.command(CommandType.SKIPPED, {**data, **more}, "admin")
            case "devices":
                log.adopt("devices", b"[]")
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
    effective = [each for each in state.verdicts.values() if each.verdict == "effective"]
    assert [each.ce_id for each in effective if each.command_type != CommandType.WITHDRAWN] == ["founding"]
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


@settings(deadline=None, max_examples=40)
@given(STEPS)
def test_a_settled_proposal_never_changes_again_but_for_what_supersedes_it(steps: list[str]) -> None:
    log = play(steps)
    state = log.empty()
    settled: dict[str, Verdict] = {}
    for message in log.messages:
        apply(state, message, log.resolve)
        for ce_id, before in settled.items():
            now = state.verdicts[ce_id]
            assert replace(now, superseded_by=None, as_of=0) == replace(before, superseded_by=None, as_of=0)
            assert before.superseded_by in (None, now.superseded_by)
        settled = {ce_id: each for ce_id, each in state.verdicts.items() if each.settled and each.signed}


@settings(deadline=None, max_examples=40)
@given(STEPS)
def test_a_verdict_changes_only_at_its_as_of_which_only_grows(steps: list[str]) -> None:
    log = play(steps)
    state = log.empty()
    before: dict[str, Verdict] = {}
    for message in log.messages:
        apply(state, message, log.resolve)
        for ce_id, now in state.verdicts.items():
            changed = before.get(ce_id) != now
            assert (now.as_of == message.offset) == changed
        before = dict(state.verdicts)


def essence(state: State, offset_of: dict[int, int]) -> object:
    """What the officers' messages came to, with each offset as `offset_of` names it."""

    def told(value: Any) -> Any:
        if isinstance(value, dict):
            return {told(name): told(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [told(each) for each in value]
        return value

    verdicts = {
        ce_id: (
            *(each.command_type, each.verdict, each.reason, each.proposed_by, each.approved_by),
            *(each.superseded_by, offset_of[each.offset], offset_of[each.as_of]),
            told(each.data),
            each.settled and (each.settled.by, offset_of[each.settled.offset]),
            None if each.command_offset is None else offset_of[each.command_offset],
        )
        for ce_id, each in state.verdicts.items()
        if each.signed
    }
    return (
        verdicts,
        {epoch: offset_of[offset] for epoch, offset in state.cut_offs.items()},
        [each.command_id for each in state.finalise_requests],
        [(each.ce_id, offset_of[each.command_offset]) for each in state.decision_log],
        {
            kind: [(each.sha256, offset_of[each.command_offset]) for each in adopted]
            for kind, adopted in state.adoptions.items()
        },
    )


STRANGERS = st.sampled_from(
    ["same id", "own id", "adopt", "approve", "withdraw", "replay", "undated", "noise"]
)


def intrude(log: CommandLog, kind: str, victim: Message | None) -> None:
    """Append what somebody may write who has no officer's key, but can repeat all that lies there."""
    ce_id = victim.ce_id if victim is not None else "first"
    officer = (victim.officer if victim is not None else "admin") or "admin"
    options: Any = {"key": "stranger", "after_ms": 0}
    match kind:
        case "same id":
            log.send(CommandType.CUT_OFF, {"epoch": 1}, officer, ce_id=ce_id, **options)
        case "own id":
            log.send(CommandType.CUT_OFF, {"epoch": 1}, "stranger", **options)
        case "adopt":
            data = {"kind": "officers", "version": "1", "sha256": "0" * 64}
            log.send(CommandType.ADOPTED, data, "stranger", **options)
        case "approve":
            data = {"command_id": ce_id, "command_sha256": "0" * 64, "reason": "mine"}
            log.send(CommandType.APPROVED, data, "approver", **options)
        case "withdraw":
            log.withdraw(ce_id, officer, **options)
        case "replay" if victim is not None:
            log.append(log.headers[victim.offset], victim.value, after_ms=0)
        case "undated" if victim is not None:
            log.append(log.headers[victim.offset], victim.value, after_ms=0, append_time=False)
        case _:
            log.append((("ce_id", b"\xff"), ("ce_type", b"x" * 300)), b"\xff" * 99, after_ms=0)


@settings(deadline=None, max_examples=60)
@given(STEPS, st.data())
def test_strangers_change_no_verdict_of_what_is_signed_and_no_state(
    steps: list[str], data: st.DataObject
) -> None:
    alone = play(steps)
    crowded = CommandLog()
    crowded.files = alone.files
    mine: dict[int, int] = {}
    for message, headers in zip(alone.messages, alone.headers, strict=True):
        for kind in data.draw(st.lists(STRANGERS, max_size=2)):
            named = [each for each in crowded.messages if each.can_be_named]
            intrude(crowded, kind, data.draw(st.sampled_from(named)) if named else None)
        if data.draw(st.booleans()) and message.can_be_named:  # they may guess an id ahead of its owner
            guessed = {"command_id": "founding", "reason": "guessed"}
            forged: Any = {"ce_id": message.ce_id, "key": "stranger", "after_ms": 0}
            crowded.send(CommandType.WITHDRAWN, guessed, "admin", **forged)
        since = message.timestamp - (crowded.messages[-1].timestamp if crowded.messages else START_MS)
        mine[message.offset] = len(crowded.messages)
        crowded.append(headers, message.value, after_ms=since)
    state = fold(REGISTER, alone.officers_sha, crowded.messages, crowded.resolve)
    assert essence(state, {there: here for here, there in mine.items()}) == essence(
        alone.state(), {offset: offset for offset in mine}
    )
