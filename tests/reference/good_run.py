"""A small register whose services did all that the log says: its topics and its store, to plant faults in."""

import copy
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from audit.check import audit_source
from audit.commands import heads
from audit.conflicts import expected_conflicts
from audit.files import key_id
from audit.letters import PREFIX
from audit.log import Headers, Log, LogRecord, SeenClaim, VersionId
from audit.look import SERVICES
from audit.receipts import Batch
from audit.records import Version
from audit.report import Report
from audit.source import Span, Spans
from audit.stored_decisions import told_of
from shared.contracts.cloudevents import encode
from shared.contracts.identity import CHAIN_START, canonical
from shared.contracts.outputs import OutputType
from shared.contracts.topics import Topic, partition_for
from tests.reference import model
from tests.reference.builder import LogBuilder
from tests.reference.builder_commands import CommandBuilder
from tests.reference.captures import claim
from tests.reference.model import Result
from tests.reference.register_files import key_of

Document = dict[str, Any]


@dataclass(slots=True)
class Run:
    """Topics and store, each free to be changed; `committed` are the groups' offsets by topic."""

    register: str
    founding: str
    partitions: int
    files: Mapping[str, bytes]
    topics: dict[Topic, list[LogRecord]]
    store: dict[str, list[Document]] = field(default_factory=dict)
    committed_offsets: dict[Topic, dict[int, int]] = field(default_factory=dict)
    begins: dict[tuple[Topic, int], int] = field(default_factory=dict)

    async def spans(self, topic: Topic) -> Spans:
        """As `audit.source.Source`."""
        one = topic in (Topic.COMMANDS, Topic.MANIFESTS, Topic.OPERATIONS)
        found = {}
        for number in range(1 if one else self.partitions):
            there = [each for each in self.topics[topic] if each.partition == number]
            found[number] = Span(
                self.begins.get((topic, number), 0), max((each.end for each in there), default=0)
            )
        return found

    async def records(self, topic: Topic, spans: Spans) -> AsyncIterator[LogRecord]:
        """As `audit.source.Source`."""
        for number in spans:
            for record in self.topics[topic]:
                if record.partition == number and spans[number].begin <= record.offset < spans[number].end:
                    yield record

    async def committed(self, _group: str, topic: Topic) -> Mapping[int, int]:
        """As `audit.source.Source`."""
        return self.committed_offsets.get(topic, {})

    async def documents(self, collection: str) -> AsyncIterator[Mapping[str, Any]]:
        """As `audit.source.Store`."""
        for document in self.store.get(collection, []):
            yield document

    async def audit(self, *, with_store: bool = True) -> Report:
        """What an audit finds."""
        return await audit_source(
            self.register, self.founding, self, self.files, self if with_store else None
        )

    def append(
        self, topic: Topic, partition: int, key: bytes | None, value: bytes | None, headers: Headers
    ) -> LogRecord:
        """One more record."""
        there = (each.end for each in reversed(self.topics[topic]) if each.partition == partition)
        record = LogRecord(partition, next(there, 0), 0, key, value, headers)
        self.topics[topic].append(record)
        return record

    def commit(self) -> None:
        """Every service has settled all that lies there."""
        self.committed_offsets = {
            topic: {
                number: max((each.end for each in self.topics[topic] if each.partition == number), default=0)
                for number in range(self.partitions)
            }
            for topic in SERVICES.values()
        }

    def document(self, collection: str, name: str) -> Document:
        """A document of the store."""
        return next(each for each in self.store[collection] if each["_id"] == name)


def good_builder() -> tuple[LogBuilder, list[SeenClaim]]:
    """A log in which everything happens once, and what matching claimed."""
    builder = LogBuilder().found()
    ids = ["010203-A", "010203-B", "010203-C", "010203-D", "010204-E"]
    first = {}
    for at, each in enumerate(ids):
        village = "01020401" if each.startswith("010204") else "01020301"
        first[each] = builder.register_voter(each, village=village, capture={"sequence": at})
    builder.resend(first["010203-A"])
    builder.register_voter("010203-F", village="99", capture={"sequence": 5})
    builder.raw_event(0, b"k", b"{", ())
    builder.undecodable_batch(1, 3)
    builder.close_batch(0, 5)
    builder.marker(1, 3, 0)  # of a cut-off that never was
    versions = _versions(builder)
    claims = [claim(versions[one], versions[other]) for one, other in ((0, 1), (2, 3))]
    builder.cut_off(1)
    builder.decide(versions[0], versions[1], "same_person", "010203-A")
    builder.finalise()
    builder.correct("010203-A", 2, born="1991-04-12")
    builder.remove("010203-D", 2)
    builder.cut_off(2)
    builder.finalise(epoch=2)
    builder.propose("rollstream.roll.finalised.v1", FINALISED)  # nobody approved it
    return builder, claims


FINALISED = {
    "roll": "2027-other",
    "epoch": 2,
    "election": {"kind": "national", "day": "2027-07-25"},
    "kind": "final",
    "undecided": "hold_later",
}


def _versions(builder: LogBuilder) -> list[VersionId]:
    return list(builder.communes)


def good_run() -> Run:
    """The run; every call answers a new copy."""
    return copy.deepcopy(_made())


@cache
def _made() -> Run:
    builder, claims = good_builder()
    return run_of(builder.log(), builder.files, claims)


def run_of(log: Log, files: Mapping[str, bytes], claims: Sequence[SeenClaim]) -> Run:
    """What services that do as this log says have written."""
    result = model.replay(log, files, claims, [key_of("lists")])
    topics: dict[Topic, list[LogRecord]] = {topic: [] for topic in Topic}
    topics |= {Topic.EVENTS: list(log.events), Topic.COMMANDS: list(log.commands)}
    run = Run(log.register, log.founding, log.partitions, dict(files), topics)
    _derived(run, log.events, result, claims)
    _answers(run, log.events, result)
    for key, value in result.lists.items():
        run.append(Topic.LISTS, partition_for(key.encode(), log.partitions), key.encode(), value, ())
    for key in sorted(result.manifests, key=lambda key: (key.rpartition("/")[2], -key.count("/"))):
        run.append(Topic.MANIFESTS, 0, key.encode(), result.manifests[key], ())
    run.commit()
    _operations(run)
    _store(run, result, claims)
    return run


def _derived(run: Run, events: Sequence[LogRecord], result: Result, claims: Sequence[SeenClaim]) -> None:
    """Accepted and checked records, with the markers where they lie."""
    versions = {(v.partition, v.offset): v for its in result.judged.registrations.values() for v in its}
    for record in sorted(events, key=lambda each: (each.partition, each.offset)):
        source = record.partition, record.offset
        if source in result.markers:
            for topic in (Topic.ACCEPTED, Topic.CHECKED):
                run.append(topic, record.partition, record.key, record.value, record.headers)
        if source in versions:
            version = versions[source]
            key, name = version.record.registration_id.encode(), f"{source[0]}/{source[1]}"
            accepted = encode("rollstream/registration/kh-test", name, OutputType.ACCEPTED)
            checked = encode("rollstream/dedup/kh-test", name, OutputType.CHECKED)
            run.append(Topic.ACCEPTED, record.partition, key, version.sent, accepted)
            run.append(Topic.CHECKED, record.partition, key, _checked(version, claims), checked)


def _checked(version: Version, claims: Sequence[SeenClaim]) -> bytes:
    mine = (version.record.registration_id, version.record.digest)
    told = []
    for each in claims:
        if mine in each.pair:
            other = each.pair[1] if each.pair[0] == mine else each.pair[0]
            facts = each.claim.model_dump(mode="json", by_alias=True)
            told.append({**facts, "other": {"registration_id": other[0], "digest": other[1]}})
    return canonical({**json.loads(version.sent), "claims": told})


def _answers(run: Run, events: Sequence[LogRecord], result: Result) -> None:
    """Rejections, receipts and dead letters."""
    for source, value in result.rejected.items():
        name = json.loads(value)["registration_id"]
        key = None if name is None else name.encode()
        partition = source[0] if key is None else partition_for(key, run.partitions)
        headers = encode("rollstream/registration/kh-test", f"{source[0]}/{source[1]}", OutputType.REJECTED)
        run.append(Topic.REJECTED, partition, key, value, headers)
    for name, value in result.receipts.items():
        headers = encode("rollstream/registration/kh-test", name, OutputType.RECEIPT)
        run.append(
            Topic.RECEIPTS, partition_for(name.encode(), run.partitions), name.encode(), value, headers
        )
    records = {(each.partition, each.offset): each for each in events}
    for source, letter in result.judged.dead.items():
        record = records[source]
        facts = {**letter.facts, "topic": Topic.EVENTS.value, "detail": "", "service": "registration"}
        ours: Headers = tuple((PREFIX + name, content.encode()) for name, content in facts.items())
        kept = record.headers[: letter.kept]
        run.append(Topic.DEAD_LETTERS, record.partition, record.key, record.value, (*kept, *ours))


def _operations(run: Run) -> None:
    """A start of a service without a key, and an act of an officer, who seals it."""
    builder, admin = CommandBuilder(run.register), key_id(key_of("admin").public_key())
    for ce_type, by in (
        ("rollstream.operation.started.v1", {"service": "dedup"}),
        (
            "rollstream.operation.dropped.v1",
            {"officer": "admin", "key_id": admin},
        ),
    ):
        known = heads(run.topics[Topic.OPERATIONS])
        as_of = max(known, default=None)
        act = {"as_of": as_of, "head": (CHAIN_START if as_of is None else known[as_of]).hex(), "by": by}
        value, name = canonical(act), f"operation-{as_of}"
        headers: Headers = encode("rollstream/dedup/kh-test", name, ce_type)
        if "officer" in by:
            headers = builder.signed(ce_type, name, value, by["officer"])
        run.append(Topic.OPERATIONS, 0, b"k", value, headers)


def _store(run: Run, result: Result, claims: Sequence[SeenClaim]) -> None:
    judged = result.judged
    times = dict.fromkeys(result.accepted, 0)
    run.store = {
        "progress": [
            {"_id": f"{service}/{topic.value}/{number}", "next_offset": end}
            for service, topic in SERVICES.items()
            for number, end in run.committed_offsets[topic].items()
        ],
        "outcomes": [
            {
                "_id": f"{source[0]}/{source[1]}",
                "outcome": each.outcome,
                "reason": each.reason,
                "event_source": each.event_source,
                "event_id": each.event_id,
                "last_offset": each.last_offset,
                **{
                    name: judged.rejected[source][name]
                    for name in ("registration_id", "errors", "errors_total")
                    if source in judged.rejected
                },
            }
            for source, each in result.outcomes.items()
            if each.outcome != "accepted"
        ],
        "registrations": [_registration(name, versions) for name, versions in judged.registrations.items()],
        "capture_batches": [_batch(result, *each) for each in sorted({*judged.batches, *judged.closes})],
        "commands": [
            {"_id": name, "as_of": verdict.as_of, "offset": 0, **told_of(verdict)}
            for name, verdict in result.verdicts.items()
        ],
        "rolls": [_roll(result, name) for name in result.manifests if name.count("/") == 1],
    }
    newest = max((each["epoch"] for each in run.store["rolls"]), default=0)
    run.store["conflicts"] = [
        {
            **each.facts,
            "_id": name,
            "decision": {"command_id": each.facts["decided_by"]} if each.facts["decided_by"] else None,
            "as_of": {"command_offset": each.command_offset, "finalised": newest},
        }
        for name, each in expected_conflicts(result.history, judged, claims, newest, times).items()
    ]


def _registration(name: str, versions: Sequence[Version]) -> Document:
    last = json.loads(versions[-1].sent)
    captured = next(each for each in reversed(versions) if each.voter is not None)
    then = json.loads(captured.sent)
    return {
        "_id": name,
        **{key: last[key] for key in ("revision", "status", "digest", "epoch", "capture")},
        "first_accepted_at": last["first_accepted_at"],
        "removal_reason": last.get("removal_reason"),
        "voter": {key: each for key, each in then["voter"].items() if key != "normalised"},
        "residence": {**then["residence"], "village_code": captured.place},
        "polling_station": then.get("polling_station"),
        "history": [
            {
                "partition": each.partition,
                "offset": each.offset,
                "event_source": each.record.event_source,
                "event_id": each.record.event_id,
            }
            for each in versions
        ],
    }


def _batch(result: Result, device: str, batch: str) -> Document:
    told = json.loads(result.receipts.get(f"{device}/{batch}", b"{}"))
    closes = result.judged.closes.get((device, batch), [])
    arrived = result.judged.batches.get((device, batch), Batch())
    return {
        "_id": f"{device}/{batch}",
        **{name: told.get(name) for name in ("office", "count", "missing", "missing_count")},
        "complete": told.get("complete", False),
        "first": closes[-1].data.first_sequence if closes else None,
        "last": closes[-1].data.last_sequence if closes else None,
        "overfull": False,
        "received": sorted(arrived.outcomes),
        "rejected": sorted(n for n, its in arrived.outcomes.items() if its == {"rejected"}),
        "owed": None,
        "closes": [
            {
                "partition": each.partition,
                "offset": each.offset,
                "event_source": each.event.source,
                "event_id": each.event.id,
            }
            for each in closes
        ],
    }


def _roll(result: Result, name: str) -> Document:
    roll, _, number = name.rpartition("/")
    version = result.rolls.versions[roll][int(number) - 1]
    data, head = version.request.data, json.loads(result.manifests[name])["manifest"]
    return {
        "_id": name,
        "roll": roll,
        "version": version.number,
        "kind": data.kind,
        "epoch": data.epoch,
        "command_id": version.request.ce_id,
        "command_offset": version.request.offset,
        "election": dict(data.election),
        "undecided": data.undecided,
        "state": "published",
        **{key: head[key] for key in ("stations", "entries", "excluded", "roll_root")},
    }
