"""The whole audit: reads the log and what came of it, folds it anew, and says what does not hold.

What the services wrote is read up to an end that is taken first, the log up to one that is taken last: so
whatever they wrote has its cause in what is read of the log, also while they work.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from audit import commands, outcomes, roll
from audit.answers import check_dead_letters, check_receipts, check_rejected
from audit.history import CommandHistory
from audit.log import LogRecord
from audit.look import SERVICES, Look, Offsets, Settled, passed_on
from audit.operations import check_operations
from audit.outcomes import Judged
from audit.published import check_published
from audit.report import Report
from audit.sent import check_accepted, check_checked
from audit.source import Broker, Source, Spans, Store, Tell
from audit.stored import check_outcomes, check_progress
from audit.stored_decisions import check_commands, check_conflicts, check_rolls, published_versions
from shared.contracts.topics import Topic

OUTPUTS = (
    *(Topic.MANIFESTS, Topic.LISTS, Topic.CHECKED, Topic.ACCEPTED),
    *(Topic.REJECTED, Topic.RECEIPTS, Topic.DEAD_LETTERS, Topic.OPERATIONS),
)
"""Downstream first: what lies on one of these has its cause on a later one, or in the log."""


class MissingFile(Exception):
    """A reference file that was adopted is not there; the text says which, and what to do."""


class ReferenceFolder(Mapping[str, bytes]):
    """Reference files by SHA-256, read from a folder in which each is named so. Raises MissingFile."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, bytes] = {}

    def __getitem__(self, sha256: str) -> bytes:
        if sha256 not in self._read:
            path = self._folder / sha256
            try:
                raw = path.read_bytes()
            except OSError:
                raise MissingFile(
                    f"the reference file {sha256} was adopted and is not in {self._folder}: copy it there "
                    "from the register's operators; its name proves its content"
                ) from None
            if hashlib.sha256(raw).hexdigest() != sha256:
                raise MissingFile(f"{path} is not the file that its name says: copy it again")
            self._read[sha256] = raw
        return self._read[sha256]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


async def audit_register(
    register: str,
    founding: str,
    bootstrap_servers: str,
    reference: Path | Mapping[str, bytes],
    *,
    store: Store | None = None,
    tell: Tell | None = None,
    **client: Any,
) -> Report:
    """Audit a register on its brokers and, if given, in its store.

    `founding` is the SHA-256 of the officers' file that creates the register; `tell` is told of each topic
    how many of how many offsets were read; `client` are options of aiokafka's clients. Raises MissingFile,
    audit.source.Unreadable, a KafkaError if no broker answers, and what the store raises.
    """
    files = ReferenceFolder(reference) if isinstance(reference, Path) else reference
    async with Broker(bootstrap_servers, tell=tell, **client) as broker:
        return await audit_source(register, founding, broker, files, store)


async def audit_source(
    register: str, founding: str, source: Source, files: Mapping[str, bytes], store: Store | None
) -> Report:
    """The same of any source."""
    report = Report(with_store=store is not None)
    progress = [each async for each in store.documents("progress")] if store is not None else []
    settled = Settled(
        _stored(progress),
        {name: await source.committed(f"rollstream-{name}", topic) for name, topic in SERVICES.items()},
    )
    spans = {topic: await source.spans(topic) for topic in (*OUTPUTS, Topic.EVENTS, Topic.COMMANDS)}
    _whole(report, spans)
    messages = [each async for each in source.records(Topic.COMMANDS, spans[Topic.COMMANDS])]
    history = commands.fold(register, founding, messages, files)
    judged = outcomes.begin(len(spans[Topic.EVENTS]))
    async for record in source.records(Topic.EVENTS, spans[Topic.EVENTS]):
        outcomes.judge_next(judged, history, record)
    report.look("log", len(messages) + len(judged.outcomes))
    look = _look(report, history, judged, spans, settled)
    await check_progress(look, progress)
    accepted = await check_accepted(look, source)
    claims = await check_checked(look, source, accepted)
    await check_rejected(look, source)
    await check_dead_letters(look, source)
    rolls = roll.publish(history, judged, claims)
    in_store = await published_versions(store) if store is not None else frozenset[str]()
    await check_published(look, source, rolls, in_store)
    owed = None
    if store is not None:
        owed = await check_outcomes(look, store)
        await check_commands(look, store)
        await check_rolls(look, store, rolls)
        await check_conflicts(look, store, claims, rolls, accepted)
    await check_receipts(look, source, owed)
    await check_operations(look, source)
    _epochs(look)
    _count(look, messages)
    report.counts |= {
        "claims": len(claims),
        "versions": sum(map(len, rolls.versions.values())),
        "lists": len(rolls.lists),
    }
    return report


def _stored(progress: list[Mapping[str, Any]]) -> Mapping[str, Offsets]:
    found: dict[str, dict[int, int]] = {}
    for document in progress:
        service, _, rest = str(document["_id"]).partition("/")
        topic, _, number = rest.rpartition("/")
        if service in SERVICES and topic == SERVICES[service].value and number.isdecimal():
            found.setdefault(service, {})[int(number)] = int(document["next_offset"])
    return found


def _whole(report: Report, spans: Mapping[Topic, Spans]) -> None:
    """The log must be there from its first record on."""
    for topic in (Topic.EVENTS, Topic.COMMANDS):
        if not spans[topic]:
            report.break_("log", topic.value, "there is no such topic")
        for number, span in spans[topic].items():
            if span.begin > 0:
                what = f"it begins at {span.begin}: what lay before was deleted, and nothing can be proven"
                report.break_("log", f"{topic.value}/{number}", what)


def _look(
    report: Report,
    history: CommandHistory,
    judged: Judged,
    spans: Mapping[Topic, Spans],
    settled: Settled,
) -> Look:
    versions = {
        (version.partition, version.offset): version
        for its in judged.registrations.values()
        for version in its
    }
    markers: dict[int, list[Any]] = {number: [] for number in judged.marked}
    for at, record in sorted(judged.passed_on.items()):
        markers[at[0]].append((at, passed_on(record)))
    return Look(report, history, judged, spans, settled, versions, markers)


def _epochs(look: Look) -> None:
    """Which markers of effective cut-offs registration has yet to write."""
    for epoch in look.history.cut_offs:
        for partition, marked in look.judged.marked.items():
            if marked < epoch:
                where = f"{Topic.EVENTS.value}/{partition}"
                look.report.wait("markers", where, f"the marker of epoch {epoch} is not written yet")


def _count(look: Look, messages: list[LogRecord]) -> None:
    judged, counts = look.judged, look.report.counts
    counts["events"] = len(judged.outcomes)
    for outcome in ("accepted", "ignored", "rejected", "dead_lettered", "marker", "void_marker"):
        counts[outcome] = 0
    for each in judged.outcomes.values():
        counts[each.outcome] += 1
    counts |= {
        "registrations": len(judged.registrations),
        "capture_batches": len({*judged.batches, *judged.closes}),
        "commands": len(messages),
        "epochs": min(judged.marked.values(), default=0),
    }
