"""Holds what the services stored and published against what the log means."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from audit.differences import first_difference
from audit.history import Verdict
from audit.log import PassedOn, Topics
from audit.model import Result
from audit.outcomes import Source
from audit.records import timestamp_text
from audit.verifier import published

StoreDump = Mapping[str, Sequence[Mapping[str, Any]]]
"""Collection to its documents: `registrations`, `outcomes`, `capture_batches`, `commands`."""


def compare(result: Result, store: StoreDump, topics: Topics) -> list[str]:
    """Every difference in words, none where the services did what the log says."""
    counts = dict(published(topics.manifests, topics.lists, result.public_keys))
    return [
        *result.claim_faults,
        *_outcomes(result, store),
        *_registrations(result, store),
        *_commands(result, store),
        *_sent("accepted", result.accepted, topics.accepted),
        *_sent("rejected", result.rejected, topics.rejected),
        *_by_key("receipt", result.receipts, {key: sent[-1] for key, sent in topics.receipts.items()}),
        *_by_key("list", result.lists, {key: counts[key] for key in topics.lists if key in counts}),
        *_by_key(
            "manifest", result.manifests, {key: counts[key] for key in topics.manifests if key in counts}
        ),
        *_markers(result.markers, topics.markers),
    ]


def stored_outcomes(store: StoreDump) -> Iterator[tuple[Source, str, str | None]]:
    """Every outcome that is stored, wherever: its offset, the outcome, the reason."""
    for document in store.get("outcomes", ()):
        partition, _, offset = str(document["_id"]).partition("/")
        yield (int(partition), int(offset)), document["outcome"], document.get("reason")
    for document in store.get("registrations", ()):
        for version in document["history"]:
            yield (version["partition"], version["offset"]), "accepted", None
    for document in store.get("capture_batches", ()):
        for close in document.get("closes", ()):
            yield (close["partition"], close["offset"]), "accepted", None


def _outcomes(result: Result, store: StoreDump) -> Iterator[str]:
    found = list(stored_outcomes(store))
    for source, times in Counter(source for source, _, _ in found).items():
        if times > 1:
            yield f"event {_at(source)}: {times} outcomes are stored"
    stored = {source: (outcome, reason) for source, outcome, reason in found}
    for source in sorted(result.outcomes.keys() | stored.keys()):
        expected = result.outcomes.get(source)
        told = (expected.outcome, expected.reason) if expected else None
        if told != stored.get(source):
            yield f"event {_at(source)}: {_told(stored.get(source))} for {_told(told)}"
    for document in store.get("outcomes", ()):
        partition, _, offset = str(document["_id"]).partition("/")
        expected = result.outcomes.get((int(partition), int(offset)))
        ids = (document.get("event_source"), document.get("event_id"))
        if expected and ids != (expected.event_source, expected.event_id):
            yield f"event {document['_id']}: stored with another source or id"
        if expected and document.get("last_offset") != expected.last_offset:
            yield f"event {document['_id']}: stored with another last offset"
        rejected = json.loads(result.rejected.get((int(partition), int(offset)), b"{}"))
        for name in ("errors", "errors_total"):
            if rejected and document.get(name) != rejected[name]:
                yield f"event {document['_id']}: stored with other {name}"


def _registrations(result: Result, store: StoreDump) -> Iterator[str]:
    stored = {document["_id"]: document for document in store.get("registrations", ())}
    for registration_id in sorted(result.judged.registrations.keys() | stored.keys()):
        versions = result.judged.registrations.get(registration_id)
        document = stored.get(registration_id)
        if not versions or document is None:
            yield f"registration {registration_id}: {'not stored' if document is None else 'never accepted'}"
            continue
        history = [(version["partition"], version["offset"]) for version in document["history"]]
        if history != [(version.partition, version.offset) for version in versions]:
            yield f"registration {registration_id}: another history"
        last = versions[-1].record
        for name in ("revision", "status", "digest"):
            if document[name] != getattr(last, name):
                yield f"registration {registration_id}: {name} is {document[name]}"


def _commands(result: Result, store: StoreDump) -> Iterator[str]:
    stored = {document["_id"]: document for document in store.get("commands", ())}
    for ce_id in sorted(result.verdicts.keys() | stored.keys()):
        expected, document = result.verdicts.get(ce_id), stored.get(ce_id)
        told = told_of(expected) if expected else None
        found = {name: document.get(name) for name in told or {"verdict": None}} if document else None
        if told is None or found is None:
            yield f"command {ce_id}: {_verdict(found)} for {_verdict(told)}"
            continue
        for name, value in told.items():
            if _plain(found[name]) != value:
                yield f"command {ce_id}: {name} is {found[name]} for {value} ({_verdict(told)})"


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
            "names": _plain(verdict.names) or None,
        }
    if verdict.settled_by is not None:  # by another message; of what settles itself the contract says nothing
        told |= {"settled_by": verdict.settled_by, "settled_at": _time(verdict.settled_at)}
    return told


def _time(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else timestamp_text(milliseconds)


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value)) or None if isinstance(value, list | tuple) else value


def _verdict(told: Mapping[str, Any] | None) -> str:
    names = ("verdict", "reason", "command_offset")
    return _told(None if told is None else tuple(told.get(name) for name in names))


def _markers(expected: Mapping[Source, PassedOn], sent: Mapping[int, Sequence[PassedOn]]) -> Iterator[str]:
    """Those that ended an epoch were passed on unchanged in their order, perhaps more than once."""
    for partition in sorted({number for number, _ in expected} | sent.keys()):
        due = [marker for (number, _), marker in sorted(expected.items()) if number == partition]
        if list(dict.fromkeys(sent.get(partition, ()))) != due:
            yield f"markers of partition {partition}: others were passed on"


def _sent(
    name: str, expected: Mapping[Source, bytes], sent: Mapping[Source, Sequence[bytes]]
) -> Iterator[str]:
    """What may be sent again after a crash: at least once, always the same bytes."""
    for source in sorted(expected.keys() | sent.keys()):
        if source not in expected:
            yield f"{name} {_at(source)}: sent, and should not be"
        elif source not in sent:
            yield f"{name} {_at(source)}: never sent"
        else:
            for value in set(sent[source]) - {expected[source]}:
                yield f"{name} {_at(source)}: differs at {first_difference(expected[source], value)}"


def _by_key(name: str, expected: Mapping[str, bytes], sent: Mapping[str, bytes]) -> Iterator[str]:
    for key in sorted(expected.keys() | sent.keys()):
        if key not in expected:
            yield f"{name} {key}: published, and should not be"
        elif key not in sent:
            yield f"{name} {key}: not published"
        elif sent[key] != expected[key]:
            yield f"{name} {key}: differs at {first_difference(expected[key], sent[key])}"


def _at(source: Source) -> str:
    return f"{source[0]}/{source[1]}"


def _told(what: tuple[Any, ...] | None) -> str:
    return "nothing" if what is None else " ".join(str(part) for part in what if part is not None)
