"""Decides the invariants: the audit of everything, and what only whoever sent the records can know."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from client.audit import audit
from demo.measure import read_all, stored_outcomes
from matching.matcher import Matcher
from matching.model import default_model_bytes, load_model
from services.dedup.records import AcceptedRecord, read
from shared.contracts.outputs import OutputType
from shared.contracts.topics import Topic
from shared.process.settings import Settings
from shared.runtime.record import Record
from shared.store.mongo import Mongo

CLAIMING = (OutputType.CHECKED.encode(), OutputType.CLAIMS.encode())
"""Types of the records that carry claims."""

Place = tuple[int, int]
Version = tuple[str, str]
Pair = tuple[Version, Version]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`broken` are the invariants that do not hold, in words, `late` what should be there by now and is not.

    `sent_again` are outputs beyond the first of their source: records that a service settled more than once.
    """

    broken: list[str]
    late: list[str]
    sent_again: int
    counts: Mapping[str, int]

    @property
    def lists(self) -> int:
        """Versions of rolls that were published."""
        return self.counts["versions"]


async def judged(settings: Settings, mongo: Mongo, acknowledged: Sequence[Place]) -> Verdict:
    """Read everything, and decide."""
    report = await audit(settings)
    outputs = {topic: await read_all(settings, topic) for topic in SOURCE_OF}
    broken = [
        *map(str, report.broken),
        *lost(acknowledged, await stored_outcomes(mongo)),
        *missed_pairs(outputs[Topic.ACCEPTED], outputs[Topic.CHECKED]),
    ]
    sent_again = sum(repeated(outputs[topic], source) for topic, source in SOURCE_OF.items())
    return Verdict(broken, list(map(str, report.not_yet)), sent_again, report.counts)


def lost(acknowledged: Sequence[Place], stored: Mapping[Place, Sequence[object]]) -> Iterator[str]:
    """What the broker acknowledged has an outcome, and the producer was told of no place twice."""
    for place, times in Counter(acknowledged).items():
        if times > 1:
            yield f"event {place[0]}/{place[1]}: acknowledged {times} times"
        if place not in stored:
            yield f"event {place[0]}/{place[1]}: acknowledged, and lost"


def missed_pairs(accepted: Sequence[Record], checked: Sequence[Record]) -> Iterator[str]:
    """The claims are those of one matcher that has every version from the beginning."""
    contents = [read(record) for record in accepted]
    versions = [
        each.version for each in contents if isinstance(each, AcceptedRecord) and each.version is not None
    ]
    matcher = Matcher(load_model(default_model_bytes()))
    due = {
        _pair((version.registration_id, version.digest), (claim.registration_id, claim.digest))
        for version, found in zip(versions, matcher.claims_of(versions), strict=True)
        for claim in found
    }
    seen = {pair for record in checked for pair in _claimed(record)}
    for (one, _), (other, _) in sorted(due - seen):
        yield f"pair {one} {other}: missed"
    for (one, _), (other, _) in sorted(seen - due):
        yield f"pair {one} {other}: claimed, and looks like nobody"


def _claimed(record: Record) -> Iterator[Pair]:
    if dict(record.headers).get("ce_type") not in CLAIMING:
        return
    told = json.loads(record.value or b"")
    for claim in told["claims"]:
        other = (claim["other"]["registration_id"], claim["other"]["digest"])
        yield _pair((told["registration_id"], told["digest"]), other)


def _pair(one: Version, other: Version) -> Pair:
    return (one, other) if one < other else (other, one)


def _by_id(record: Record) -> Any:
    """What names its source: type and id of the event."""
    headers = dict(record.headers)
    return record.partition, headers.get("ce_type"), headers.get("ce_id")


SOURCE_OF: Mapping[Topic, Callable[[Record], Any]] = {
    Topic.ACCEPTED: _by_id,
    Topic.REJECTED: _by_id,
    Topic.CHECKED: _by_id,
    Topic.DEAD_LETTERS: lambda record: (record.partition, dict(record.headers)["rollstream-dlq-offset"]),
    Topic.LISTS: lambda record: record.key,
}
"""Topics of which an output may come twice, and what the two have in common."""


def repeated(records: Sequence[Record], source: Callable[[Record], Any]) -> int:
    """How many outputs there are beyond the first of their source."""
    return len(records) - len({source(record) for record in records})
