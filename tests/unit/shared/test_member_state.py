"""The state machine of a group member, tried by Hypothesis against a log and a group of its own."""

from __future__ import annotations

from typing import Any

from aiokafka import TopicPartition
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.runtime.member_state import Begin, Flight, MemberState, Read, Rest, Resume
from shared.runtime.record import Record

PARTITIONS = [TopicPartition("t", number) for number in range(3)]
END = 40
WITHOUT_RECORD = {5, 6, 17, 30}
"""Offsets that hold the end of a transaction."""


class Member(RuleBasedStateMachine):
    """One member, its consumer, and the group that gives and takes its partitions.

    `stored` is the truth: how far the effects of each partition are in the store, whoever settled them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.state = MemberState(0.2, 15)
        self.now = 100.0
        self.held: set[TopicPartition] = set()
        self.paused: set[TopicPartition] = set()
        self.reads_at: dict[TopicPartition, int] = {}
        self.stored = dict.fromkeys(PARTITIONS, 0)
        self.committed = dict.fromkeys(PARTITIONS, 0)
        self.flights: list[Flight] = []
        self.begun_at: int | None = None

    # The group

    @rule(given=st.sets(st.sampled_from(PARTITIONS)))
    def rebalance(self, given: set[TopicPartition]) -> None:
        self.state.revoked()
        for partition in self.held - given:
            # Its new owner settles more, and commits it.
            self.stored[partition] = min(END, self.stored[partition] + 3)
            self.committed[partition] = self.stored[partition]
        self.held, self.paused = set(given), set(given)
        self.reads_at = {}
        self.state.assigned(given)

    # The member's loop

    @precondition(lambda self: not self._current())
    @rule(most=st.integers(1, 10), overtaken=st.booleans())
    def step(self, most: int, overtaken: bool) -> None:
        match self.state.next_step(self.now):
            case Rest(seconds):
                assert 0 < seconds <= 15 + 1e-6
                assert self._poll(most) == [], "everything is paused while it rests"
            case Begin(partitions):
                assert set(partitions) <= self.held
                assignment = self.state.assignment
                starts = {each: (self.stored[each], self.committed[each]) for each in partitions}
                if overtaken:
                    self.rebalance(set(PARTITIONS[:1]))
                assert self.state.begun(assignment, starts) is not overtaken
                if not overtaken:
                    self._seek_back()
                    self._resume(set(partitions))
            case Resume():
                self.commit(overtaken)
                self._resume(set(self.state.positions()))
                self.state.resumed()
            case Read():
                reached_before = dict(self.reads_at)
                records = self._poll(most)
                flight, jumps = self.state.take(records, dict(self.reads_at))
                for partition, at in jumps.items():
                    skipped = set(range(self.state.positions()[partition], at))
                    assert skipped <= WITHOUT_RECORD, f"{partition}: {skipped} from {reached_before}"
                self.state.passed_over(flight, jumps)
                if flight.records:
                    self.flights.append(flight)

    @precondition(lambda self: self.flights)
    @rule(
        ending=st.sampled_from(["settled", "away", "settled, then away"]),
        keeps=st.integers(0, 3),
        data=st.data(),
    )
    def end_of_a_batch(self, ending: str, keeps: int, data: Any) -> None:
        flight = data.draw(st.sampled_from(self.flights))
        self.flights.remove(flight)
        before = self.state.positions()
        of_one = [each for each in flight.records if each.partition == flight.records[0].partition]
        left = of_one[len(of_one) - keeps :] if keeps else []
        settled = [each for each in flight.records if each not in left]
        if ending != "away":
            if flight.assignment == self.state.assignment:
                for record in settled:
                    partition = TopicPartition(record.topic, record.partition)
                    between = set(range(self.stored[partition], record.offset))
                    assert between <= WITHOUT_RECORD, "a record was skipped"
                    self.stored[partition] = record.following
            counted = self.state.settled(flight, left)
            assert counted is (flight.assignment == self.state.assignment)
            if not counted:
                assert self.state.positions() == before, "a batch that outlasted its assignment moved it"
            elif left:
                self._seek_back()
        if ending == "settled":
            self.commit(False)
            self.state.recovered()
        elif flight.assignment == self.state.assignment:
            self.fail(in_batch=ending == "away")

    @rule(in_batch=st.just(False))
    @precondition(lambda self: not self._current())
    def fail(self, in_batch: bool) -> None:
        delay = self.state.failed(self.now, in_batch=in_batch)
        assert 0 < delay <= 15
        self._seek_back()
        self.paused = set(self.held)

    @rule(overtaken=st.booleans())
    def commit(self, overtaken: bool) -> None:
        assignment, due = self.state.assignment, self.state.due(self.held)
        for partition, offset in due.items():
            assert offset <= self._settled(partition), "committed past what was settled"
            assert offset > self.committed[partition], "a commit went back"
            self.committed[partition] = offset
        if overtaken:
            self.rebalance(set(PARTITIONS[1:]))
        self.state.committed(assignment, due)

    @rule(seconds=st.floats(0.01, 40))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    # What always holds

    @invariant()
    def positions_are_held_and_not_past_what_was_settled(self) -> None:
        for partition, position in self.state.positions().items():
            assert partition in self.held
            assert position <= self._settled(partition)

    @invariant()
    def every_back_off_ends(self) -> None:
        assert not isinstance(self.state.next_step(self.now + 15), Rest) or self._current()

    # The consumer

    def _current(self) -> bool:
        return any(flight.assignment == self.state.assignment for flight in self.flights)

    def _settled(self, partition: TopicPartition) -> int:
        """Past what is stored may lie offsets without a record."""
        offset = self.stored[partition]
        while offset in WITHOUT_RECORD:
            offset += 1
        return offset

    def _seek_back(self) -> None:
        self.reads_at.update((each, at) for each, at in self.state.positions().items() if each in self.held)

    def _resume(self, partitions: set[TopicPartition]) -> None:
        self.paused -= partitions & self.held

    def _poll(self, most: int) -> list[Record]:
        records: list[Record] = []
        for partition in sorted(self.held - self.paused):
            for _ in range(most):
                at = self.reads_at[partition]
                if at >= END:
                    break
                self.reads_at[partition] += 1
                if at not in WITHOUT_RECORD:
                    records.append(Record("t", partition.partition, at, 0, None, b"v", ()))
        return records


TestMember = Member.TestCase
TestMember.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)


def _record(offset: int, last: int | None = None) -> Record:
    fault = "undecodable_batch" if last is not None else None
    return Record("t", 0, offset, 0, None, b"v", (), fault, last)


def _reading() -> MemberState:
    state = MemberState(0.2, 15)
    state.assigned(PARTITIONS[:1])
    assert state.begun(state.assignment, {PARTITIONS[0]: (0, None)})
    return state


def test_a_run_that_cannot_be_decoded_is_settled_to_its_last_offset() -> None:
    state = _reading()
    flight, jumps = state.take([_record(0, last=9), _record(10)], {PARTITIONS[0]: 11})
    assert jumps == {} and state.settled(flight)
    assert state.due(PARTITIONS) == {PARTITIONS[0]: 11}


def test_nothing_is_read_while_a_batch_is_in_flight() -> None:
    state = _reading()
    flight, _ = state.take([_record(0)], {PARTITIONS[0]: 1})
    assert isinstance(state.next_step(0), Rest)
    state.settled(flight)
    assert state.next_step(0) == Read()


def test_the_back_off_doubles_up_to_its_longest_and_begins_anew_after_a_recovery() -> None:
    state = _reading()
    delays = [state.failed(0, in_batch=False) for _ in range(9)]
    assert delays[:4] == [0.2, 0.4, 0.8, 1.6] and delays[-1] == 15
    assert state.recovered()
    assert state.failed(0, in_batch=False) == 0.2


def test_after_a_batch_failed_only_a_batch_shows_that_the_server_is_back() -> None:
    state = _reading()
    state.failed(0, in_batch=True)
    assert not state.recovered()
    flight, _ = state.take([_record(0)], {})
    state.settled(flight)
    assert state.recovered()


def test_what_was_committed_before_is_never_committed_lower() -> None:
    state = MemberState(0.2, 15)
    state.assigned(PARTITIONS[:1])
    state.begun(state.assignment, {PARTITIONS[0]: (0, 5)})
    flight, _ = state.take([_record(at) for at in range(3)], {})
    state.settled(flight)
    assert state.due(PARTITIONS) == {}


def test_what_is_settled_after_a_rebalance_moves_no_position_of_the_next_assignment() -> None:
    state = _reading()
    late, _ = state.take([_record(at) for at in range(5)], {})
    state.revoked()
    state.assigned(PARTITIONS[:1])
    state.begun(state.assignment, {PARTITIONS[0]: (2, None)})
    assert not state.settled(late)
    assert state.positions() == {PARTITIONS[0]: 2}


def test_a_start_that_a_rebalance_overtook_counts_for_nothing() -> None:
    state = MemberState(0.2, 15)
    state.assigned(PARTITIONS[:1])
    overtaken = state.assignment
    state.assigned(PARTITIONS[1:])
    assert not state.begun(overtaken, {PARTITIONS[0]: (0, None)})
    assert state.positions() == {} and isinstance(state.next_step(0), Begin)


def test_only_what_the_consumer_holds_is_committed() -> None:
    state = _reading()
    flight, _ = state.take([_record(0)], {})
    state.settled(flight)
    assert state.due([]) == {} and state.due(PARTITIONS) == {PARTITIONS[0]: 1}
