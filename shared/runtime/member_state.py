"""What a group member may do next, as a state machine of its own. Pure: no broker, no clock, no waiting.

    assigned ──► begin ──► read ──► in flight ──► settled, committed ──► read
                   ▲         ▲          │ failed
                   │         │          ▼
                   │       resume ◄── rest (a back-off; everything is paused and sought back)
    revoked: nothing is held, what is in flight counts for nothing any more, and the next assignment begins

Promises: an offset is committed only when it and all before it were settled; no record is skipped; what was
settled after a revocation moves nobody's position; only what is held is read on; every back-off ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition

from shared.runtime.record import Record


@dataclass(frozen=True, slots=True)
class Rest:
    """Poll, so that the group keeps this member, and take nothing, for `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Begin:
    """Ask the handler where these partitions start."""

    partitions: tuple[TopicPartition, ...]


@dataclass(frozen=True, slots=True)
class Resume:
    """Commit what is due, and read on what was paused."""


@dataclass(frozen=True, slots=True)
class Read:
    """Poll for records."""


_FLIGHT_S = 0.1

Step = Rest | Begin | Resume | Read


@dataclass(frozen=True, slots=True)
class Flight:
    """A batch in the handler's hands; `assignment` numbers the assignment that it belongs to."""

    assignment: int
    records: Sequence[Record]


class MemberState:
    """The state of one member. `assignment` grows with every rebalance."""

    def __init__(self, backoff_initial_s: float, backoff_max_s: float) -> None:
        self._backoff = (backoff_initial_s, backoff_max_s)
        self._new: frozenset[TopicPartition] = frozenset()  # assigned, their start not known yet
        self._next: dict[TopicPartition, int] = {}  # next offset to settle
        self._committed: dict[TopicPartition, int] = {}
        self._rest_until = 0.0
        self._paused = False  # by a failure
        self._batch_failed = False  # if so, only a batch shows that the server is back
        self._in_flight = False
        self.assignment = 0
        self.attempt = 0  # how often in a row something failed

    def next_step(self, now: float) -> Step:
        """What to do at the time `now`, in seconds on the clock that `failed` is told."""
        if now < self._rest_until:
            return Rest(self._rest_until - now)
        if self._in_flight:  # it outlasts the drain of a rebalance, which is about to begin anew
            return Rest(_FLIGHT_S)
        if self._new:
            return Begin(tuple(sorted(self._new)))
        return Resume() if self._paused else Read()

    # Rebalances

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """These are held from now on, and nothing is read of them before `begun`."""
        self._drop()
        self._new = frozenset(partitions)

    def revoked(self) -> None:
        """Nothing is held."""
        self._drop()
        self._batch_failed = False

    def begun(self, assignment: int, starts: Mapping[TopicPartition, tuple[int, int | None]]) -> bool:
        """Partition → where it starts and what the group has committed; False if that is overtaken."""
        if assignment != self.assignment:
            return False
        for partition, (start, committed) in starts.items():
            self._next[partition] = start
            self._committed[partition] = committed or 0
        self._new -= starts.keys()
        return True

    # Reading

    def take(
        self, records: Iterable[Record], reached: Mapping[TopicPartition, int]
    ) -> tuple[Flight, dict[TopicPartition, int]]:
        """What of `records` is ours, not what a rebalance has taken away meanwhile: it is in flight now.

        Besides: partition → where reading went on, where that is not the next offset to settle. Between may
        lie what has no record, such as the end of a transaction; or it is another log. `reached` is how far
        each partition was read, by which those without a record are judged.
        """
        ours: list[Record] = []
        firsts: dict[TopicPartition, int] = {}
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            if partition in self._next:
                firsts.setdefault(partition, record.offset)
                ours.append(record)
        self._in_flight = bool(ours)
        found = {partition: at for partition, at in reached.items() if partition in self._next} | firsts
        jumps = {partition: at for partition, at in found.items() if at != self._next[partition]}
        return Flight(self.assignment, ours), jumps

    def passed_over(self, flight: Flight, jumps: Mapping[TopicPartition, int]) -> None:
        """There is no record in `jumps`, which lead up to `flight`."""
        if flight.assignment == self.assignment:
            self._next.update((each, at) for each, at in jumps.items() if at > self._next[each])

    # Settling

    def settled(self, flight: Flight, left: Collection[Record] = ()) -> bool:
        """The effects are stored, but of those `left`, which are sought back and read again; False if it
        outlasted a rebalance: then whose it is now, redoes it."""
        if flight.assignment != self.assignment:
            return False
        again = {(record.partition, record.offset) for record in left}
        held_up: set[int] = set()
        for record in flight.records:
            if (record.partition, record.offset) in again:
                held_up.add(record.partition)
            if record.partition not in held_up:
                self._next[TopicPartition(record.topic, record.partition)] = record.following
        self._in_flight = self._batch_failed = False
        return True

    def due(self, held: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """What to commit: never below what is committed, since what lies below was acknowledged."""
        return {
            partition: offset
            for partition, offset in self._next.items()
            if offset > self._committed[partition] and partition in held
        }

    def committed(self, assignment: int, offsets: Mapping[TopicPartition, int]) -> None:
        """The broker has taken `offsets`."""
        if assignment == self.assignment:
            self._committed.update(offsets)

    # Failures

    def failed(self, now: float, *, in_batch: bool) -> float:
        """Something is away: everything is paused and sought back to `positions`. Answers for how long."""
        self.attempt += 1
        initial, most = self._backoff
        delay = float(min(most, initial * 2 ** min(self.attempt - 1, 30)))
        self._in_flight = False
        self._rest_until = now + delay
        self._paused = True
        self._batch_failed |= in_batch
        return delay

    def resumed(self) -> None:
        """What was paused is read on."""
        self._paused = False

    def recovered(self) -> bool:
        """Something went well; whether that ends a row of failures."""
        if self.attempt == 0 or self._batch_failed:
            return False
        self.attempt = 0
        return True

    # What can be seen

    def positions(self) -> dict[TopicPartition, int]:
        """The next offset to settle of each partition whose start is known."""
        return dict(self._next)

    def committed_offsets(self) -> dict[TopicPartition, int]:
        """What the group has committed of each, 0 where nothing."""
        return dict(self._committed)

    def _drop(self) -> None:
        self.assignment += 1
        self._in_flight = False
        self._new = frozenset()
        self._next.clear()
        self._committed.clear()
