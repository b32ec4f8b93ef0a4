"""What an officer is about to sign: the proposal in words, and what it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from cli import show_people
from client.already import already, differ_in_communes, is_expired, is_open, pair_key
from client.describe import EXPIRED, OTHER_COMMUNES, SHORT, describe, ruling, what
from client.differences import differences
from client.officers_list import deadlock, idle_roles
from client.output import table, wrapped
from client.people import Names
from shared.commands.state import State, Verdict
from shared.contracts.commands import CommandType
from shared.contracts.timestamps import rfc3339
from shared.reference.files import MissingReference, ReferenceStore
from shared.reference.officers import parse_officers

if TYPE_CHECKING:
    from client.review import Question


def heading(verdict: Verdict) -> str:
    """A proposal in two lines: what it would do, whose it is, since when, and why."""
    told = f"{what(verdict.command_type)}: {describe(verdict.command_type, verdict.data)}"
    why = (verdict.data or {}).get("reason")
    by = f"proposed by {verdict.proposed_by} on {rfc3339(verdict.timestamp)[:10]} ({verdict.ce_id[:SHORT]})"
    return f"{wrapped(told, bold=True)}\n{wrapped(f'{by}: {why}' if why else by)}"


def question(asked: Question, place: Names) -> str:
    """A pair with all that deciding on it needs."""
    parts = []
    if asked.conflict is not None:
        parts.append(show_people.conflict_line(asked.conflict))
    parts.append(show_people.people(asked.sides[0], asked.sides[1], place))
    if asked.conflict is not None and asked.conflict.get("evidence"):
        parts.append(show_people.evidence(asked.conflict["evidence"]))
    if asked.earlier:
        parts.append(earlier(asked))
    parts += [wrapped(f"Note: {each}") for each in show_people.stale(asked.sides)]
    return "\n".join(parts)


def earlier(asked: Question) -> str:
    """What was said of the two before, the oldest first."""
    by_id = {each.ce_id: each for each in asked.earlier}
    rows = [
        (
            each.ce_id[:SHORT],
            ruling(each.command_type, each.data or {}),
            outcome(each, by_id.get(each.superseded_by or "")),
            (each.data or {}).get("reason", ""),
            f"{each.proposed_by}, {each.approved_by}" if each.approved_by else each.proposed_by,
            "" if pair_key(each.data) == asked.key else "other versions",
        )
        for each in asked.earlier
    ]
    return table("Decisions so far", ("command", "what", "verdict", "why", "by", "on"), rows)


def outcome(verdict: Verdict, later: Verdict | None = None) -> str:
    """A verdict in a few words; `later` is what superseded it, if that is known."""
    if is_open(verdict):
        return "waits for approval"
    if is_expired(verdict):
        return EXPIRED
    if verdict.superseded_by:
        until = f"until {verdict.superseded_by[:SHORT]}"
        odd = later is not None and differ_in_communes(verdict.data, later.data)
        return f"{until}, {OTHER_COMMUNES}" if odd else until
    return f"{verdict.verdict} ({verdict.reason})" if verdict.reason else verdict.verdict


def adoption(state: State, data: Mapping[str, Any], store: ReferenceStore) -> tuple[list[str], list[str]]:
    """What an adopted file changes of the one in force, and what to be warned of."""
    kind, sha256 = data["kind"], data["sha256"]
    in_force = state.reference_at(kind, state.next_offset)
    try:
        new = store.read(kind, sha256)
    except MissingReference:
        unseen = (
            "you approve a file that is not in your ROLLSTREAM_REFERENCE_DIR: look at it before it counts"
        )
        return [], [unseen]
    warnings = []
    try:
        old = store.read(kind, in_force) if in_force else None
    except MissingReference:
        old = None
        warnings.append(f"the {kind} in force is not in your reference folder: the new one is shown alone")
    try:
        changes = differences(kind, old, new)
        if kind == "officers":
            warnings += _of_officers(new)
    except ValueError as error:
        return [], [*warnings, f"the file breaks its own rules and would be refused: {error}"]
    return changes, warnings


def _of_officers(raw: bytes) -> Iterator[str]:
    officers = list(parse_officers(raw).values())
    if why := deadlock(officers):
        yield why
    if idle := ", ".join(idle_roles(officers)):
        yield f"with this list nobody can do the work of {idle}"


def changes_shown(kind: str, changes: Sequence[str]) -> str:
    """The changes, one a line."""
    title = typer.style(f"What changes of the {kind.replace('_', ' ')} in force", bold=True)
    return "\n".join([title, *(wrapped(f"- {each}") for each in changes)])


def warnings_of(state: State, verdict: Verdict) -> list[str]:
    """What is decided or proposed already on the same."""
    return already(state, verdict.command_type, verdict.data or {}, verdict.ce_id)


def is_on_pair(verdict: Verdict) -> bool:
    """Whether a proposal is about two people."""
    return verdict.command_type in (CommandType.DECIDED, CommandType.REVERSED)
