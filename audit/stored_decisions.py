"""What commands came to in the store, held against the fold: verdicts, versions of rolls, conflicts."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from audit.conflicts import expected_conflicts
from audit.differences import plain
from audit.history import Verdict
from audit.log import SeenClaim
from audit.look import Look
from audit.messages import FINALISED
from audit.outcomes import Source
from audit.records import Version, timestamp_text
from audit.roll import Published, Rolls
from audit.sent import Arrived
from audit.source import Store
from shared.contracts.topics import Topic

FINAL = ("effective", "withdrawn", "returned", "expired")
"""Verdicts that no later message changes."""

MOST_NAMES = 1000
"""Whom a refused `finalised` names at most."""


async def check_commands(look: Look, store: Store) -> None:
    """`commands`: the verdict of each message with a name, as of the last message that changed it."""
    stored = {str(each["_id"]): each async for each in store.documents("commands")}
    newest = max((each.get("as_of", -1) for each in stored.values()), default=-1)
    end = max((span.end for span in look.spans[Topic.COMMANDS].values()), default=0)
    for name in sorted(look.history.verdicts.keys() | stored.keys()):
        expected, document = look.history.verdicts.get(name), stored.get(name)
        where = f"commands/{name}"
        look.report.look("commands")
        if expected is None:
            moved = document is not None and document.get("offset", -1) >= end
            look.report.miss("commands", where, "nobody sent it", due=not moved)
            continue
        if document is None:
            look.report.miss("commands", where, "not stored", due=expected.as_of <= newest)
            continue
        moved = document.get("as_of", -1) >= end
        for member, value in told_of(expected).items():
            if _names(plain(document.get(member))) != value:
                # The publisher's own verdict on a `finalised` comes after the fold's.
                waits = expected.command_type == FINALISED and document.get("verdict") == "open"
                final = document.get("verdict") in FINAL and document["verdict"] != expected.verdict
                due = not moved and not waits and (final or expected.as_of <= newest)
                words = member in ("verdict", "reason", "command_offset")
                what = f"{member} is {document.get(member)} for {value}" if words else f"another {member}"
                look.report.miss("commands", where, what, due=due)


def told_of(verdict: Verdict) -> dict[str, Any]:
    """What is stored of a command."""
    told: dict[str, Any] = {
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "command_offset": verdict.command_offset,
    }
    if verdict.signed:
        told |= {
            "proposed_by": verdict.proposed_by,
            "proposed_at": _time(verdict.proposed_at),
            "approved_by": verdict.approved_by,
            "superseded_by": verdict.superseded_by,
            "names": _names(plain(verdict.names)),
        }
    if verdict.settled_by is not None:  # by another message; of what settles itself the contract says nothing
        told |= {"settled_by": verdict.settled_by, "settled_at": _time(verdict.settled_at)}
    return told


async def published_versions(store: Store) -> frozenset[str]:
    """The versions that the store calls published."""
    return frozenset(
        [str(each["_id"]) async for each in store.documents("rolls") if each.get("state") == "published"]
    )


async def check_rolls(look: Look, store: Store, rolls: Rolls) -> None:
    """`rolls`: every version that took effect."""
    expected = {
        f"{roll}/{version.number}": version
        for roll, versions in rolls.versions.items()
        for version in versions
    }
    stored = {str(each["_id"]): each async for each in store.documents("rolls")}
    for name in sorted(expected.keys() | stored.keys()):
        look.report.look("rolls")
        where, document, version = f"rolls/{name}", stored.get(name), expected.get(name)
        if document is not None and document.get("state") == "judging":
            look.report.wait("rolls", where, "it is being judged")
        elif version is None:
            look.report.break_("rolls", where, "no finalised made it")
        elif document is None:
            later = any(
                its.request.offset > version.request.offset
                for other, its in expected.items()
                if stored.get(other, {}).get("state") == "published"
            )
            look.report.miss("rolls", where, "not stored", due=later)
        else:
            _roll(look, where, document, name, version, rolls)


def _roll(
    look: Look, where: str, document: Mapping[str, Any], name: str, version: Published, rolls: Rolls
) -> None:
    data = version.request.data
    wanted: dict[str, Any] = {
        "roll": data.roll,
        "version": version.number,
        "kind": data.kind,
        "epoch": data.epoch,
        "command_id": version.request.ce_id,
        "command_offset": version.request.offset,
        "election": dict(data.election),
        "undecided": data.undecided,
    }
    if document.get("state") != "published":
        look.report.wait("rolls", where, "it is being published")
    else:
        head = json.loads(rolls.manifests[name])["manifest"]
        wanted |= {member: head[member] for member in ("stations", "entries", "excluded", "roll_root")}
    for member, value in wanted.items():
        if plain(document.get(member)) != value:
            look.report.break_("rolls", where, f"another {member}")


async def check_conflicts(
    look: Look, store: Store, claims: Iterable[SeenClaim], rolls: Rolls, accepted: Arrived
) -> None:
    """`conflicts`; `accepted` says where each version lies on the accepted topic."""
    published = await published_versions(store)
    finalised = max(
        (
            version.request.data.epoch
            for roll, versions in rolls.versions.items()
            for version in versions
            if f"{roll}/{version.number}" in published
        ),
        default=0,
    )
    expected = expected_conflicts(look.history, look.judged, claims, finalised, accepted.times)
    seen: set[str] = set()
    followed = -1
    async for document in store.documents("conflicts"):
        name, as_of = str(document["_id"]), document.get("as_of") or {}
        where = f"conflicts/{name}"
        seen.add(name)
        look.report.look("conflicts")
        followed = max(followed, as_of.get("command_offset", -1))
        wanted = expected.get(name)
        if wanted is None:
            due = as_of.get("command_offset", -1) < _end(look, Topic.COMMANDS)
            look.report.miss("conflicts", where, "neither a claim nor a decision made it", due=due)
            continue
        settled = all(_settled(look, each, accepted.versions) for each in wanted.needs)
        known = as_of.get("command_offset") == wanted.command_offset and as_of.get("finalised") == finalised
        decision = document.get("decision") or {}
        found = {
            **document,
            "pair": [
                {member: each.get(member) for member in ("registration_id", "digest")}
                for each in document.get("pair", ())
            ],
            "decided_by": decision.get("command_id"),
        }
        for member, value in wanted.facts.items():
            if plain(found.get(member)) != value:
                words = member == "status"
                what = f"{member} is {found.get(member)} for {value}" if words else f"another {member}"
                look.report.miss("conflicts", where, what, due=settled and known)
    for name in expected.keys() - seen:
        wanted = expected[name]
        settled = all(_settled(look, each, accepted.versions) for each in wanted.needs)
        claimed = wanted.facts["class"] != "reported"
        due = settled and (claimed or wanted.command_offset < followed)
        look.report.miss("conflicts", f"conflict {name}", "not stored", due=due)


def _end(look: Look, topic: Topic) -> int:
    return max((span.end for span in look.spans[topic].values()), default=0)


def _settled(look: Look, version: Version, arrived: Mapping[Source, int]) -> bool:
    """Whether dedup's store has the effects of a version."""
    at = arrived.get((version.partition, version.offset))
    return at is not None and at < look.settled.kept("dedup", version.partition)


def _names(value: Any) -> Any:
    """The first of very many names, more are not stored; where there are none it may be an empty list."""
    return (value[:MOST_NAMES] or None) if isinstance(value, list) else value


def _time(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else timestamp_text(milliseconds)
