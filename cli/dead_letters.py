"""What the dlq commands choose, show, ask and do."""

import json
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from cli import asking
from cli.app import run, settings
from cli.proposing import signer_of
from client import replay
from client.dead_letters import FACTS, Letter, Source, read_letters
from client.letter_states import STATES, Plan, States, plan_drop, plan_replay, state_of, states_of
from client.operations import Operations, read_operations
from client.output import echo, fail, progress, show, table, to_json, warn
from client.replay import Done, NotReplayed
from shared.operations.actor import Actor
from shared.operations.trail import Keys

MOST_NAMED = 10
"""Letters that a preview names one by one."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which letters a command is about."""

    places: Sequence[str]
    reason: str
    partition: int | None
    service: str
    since: datetime | None
    until: datetime | None
    state: str

    @classmethod
    def by(
        cls,
        places: Sequence[str],
        reason: str,
        partition: int | None,
        service: str,
        since: str,
        until: str,
        state: str = "",
        *,
        everything: bool = False,
    ) -> "Chosen":
        """From the options; ends the command where they do not say which letters."""
        filtered = bool(reason or service or since or until) or partition is not None
        if state not in ("", "all", *STATES):
            fail(f"--state is one of all, {', '.join(STATES)}")
        if not state and [bool(places), filtered, everything].count(True) != 1:
            fail("say which letters: PARTITION/OFFSET, one or more, or options such as --reason, or --all")
        return cls(places, reason, partition, service, _time(since), _time(until), state)

    def wants(self, letter: Letter) -> bool:
        """Whether a letter is meant, whatever its state."""
        if self.places:
            return letter.place in self.places
        facts = letter.facts
        return (
            (not self.reason or facts["reason"] == self.reason)
            and (self.partition is None or letter.source[0] == self.partition)
            and (not self.service or facts["service"] == self.service)
            and (self.since is None or _read_time(facts["time"]) >= self.since)
            and (self.until is None or _read_time(facts["time"]) < self.until)
        )


def _time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text} is no time: write 2026-11-02, or 2026-11-02T08:00:00+07:00")
    return moment.astimezone(UTC)


def _read_time(text: str) -> datetime:
    """When a letter was written; a stranger's letter may say anything."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Desk:
    """All letters, and what the trail says of them."""

    letters: list[Letter]
    operations: Operations
    states: States


async def _read(whole: Callable[[Letter], bool]) -> Desk:
    current = settings()
    operations = await read_operations(current)
    return Desk(await read_letters(current, whole), operations, states_of(operations.trail))


def show_letters(chosen: Chosen, limit: int | None, as_json: bool) -> None:
    """`dlq list`."""
    desk = run(_read(lambda _letter: False))
    if desk.operations.unchecked:
        warn(f"what people did with them is not known here: {desk.operations.unchecked}")
    wanted = [
        each
        for each in desk.letters
        if chosen.wants(each) and chosen.state in ("all", state_of(desk.states, each).state)
    ]
    shown = wanted[-limit if limit else None :]
    known = {each.source for each in desk.letters}
    rows = [_told(each, desk.states, known) for each in shown]
    if as_json:
        echo(to_json(rows))
        return
    columns = ("place", "state", "reason", "detail", "time")
    echo(table("Dead letters", columns, [[row[name] or "" for name in columns] for row in rows]))
    if len(wanted) > len(shown):
        echo(f"… and {len(wanted) - len(shown)} before them: choose with --limit, --reason, --partition")


def _told(letter: Letter, states: States, known: set[Source]) -> dict[str, Any]:
    state = state_of(states, letter)
    back = None if state.sent_to is None else (letter.source[0], state.sent_to)
    return {
        "place": letter.place,
        "state": state.state,
        **letter.facts,
        "why_not": letter.why_not,
        "because": state.reason,
        "sent_to": None if back is None else f"{back[0]}/{back[1]}",
        "came_back": back in known,
    }


def show_one(place: str, as_json: bool) -> None:
    """`dlq show`."""
    for letter in run(read_letters(settings(), lambda letter: letter.place == place)):
        if letter.place == place:
            value = {"place": place, **letter.facts, "why_not": letter.why_not, **letter.original()}
            text = [f"{name:11} {letter.facts[name]}" for name in FACTS if letter.facts[name]]
            if letter.why_not:
                text.append(f"It cannot be replayed: {letter.why_not}.")
            text.append(json.dumps(letter.original(), ensure_ascii=False, indent=1))
            show(value, as_json=as_json, text="\n".join(text))
            return
    _not_there(place)


def replay_chosen(
    chosen: Chosen, officer: str, key: Path, because: str, out_of_order: bool, yes: bool, as_json: bool
) -> None:
    """`dlq replay`."""
    actor, keys, desk, sources = _ready(chosen, officer, key, because)
    plan = plan_replay(desk.letters, desk.states, sources, named=bool(chosen.places))
    _preview("Replay", plan, as_json)
    if plan.early and not out_of_order:
        some = [f"{place} (open: {before})" for place, before in list(plan.early.items())[:MOST_NAMED]]
        fail(
            f"nothing was sent: before {len(plan.early)} of them another of their key is still open: "
            f"{', '.join(some)}. Replay or drop those, or add --out-of-order."
        )
    _agree(plan, "sent", f"Send {len(plan.letters)} again as {officer}?", yes)
    sent = _do(
        "Sending", plan, lambda done: replay.replay(settings(), keys, actor, plan.letters, because, done)
    )
    text = f"Sent {len(sent)} again; `rollstream dlq list` shows in a moment which came back."
    show({"sent": sent, "skipped": plan.skipped}, as_json=as_json, text=text)


def drop_chosen(chosen: Chosen, officer: str, key: Path, because: str, yes: bool, as_json: bool) -> None:
    """`dlq drop`."""
    actor, keys, desk, sources = _ready(chosen, officer, key, because)
    plan = plan_drop(desk.letters, desk.states, sources)
    _preview("Drop", plan, as_json)
    _agree(plan, "dropped", f"Leave {len(plan.letters)} as they are, as {officer}?", yes)
    dropped = _do(
        "Dropping", plan, lambda done: replay.drop(settings(), keys, actor, plan.letters, because, done)
    )
    text = f"Dropped {len(dropped)}. Their letters, events and outcomes stay where they are."
    show({"dropped": dropped, "skipped": plan.skipped}, as_json=as_json, text=text)


def _ready(chosen: Chosen, officer: str, key: Path, because: str) -> tuple[Actor, Keys, Desk, set[Source]]:
    """Who acts, and on what; ends the command where either cannot be."""
    if not because.strip() or len(because) > 1000:
        fail("--because says why, in 1 to 1,000 characters")
    signer = signer_of(officer, key)
    actor = Actor(signer.name, signer.key)
    desk = run(_read(chosen.wants))
    keys = desk.operations.keys
    if keys is None:
        fail(f"nothing was done: what others did cannot be checked here. {desk.operations.unchecked}")
    try:
        replay.require_officer(keys, actor)
    except NotReplayed as error:
        fail(f"nothing was done: {error}")
    sources = {each.source for each in desk.letters if chosen.wants(each)}
    for place in set(chosen.places) - {"/".join(map(str, each)) for each in sources}:
        _not_there(place)
    if not sources:
        fail("no dead letter is meant: `rollstream dlq list` shows which there are")
    return actor, keys, desk, sources


def _preview(what: str, plan: Plan, as_json: bool) -> None:
    if as_json:
        return
    counts = Counter(each.facts["reason"] for each in plan.letters)
    told = ", ".join(f"{count} {reason}" for reason, count in counts.most_common()) or "none"
    echo(f"{what}: {told}", err=True)
    for why, count in Counter(plan.skipped.values()).most_common():
        places = [place for place, each in plan.skipped.items() if each == why]
        more = ", …" if count > MOST_NAMED else ""
        echo(f"Not {count}: {why} ({', '.join(places[:MOST_NAMED])}{more})", err=True)


def _agree(plan: Plan, done: str, question: str, yes: bool) -> None:
    if not plan.letters or yes:
        return
    if not asking.someone_there():
        fail(f"nothing was {done}: there is no terminal to ask on. If it is right, add --yes.")
    if not asking.agrees(question):
        fail(f"nothing was {done}.")


def _do(what: str, plan: Plan, work: Callable[[Done], Coroutine[Any, Any, Any]]) -> Any:
    """What the work answers, with a bar where somebody looks; nothing where nothing is to be done."""
    with progress(shown=len(plan.letters) > MOST_NAMED) as bars:
        bar = bars.add(what, len(plan.letters))
        try:
            return run(work(bar.advance)) if plan.letters else {}
        except NotReplayed as error:
            fail(f"not all was done: {error}")


def _not_there(place: str) -> NoReturn:
    fail(f"no dead letter {place}: `rollstream dlq list` shows which there are")
