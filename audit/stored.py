"""What came of events in the store, held against the fold: outcomes, registrations, capture batches."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from audit.differences import plain
from audit.look import Look, event
from audit.outcomes import Source
from audit.receipts import Batch, receipt
from audit.records import Version
from audit.source import Store
from shared.contracts.topics import Topic

Document = Mapping[str, Any]


class Outcomes:
    """Where the outcome of each event is stored: once, as the fold has it."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._seen: set[Source] = set()

    def take(self, where: str, source: Source, told: Mapping[str, Any]) -> bool:
        """Note a stored outcome; whether it is of an event that was read."""
        report, expected = self._look.report, self._look.judged.outcomes.get(source)
        if not self._was_read(source):
            return False
        report.look("outcomes")
        if source in self._seen:
            report.break_("outcomes", where, f"{event(source)}: a second outcome")
        self._seen.add(source)
        if expected is None:
            report.break_("outcomes", where, f"{event(source)}: an outcome of nothing")
            return True
        wanted = {
            "outcome": expected.outcome,
            "reason": expected.reason,
            "event_source": expected.event_source,
            "event_id": expected.event_id,
            "last_offset": expected.last_offset,
        }
        rejected = self._look.judged.rejected.get(source)
        if rejected is not None:
            wanted |= {name: rejected[name] for name in ("registration_id", "errors", "errors_total")}
        for name, value in wanted.items():
            if told.get(name) != value:
                words = name in ("outcome", "reason", "last_offset")
                what = f"{name} is {told.get(name)} for {value}" if words else f"another {name}"
                report.break_("outcomes", where, f"{event(source)}: {what}")
        return True

    def finish(self) -> None:
        """Say which events have none."""
        look = self._look
        for source, outcome in look.judged.outcomes.items():
            if source not in self._seen:
                due = source[1] < look.settled.kept("registration", source[0])
                what = f"no outcome is stored for {outcome.outcome}"
                look.report.miss("outcomes", event(source), what, due=due)

    def _was_read(self, source: Source) -> bool:
        """Whether an offset lies below the end that was read; the services may go on meanwhile."""
        span = self._look.spans[Topic.EVENTS].get(source[0])
        return span is None or source[1] < span.end


async def check_outcomes(look: Look, store: Store) -> frozenset[str]:
    """`outcomes`, `registrations` and `capture_batches`; answers the batches whose receipt is owed."""
    outcomes = Outcomes(look)
    async for document in store.documents("outcomes"):
        partition, _, offset = str(document["_id"]).partition("/")
        if not (partition.isdecimal() and offset.isdecimal()):
            look.report.break_("outcomes", f"outcomes/{document['_id']}", "no place of an event")
            continue
        outcomes.take(f"outcomes/{document['_id']}", (int(partition), int(offset)), document)
    await _registrations(look, store, outcomes)
    owed = await _capture_batches(look, store, outcomes)
    outcomes.finish()
    return owed


def _accepted(look: Look, entry: Document) -> Mapping[str, Any]:
    names = ("event_source", "event_id")
    return {"outcome": "accepted", "reason": None, **{name: entry.get(name) for name in names}}


async def _registrations(look: Look, store: Store, outcomes: Outcomes) -> None:
    seen: set[str] = set()
    async for document in store.documents("registrations"):
        name = str(document["_id"])
        where = f"registrations/{name}"
        look.report.look("registrations")
        _one_effect(look, where, document["history"])
        read = [
            (each["partition"], each["offset"])
            for each in document["history"]
            if outcomes.take(where, (each["partition"], each["offset"]), _accepted(look, each))
        ]
        versions = look.judged.registrations.get(name)
        if not versions:
            if read:
                look.report.break_("registrations", where, "it was never accepted")
            continue
        seen.add(name)
        known = [(each.partition, each.offset) for each in versions]
        kept = look.settled.kept("registration", versions[0].partition)
        if read != known:
            late = read == known[: len(read)] and all(offset >= kept for _, offset in known[len(read) :])
            look.report.miss("registrations", where, "another history", due=not late)
        elif len(read) == len(document["history"]):
            for member in _wrong_members(document, versions):
                look.report.break_("registrations", where, f"another {member}")
    for name, versions in look.judged.registrations.items():
        if name not in seen and versions:
            due = versions[0].offset < look.settled.kept("registration", versions[0].partition)
            look.report.miss("registrations", f"registration {name}", "not stored", due=due)


def _one_effect(look: Look, where: str, entries: Iterable[Document]) -> None:
    known: set[tuple[Any, Any]] = set()
    for entry in entries:
        look.report.look("one_effect")
        name = entry.get("event_source"), entry.get("event_id")
        if name in known:
            look.report.break_("one_effect", where, f"event {entry.get('event_id')} had an effect twice")
        known.add(name)


def _wrong_members(document: Document, versions: list[Version]) -> list[str]:
    """Members of a registration that are not those of its last version, or of the last with a voter."""
    last = json.loads(versions[-1].sent)
    wanted = {
        name: last.get(name)
        for name in (
            *("revision", "status", "digest", "epoch", "capture", "first_accepted_at"),
            "removal_reason",
        )
    }
    captured = next((each for each in reversed(versions) if each.voter is not None), None)
    found: dict[str, Any] = {name: document.get(name) for name in wanted}
    if captured is not None:
        then = json.loads(captured.sent)
        wanted |= {
            "voter": {name: each for name, each in then["voter"].items() if name != "normalised"},
            "residence": {**then["residence"], "village_code": captured.place},
            "polling_station": then.get("polling_station"),
        }
        voter = document.get("voter") or {}
        found |= {
            "voter": {name: each for name, each in voter.items() if name != "normalised"},
            "residence": document.get("residence"),
            "polling_station": document.get("polling_station"),
        }
    return [name for name, value in wanted.items() if plain(found[name]) != value]


async def _capture_batches(look: Look, store: Store, outcomes: Outcomes) -> frozenset[str]:
    owed: set[str] = set()
    seen: set[str] = set()
    late = not all(
        look.settled.kept("registration", number) >= span.end
        for number, span in look.spans[Topic.EVENTS].items()
    )
    async for document in store.documents("capture_batches"):
        name = str(document["_id"])
        where = f"capture_batches/{name}"
        look.report.look("capture_batches")
        seen.add(name)
        _one_effect(look, where, document["closes"])
        for close in document["closes"]:
            outcomes.take(where, (close["partition"], close["offset"]), _accepted(look, close))
        if document.get("owed"):
            owed.add(name)
        wanted = _batch(look, name)
        if wanted is None:
            look.report.miss("capture_batches", where, "nothing names it", due=not late)
            continue
        for member, value in wanted.items():
            if plain(document.get(member)) != value:
                look.report.miss("capture_batches", where, f"another {member}", due=not late)
    for device, batch in {*look.judged.batches, *look.judged.closes} - {
        (device, batch) for device, _, batch in (name.partition("/") for name in seen)
    }:
        look.report.miss("capture_batches", f"batch {device}/{batch}", "not stored", due=not late)
    return frozenset(owed)


def _batch(look: Look, name: str) -> dict[str, Any] | None:
    device, _, batch = name.partition("/")
    closes = look.judged.closes.get((device, batch), [])
    arrived = look.judged.batches.get((device, batch))
    if not closes and arrived is None:
        return None
    arrived = arrived or Batch()
    full = arrived.overfull
    wanted: dict[str, Any] = {
        "overfull": full,
        "received": [] if full else sorted(arrived.outcomes),
        "rejected": []
        if full
        else sorted(n for n, outcomes in arrived.outcomes.items() if outcomes == {"rejected"}),
        "office": None,
        "first": None,
        "last": None,
        "count": None,
        "complete": False,
    }
    if closes:
        close = closes[-1].data
        told = receipt(close, arrived)
        wanted |= {
            "office": close.office,
            "first": close.first_sequence,
            "last": close.last_sequence,
            "count": close.count,
            **{member: told[member] for member in ("missing_count", "missing", "complete")},
        }
    return wanted


async def check_progress(look: Look, documents: Iterable[Document]) -> None:
    """`progress`: nobody has settled more than there is, and the store belongs to these topics."""
    for document in documents:
        _, _, rest = str(document["_id"]).partition("/")
        topic, _, number = rest.rpartition("/")
        where = f"progress/{document['_id']}"
        spans = look.spans.get(Topic(topic)) if topic in set(Topic) else None
        span = spans.get(int(number)) if spans is not None and number.isdecimal() else None
        if span is None:
            continue
        look.report.look("progress")
        if document["next_offset"] > span.end:
            what = f"settled up to {document['next_offset']}, and the partition ends at {span.end}"
            look.report.break_("progress", where, what)
