"""What a dead letter tells, what people did with it, and what may be sent again in which order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.__main__ import app
from client.dead_letters import Letter
from client.letter_states import Begun, LetterState, States, plan_drop, plan_replay, states_of
from client.replay import TAKE_OVER_MS, NotReplayed, require_alone, require_first, require_officer
from shared.contracts.operations import OperationType
from shared.operations.actor import Actor
from shared.runtime.dead_letters import dead_letter
from shared.runtime.record import Record
from tests.kit.command_log import key_of
from tests.kit.trail_log import DEDUP, OPERATOR, PERSON, TrailLog, keys


def record(offset: int, **more: Any) -> Record:
    """A record of the events topic, in partition 1."""
    return Record("events", 1, offset, 0, **{"key": b"k", "value": b"{", "headers": (), **more})


def letter_of(original: Record, reason: str = "json", detail: str = "no_json") -> Letter:
    """The letter as it lies on its topic."""
    output = dead_letter(original, reason=reason, detail=detail, service="registration")
    lying = Record(
        output.topic, output.partition, original.offset, 0, output.key, output.value, output.headers
    )
    letter = Letter.of(lying)
    assert letter is not None
    return letter


def letter(offset: int, key: bytes | None = b"k", **more: Any) -> Letter:
    return letter_of(record(offset, key=key, **more))


# --- a letter ---


def test_a_letter_gives_back_key_value_and_headers_as_they_came() -> None:
    # A producer may name its own headers as ours are.
    mine = (("ce_id", b"1"), ("rollstream-dlq-reason", b"theirs"), ("x", None))
    found = letter(7, headers=mine)
    assert found.content == (b"k", b"{", mine)
    assert (found.place, found.facts["reason"], found.why_not) == ("1/7", "json", None)


@pytest.mark.parametrize(
    ("original", "reason", "why"),
    [
        (record(0, value=b"x" * 300_000), "too_large", "its original is not in the letter"),
        (record(0, value=b"x" * 70_000), "too_large", "over the contract's limits"),
        (record(0, key=None, value=None, last_offset=9), "undecodable_batch", "its original is not"),
        (record(0, headers=(("\udcff", b"x"),)), "headers", "lacks some of its headers"),
        (record(0, left_out=3), "headers", "lacks some of its headers"),
        (record(0, key=None, value=None), "json", "neither key nor value"),
    ],
)
def test_what_cannot_be_sent_as_it_came_says_why(original: Record, reason: str, why: str) -> None:
    found = letter_of(original, reason)
    assert found.why_not is not None and why in found.why_not
    plan = plan_replay([found], {}, {found.source}, named=True)
    assert (plan.letters, plan.skipped) == ([], {"1/0": found.why_not})


def test_what_others_wrote_to_the_topic_is_no_letter() -> None:
    for number in (b"", b"-1", b"x", "១".encode()):
        headers = (("rollstream-dlq-partition", b"1"), ("rollstream-dlq-offset", number))
        assert Letter.of(Record("t", 1, 0, 0, b"k", b"v", headers)) is None


# --- what people did ---


def at(*offsets: int, sent_to: int | None = None) -> list[dict[str, int]]:
    more = {} if sent_to is None else {"sent_to": sent_to}
    return [{"partition": 1, "offset": offset, **more} for offset in offsets]


def begin(log: TrailLog, *offsets: int, actor: Actor = PERSON) -> None:
    log.add(
        actor,
        OperationType.REPLAY_BEGUN,
        {"letters": at(*offsets), "ends": at(90), "reason": "mended"},
    )


def finish(log: TrailLog, *offsets: int, actor: Actor = PERSON) -> None:
    log.add(actor, OperationType.REPLAYED, {"letters": at(*offsets, sent_to=91), "reason": "mended"})


def drop(log: TrailLog, *offsets: int, actor: Actor = PERSON) -> None:
    log.add(actor, OperationType.DROPPED, {"letters": at(*offsets), "reason": "a test"})


def test_a_letter_is_open_replayed_or_dropped_as_the_acts_say() -> None:
    log = TrailLog()
    begin(log, 1, 2)
    [begun] = states_of(log.trail())[1, 1].begun
    assert (begun.officer, begun.offset, begun.end) == ("operator", 0, 90)
    finish(log, 1)
    drop(log, 1, 3)
    states = states_of(log.trail())
    assert {source: each.state for source, each in states.items()} == {
        (1, 1): "replayed",
        (1, 2): "open",
        (1, 3): "dropped",
    }
    assert (states[1, 1].sent_to, states[1, 1].begun) == (91, [])
    assert len(states[1, 2].begun) == 1
    begin(log, 3)
    finish(log, 3)
    assert states_of(log.trail())[1, 3].state == "replayed"


def test_an_act_that_nobody_answers_for_changes_nothing() -> None:
    log = TrailLog()
    log.start(DEDUP)
    finish(log, 1, actor=Actor(officer="operator", key=key_of("a thief's")))
    assert states_of(log.trail()) == {}


# --- what may be done ---


def test_a_letter_waits_for_the_earlier_ones_of_its_key() -> None:
    letters = [letter(1), letter(2, b"other"), letter(3), letter(4, None), letter(5, None)]
    plan = plan_replay(letters, {}, {(1, 3), (1, 5)})
    assert [each.place for each in plan.letters] == ["1/3", "1/5"]
    assert plan.early == {"1/3": "1/1"}
    for state in ("replayed", "dropped"):
        done: States = {(1, 1): LetterState(state)}
        assert plan_replay(letters, done, {(1, 3)}).early == {}
    assert plan_replay(letters, {}, {(1, 1), (1, 3)}).early == {}


def test_one_that_cannot_be_sent_is_waited_for_until_it_is_dropped() -> None:
    letters = [letter_of(record(1, left_out=1), "headers"), letter(2)]
    assert plan_replay(letters, {}, {(1, 1), (1, 2)}).early == {"1/2": "1/1"}
    dropped: States = {(1, 1): LetterState("dropped")}
    assert plan_replay(letters, dropped, {(1, 2)}).early == {}


def test_what_was_replayed_is_skipped_and_what_was_dropped_unless_it_is_named() -> None:
    states: States = {(1, 1): LetterState("replayed"), (1, 2): LetterState("dropped")}
    letters, chosen = [letter(1), letter(2), letter(3)], {(1, 1), (1, 2), (1, 3)}
    plan = plan_replay(letters, states, chosen)
    assert [each.place for each in plan.letters] == ["1/3"]
    assert set(plan.skipped) == {"1/1", "1/2"}
    named = plan_replay(letters, states, chosen, named=True)
    assert [each.place for each in named.letters] == ["1/2", "1/3"]
    assert [each.place for each in plan_drop(letters, states, chosen).letters] == ["1/3"]


@given(
    st.lists(st.sampled_from([b"a", b"b", None]), max_size=8),
    st.data(),
)
def test_of_one_key_none_is_sent_before_an_earlier_one_without_a_word(
    letter_keys: list[bytes | None], data: st.DataObject
) -> None:
    letters = [letter(offset, key) for offset, key in enumerate(letter_keys)]
    numbers = st.sets(st.sampled_from(range(len(letters)))) if letters else st.just(set[int]())
    chosen, done = data.draw(numbers), data.draw(numbers)
    states: States = {(1, offset): LetterState("replayed") for offset in done}
    plan = plan_replay(letters, states, {(1, offset) for offset in chosen})
    offsets = [each.source[1] for each in plan.letters]
    assert offsets == sorted(chosen - done)
    for offset in offsets:
        key = letter_keys[offset]
        earlier = [each for each in range(offset) if key is not None and letter_keys[each] == key]
        waits = [each for each in earlier if each not in done and each not in chosen]
        assert (f"1/{offset}" in plan.early) == bool(waits)


def begun(officer: str, *, offset: int = 4, timestamp: int = 1_000) -> States:
    return {(1, 1): LetterState(begun=[Begun(officer, timestamp, offset, 50)])}


def test_another_officers_replay_is_waited_for_until_it_must_be_dead() -> None:
    for officer, now, refused in (
        ("other", 1_000 + TAKE_OVER_MS - 1, True),
        ("other", 1_000 + TAKE_OVER_MS, False),
        ("operator", 1_001, False),
    ):
        if refused:
            with pytest.raises(NotReplayed, match="other began to replay 1/1"):
                require_alone([letter(1)], begun(officer), "operator", now)
        else:
            require_alone([letter(1)], begun(officer), "operator", now)


def test_of_two_replays_at_once_the_first_goes_on() -> None:
    assert require_first([letter(1)], begun("other", offset=4), 4, 5) == {(1, 1): 50}
    assert require_first([letter(1)], begun("other", offset=5), 4, 5) == {}
    for seen in (3, None):
        with pytest.raises(NotReplayed, match="at the same moment"):
            require_first([letter(1)], begun("other", offset=4), seen, 5)


def test_nobody_acts_whose_act_would_be_nobodys() -> None:
    for actor in (Actor(officer="operator", key=key_of("marker")), Actor(officer="x", key=key_of("x"))):
        with pytest.raises(NotReplayed, match="in force with this key"):
            require_officer(keys(), actor)
    require_officer(keys((-(10**12), [OPERATOR])), PERSON)


@pytest.mark.parametrize("command", ["replay", "drop"])
@pytest.mark.parametrize(
    "words", [(), ("1/2", "--reason", "json"), ("--all", "--partition", "1"), ("1/2", "--all")]
)
def test_a_command_is_about_named_letters_or_chosen_ones_or_all(
    command: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLSTREAM_REGISTER", "kh")
    who = ("--officer", "a", "--key", "k", "--because", "b")
    ended = CliRunner().invoke(app, ["dlq", command, *words, *who])
    assert ended.exit_code == 1 and "say which letters" in ended.stderr
