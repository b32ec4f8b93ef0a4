"""What people did with dead letters, by the trail of operational acts, and what may be done next. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from client.dead_letters import Letter, Source
from shared.contracts.operations import Dropped, ReplayBegun, Replayed
from shared.operations.trail import Trail

State = Literal["open", "replayed", "dropped"]
STATES: tuple[State, ...] = ("open", "replayed", "dropped")


@dataclass(frozen=True, slots=True)
class Begun:
    """A replay that was begun: by whom, when (ms), at which offset of the trail, and where the letter's
    partition ended then."""

    officer: str
    timestamp: int
    offset: int
    end: int


@dataclass(slots=True)
class LetterState:
    """What became of one letter. `begun` are replays of which nobody says that they were done."""

    state: State = "open"
    sent_to: int | None = None
    reason: str | None = None
    begun: list[Begun] = field(default_factory=list)


States = Mapping[Source, LetterState]
"""Of the letters that an act names; any other is open."""


def states_of(trail: Trail) -> dict[Source, LetterState]:
    """The state of each letter that an authentic act names: what nobody answers for changes nothing.

    Once replayed stays replayed; otherwise the last act counts.
    """
    states: dict[Source, LetterState] = {}
    for entry in trail.entries:
        act = entry.act
        if not entry.authentic or not isinstance(act, ReplayBegun | Replayed | Dropped):
            continue
        ends = {each.partition: each.offset for each in act.ends} if isinstance(act, ReplayBegun) else {}
        sent = _sent(act) if isinstance(act, Replayed) else {}
        for letter in act.letters:
            source = (letter.partition, letter.offset)
            known = states.setdefault(source, LetterState())
            if known.state == "replayed":
                continue
            match act:
                case ReplayBegun():
                    end = ends.get(letter.partition, 0)
                    known.begun.append(Begun(act.by.officer or "", entry.timestamp, entry.offset, end))
                case Dropped():
                    known.state, known.reason = "dropped", act.reason
                case Replayed():
                    known.state, known.reason, known.begun = "replayed", act.reason, []
                    known.sent_to = sent[source]
    return states


def _sent(act: Replayed) -> dict[Source, int]:
    return {(each.partition, each.offset): each.sent_to for each in act.letters}


def state_of(states: States, letter: Letter) -> LetterState:
    """The state of a letter."""
    return states.get(letter.source) or LetterState()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a command would do: with `letters`, in this order; `skipped` says why not with others, by place.

    `early` are letters before which another of the same key is still open: their places, and its.
    """

    letters: list[Letter]
    skipped: dict[str, str]
    early: dict[str, str]


def plan_replay(
    letters: Sequence[Letter], states: States, chosen: Collection[Source], named: bool = False
) -> Plan:
    """Which of the chosen letters can be sent again; all letters are given, in order of place.

    One that was dropped goes again only if it was `named` by its place. Events of one key are judged in the
    order in which they lie: so a letter waits for the earlier ones of its key, until those are sent again
    or dropped.
    """
    sent: list[Letter] = []
    skipped: dict[str, str] = {}
    early: dict[str, str] = {}
    open_before: dict[tuple[int, bytes], str] = {}
    for letter in letters:
        state = state_of(states, letter).state
        key = None if letter.record.key is None else (letter.source[0], letter.record.key)
        if letter.source in chosen:
            if state == "replayed":
                skipped[letter.place] = "it was replayed already"
                continue
            if letter.why_not is not None:
                skipped[letter.place] = letter.why_not
            elif state == "dropped" and not named:
                skipped[letter.place] = "it was dropped: name it by its place"
            else:
                sent.append(letter)
                if key is not None and key in open_before:
                    early[letter.place] = open_before[key]
                continue
        if state == "open" and key is not None:
            open_before.setdefault(key, letter.place)
    return Plan(sent, skipped, early)


def plan_drop(letters: Iterable[Letter], states: States, chosen: Collection[Source]) -> Plan:
    """Which of the chosen letters are still open."""
    dropped: list[Letter] = []
    skipped: dict[str, str] = {}
    for letter in letters:
        if letter.source in chosen:
            state = state_of(states, letter).state
            if state == "open":
                dropped.append(letter)
            else:
                skipped[letter.place] = f"it was {state} already"
    return Plan(dropped, skipped, {})
