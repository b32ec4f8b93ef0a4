"""How people see what `rollstream find` found."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from client.describe import SHORT
from client.find import Match
from client.output import echo, table

MANY = 20
"""Rows of a table that people are shown; `--json` has them all."""

_TABLES: Mapping[str, tuple[str, Sequence[str]]] = {
    "versions": ("Versions", ("place", "type", "revision", "status", "epoch", "digest", "event_id")),
    "others": ("Events about it that were not accepted", ("place", "outcome", "reason", "event_id")),
    "claims": ("Claims", ("claim_id", "other", "status", "class", "probability", "decision")),
    "decisions": (
        "Decisions",
        ("command_id", "what", "keep", "verdict", "proposed_by", "approved_by", "why"),
    ),
    "lists": ("Lists, newest version of each roll", ("roll", "version", "kind", "station", "serial", "note")),
    "closes": ("Closes", ("place", "event_id", "office", "first", "last", "count", "closed_at")),
    "errors": ("Errors", ("path", "rule")),
}
"""Lists among the facts: title and columns."""

_UNSAID = ("arrivals", "history", "received", "source", "as_of", "stage", "partition", "value_sha256")
"""What helps nobody who reads; `--json` has it."""


def show_found(found: Sequence[Match]) -> None:
    """Each match with its facts, and the lists among them as tables."""
    for match in found:
        echo(typer.style(f"{match.kind} {told(match.id)}", bold=True))
        plain = [(name, value) for name, value in match.facts.items() if _is_told(name, value)]
        for name, value in plain:
            echo(f"  {name.replace('_', ' ')}: {told(value)}")
        echo()
        for name, (title, columns) in _TABLES.items():
            if rows := match.facts.get(name):
                shown = [tuple(_cell(name, row, column) for column in columns) for row in rows[:MANY]]
                echo(table(title, [each.replace("_", " ") for each in columns], shown))
                if len(rows) > MANY:
                    echo(f"… and {len(rows) - MANY} more; --json has all\n")


def show_incomplete(found: Sequence[Mapping[str, Any]]) -> None:
    """Batches by office and device."""
    ordered = sorted(found, key=lambda each: (each["office"] or "", each["device"], each["batch"]))
    rows = [
        (each["office"] or "", each["device"], each["batch"], each["count"], _lacking(each))
        for each in ordered
    ]
    echo(table("Incomplete batches", ("office", "device", "batch", "count", "missing"), rows))


def told(value: Any) -> str:
    """A value in words."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case {"registration_id": registration_id, "digest": digest}:
            return f"{registration_id} ({str(digest)[:SHORT]})"
        case {"decision": decision, "keep": keep}:
            return f"{decision}, keeps {keep}" if keep else str(decision)
        case dict():
            return ", ".join(f"{name} {told(each)}" for name, each in value.items() if each is not None)
        case [[int(), int()], *_]:
            return ", ".join(map(_range, value))
        case list():
            return "; ".join(map(told, value))
        case _:
            # On one line: an id with a line end must not look like a fact of its own.
            return str(value).replace("\n", "\ufffd")


def _is_told(name: str, value: Any) -> bool:
    return name not in _TABLES and name not in _UNSAID and value not in (None, [], {})


def _cell(name: str, row: Mapping[str, Any], column: str) -> str:
    if name == "decisions":
        return _of_decision(row, column)
    if name == "lists" and column == "note":
        return _of_list(row)
    if name == "closes" and column == "place":
        return f"{row['partition']}/{row['offset']}"
    if name == "closes" and column in ("first", "last"):
        return str(row[f"{column}_sequence"])
    value = row.get(column)
    if column in ("digest", "claim_id"):
        return str(value)[:SHORT]
    if column == "type":
        return str(value).removesuffix(".v1").rsplit(".", 1)[-1]
    return "" if value is None else told(value)


def _of_decision(row: Mapping[str, Any], column: str) -> str:
    data: dict[str, Any] = row.get("data") or {}
    match column:
        case "command_id":
            return str(row["command_id"])[:SHORT]
        case "what":
            return str(data.get("decision") or "reversed")
        case "keep":
            return str(data.get("keep") or "")
        case "why":
            return str(data.get("reason") or "")
        case "verdict":
            return " ".join(_verdict(row))
        case _:
            return str(row.get(column) or "")


def _verdict(row: Mapping[str, Any]) -> Iterator[str]:
    yield str(row["verdict"])
    if row.get("reason"):
        yield f"({row['reason']})"
    if row.get("superseded_by"):
        yield f"until {str(row['superseded_by'])[:SHORT]}"


def _of_list(row: Mapping[str, Any]) -> str:
    if removed := row.get("removed"):
        return f"removed: {removed['reason']}" + (f", by {removed['by']}" if removed["by"] else "")
    return "" if row["station"] else "on no list"


def _lacking(batch: Mapping[str, Any]) -> str:
    if batch.get("overfull"):
        return "overfull: nothing more of it is kept"
    missing = batch.get("missing") or []
    ranges = ", ".join(map(_range, missing[:5])) + (", …" if len(missing) > 5 else "")
    return f"{batch.get('missing_count') or len(missing)}: {ranges}"


def _range(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    first, last = value
    return str(first) if first == last else f"{first}–{last}"
