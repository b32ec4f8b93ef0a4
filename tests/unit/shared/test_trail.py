"""The trail of operational acts: what it proves, and which record is the first that does not hold."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.commands.message import Message
from shared.contracts.identity import CHAIN_START, canonical
from shared.contracts.operations import OperationType
from shared.operations.actor import Actor
from shared.operations.trail import CLOCKS_MS, fold_trail
from tests.kit.command_log import REGISTER, key_of, officer
from tests.kit.trail_log import (
    DEDUP,
    LETTERS,
    OPERATOR,
    PERSON,
    PUBLISHER,
    REGISTRATION,
    TrailLog,
    faults,
    keys,
)

ACTORS = (DEDUP, REGISTRATION, PUBLISHER, PERSON)


def logged(*writers: tuple[Actor, int]) -> TrailLog:
    """Acts of these, each of whom had not read some of the last ones."""
    log = TrailLog()
    for actor, unread in writers:
        unread = min(unread, len(log.messages))
        if actor is PERSON:
            log.drop(unread=unread)
        else:
            log.start(actor, unread=unread)
    return log


LOGS = st.lists(
    st.tuples(st.sampled_from(ACTORS), st.integers(0, 2)), min_size=2, max_size=8
).map(lambda writers: logged(*writers))  # fmt: skip


def judged(messages: list[Message]) -> list[tuple[int, str | None]]:
    return faults(fold_trail(REGISTER, messages, keys()))


@settings(deadline=None, max_examples=60)
@given(LOGS)
def test_what_honest_writers_wrote_holds_also_where_two_wrote_at_once(log: TrailLog) -> None:
    trail = log.trail()
    assert faults(trail) == []
    assert trail.checked
    assert [each.authentic for each in trail.entries] == [bool(each.signature) for each in log.messages]
    assert trail.unsealed == len(log.messages) - 1 - (-1 if trail.sealed is None else trail.sealed)


CHANGES = st.sampled_from(["timestamp", "ce_type", "ce_id", "officer", "signature", "value"])


def changed(message: Message, field: str) -> Message:
    match field:
        case "timestamp":
            return replace(message, timestamp=message.timestamp + 1)
        case "signature":
            return replace(message, signature=message.signature[:-1] + b"?")
        case "value":
            return replace(message, value=message.value.replace(b"head", b"hEad", 1))
        case _:
            return replace(message, **{field: getattr(message, field) + "x"})


@settings(deadline=None, max_examples=100)
@given(LOGS, st.data(), CHANGES)
def test_any_change_of_a_sealed_record_is_found_at_it_or_where_it_was_sealed(
    log: TrailLog, data: st.DataObject, field: str
) -> None:
    sealed = log.trail().sealed
    at = data.draw(st.integers(0, len(log.messages) - 1))
    messages = list(log.messages)
    messages[at] = changed(messages[at], field)
    found = judged(messages)
    if sealed is not None and at <= sealed:
        assert found and found[0][0] >= at
    elif log.messages[at].signature and field != "timestamp":
        assert found == [(at, found[0][1])], "what is signed holds no change, sealed or not"


@settings(deadline=None, max_examples=60)
@given(LOGS, st.data())
def test_any_removal_before_the_last_record_is_found(log: TrailLog, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(log.messages) - 2))
    gone = log.messages[:at] + log.messages[at + 1 :]
    assert judged(gone)[0] == (at + 1, "gap")
    # Whoever can take a record out of the log can number the others anew.
    moved = [replace(each, offset=offset) for offset, each in enumerate(gone)]
    sealed = log.trail().sealed
    if sealed is not None and at <= sealed:
        assert judged(moved)


@settings(deadline=None, max_examples=60)
@given(LOGS, st.data())
def test_any_insertion_before_a_seal_is_found(log: TrailLog, data: st.DataObject) -> None:
    sealed = log.trail().sealed
    if sealed is None:
        return
    at = data.draw(st.integers(0, sealed))
    copy = log.messages[data.draw(st.integers(0, len(log.messages) - 1))]
    put_in = [*log.messages[:at], copy, *log.messages[at:]]
    assert judged([replace(each, offset=offset) for offset, each in enumerate(put_in)])


@settings(deadline=None, max_examples=40)
@given(LOGS, st.data())
def test_any_two_records_in_the_others_place_are_found(log: TrailLog, data: st.DataObject) -> None:
    sealed = log.trail().sealed
    at = data.draw(st.integers(0, len(log.messages) - 2))
    swapped = list(log.messages)
    swapped[at], swapped[at + 1] = (
        replace(swapped[at + 1], offset=at),
        replace(swapped[at], offset=at + 1),
    )
    if sealed is not None and at <= sealed:
        assert judged(swapped)


def test_the_first_record_that_does_not_hold_is_named_and_later_writers_go_on() -> None:
    log = logged((DEDUP, 0), (PERSON, 0), (REGISTRATION, 0), (DEDUP, 0))
    log.messages[1] = replace(log.messages[1], timestamp=0)
    log.start()  # reads what lies there now
    trail = log.trail()
    # The officer was not in force in 1970; who read the true record sealed another.
    assert faults(trail) == [(1, "unknown_signer"), (2, "head"), (3, "head")]
    assert [each.authentic for each in trail.entries] == [False, False, True, False, False]
    assert (trail.sealed, trail.unsealed) == (3, 1)


def test_a_copy_of_a_record_counts_once() -> None:
    log = logged((PERSON, 0))
    log.messages.append(replace(log.messages[0], offset=1))
    trail = log.trail()
    assert faults(trail) == [(1, "repeated")]
    assert [each.authentic for each in trail.entries] == [True, False]


def test_nothing_lies_on_an_empty_trail() -> None:
    trail = TrailLog().trail()
    assert (trail.as_of, trail.head, trail.sealed, trail.unsealed) == (None, CHAIN_START, None, 0)


def forged(log: TrailLog, **data: Any) -> TrailLog:
    """The last message with other data, unsigned."""
    last = log.messages[-1]
    value = canonical({**json.loads(last.value), **data})
    log.messages[-1] = replace(last, value=value)
    return log


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({"by": {"officer": "operator"}}, "invalid"),
        ({"by": {"service": "dedup"}}, "invalid"),
        ({"as_of": 5}, "as_of"),
        ({"as_of": 1}, "as_of"),
        ({"head": "0" * 64}, "head"),
        ({"reason": "another"}, "signature"),
        ({"by": {"officer": "marker", "key_id": "0" * 32}}, "unknown_signer"),
        ({"by": {"officer": "operator", "key_id": "0" * 32}}, "unknown_signer"),
        ({"letters": []}, "invalid"),
        ({"letters": [*LETTERS, 1]}, "invalid"),
        ({"more": 1}, "invalid"),
    ],
)
def test_what_a_stranger_writes_is_nobodys_act(data: dict[str, Any], fault: str) -> None:
    trail = forged(logged((DEDUP, 0), (PERSON, 0)), **data).trail()
    assert faults(trail) == [(1, fault)]
    assert not trail.entries[1].authentic


def test_what_is_not_our_act_at_all_is_named_and_sealed_like_everything() -> None:
    log = logged((DEDUP, 0))
    junk = Message.of_record(1, 0, (("ce_id", b"x"), ("ce_type", b"y")), b"\xff")
    late = Message.of_record(2, 0, (("ce_id", b"z"), ("ce_type", b"y")), b"{}", append_time=False)
    named = Message.of_record(
        3, 0, (("ce_id", b"q"), ("ce_type", OperationType.STARTED.encode())), b"{}"
    )  # fmt: skip
    log.messages += [junk, late, named]
    log.start()
    assert faults(log.trail()) == [(1, "unknown_type"), (2, "timestamp"), (3, "invalid")]
    assert log.trail().sealed == 3


def test_an_officer_may_sign_while_in_force_by_the_brokers_clocks() -> None:
    log = logged((PERSON, 0), (PERSON, 0), (PERSON, 0), (PERSON, 0), (PERSON, 0), (PERSON, 0))
    new = officer("operator", ["administrator"], "another-key")
    # The acts lie a second apart; from the third second on the key is another.
    known = keys((-CLOCKS_MS, [OPERATOR]), (2_999, [new]))
    assert faults(log.trail(known)) == [(5, "unknown_signer")]
    assert [offset for offset, _ in faults(log.trail(keys((4_001, [OPERATOR]))))] == [0, 1, 2]


def test_an_act_that_was_signed_for_another_register_is_nobodys_here() -> None:
    log = TrailLog()
    log.drop(register="another")
    assert faults(log.trail()) == [(0, "signature")]


def test_a_service_says_that_it_signs_or_that_it_does_not() -> None:
    log = logged((DEDUP, 0), (REGISTRATION, 0), (PUBLISHER, 0))
    assert [each.authentic for each in log.trail().entries] == [False, True, True]
    for at in (1, 2):
        bare = list(log.messages)
        bare[at] = replace(bare[at], signature=b"")
        assert judged(bare)[0] == (at, "signature")
    log.messages[0] = replace(log.messages[0], signature=log.messages[1].signature)
    assert judged(log.messages)[0] == (0, "signature")


def test_without_keys_signatures_are_not_checked_and_nothing_is_authentic() -> None:
    log = logged((PERSON, 0), (REGISTRATION, 0))
    trail = fold_trail(REGISTER, log.messages, None)
    assert not trail.checked and not any(each.authentic for each in trail.entries)
    assert faults(trail) == []


def test_another_officers_key_does_not_sign_for_a_name() -> None:
    log = TrailLog()
    log.drop(Actor(officer="operator", key=key_of("marker")))
    assert faults(log.trail()) == [(0, "unknown_signer")]
