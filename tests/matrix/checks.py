"""Decides the invariants: what lies on the topics and in the store, against what the log means."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.compare import StoreDump, compare
from audit.log import SeenClaim
from audit.model import Result, replay
from audit.readlog import Runs, read_register
from audit.verifier import verify_list
from demo.measure import read_all
from matching.matcher import Matcher
from matching.model import load_model
from services.dedup.records import AcceptedRecord, read
from shared.contracts.identity import canonical
from shared.contracts.topics import Topic
from shared.crypto import signing
from shared.process.settings import Settings, founding_officers
from shared.runtime.record import Record

MOST_ENTRIES = 750

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`broken` are the invariants that do not hold, in words. `sent_again` are outputs beyond the first of
    their source: records that a service read and settled more than once. `lists` were published."""

    broken: list[str]
    sent_again: int
    lists: int
    outcomes: Mapping[str, int]


async def judged(
    settings: Settings, register: Path, dump: StoreDump, acknowledged: Sequence[Place], runs: Runs
) -> Verdict:
    """Read everything, and decide."""
    result, claims, broken = await folded(settings, register, dump, runs)
    topics = {topic: await read_all(settings, topic) for topic in CHECKED_HERE}
    broken += [*_lost(result, acknowledged)]
    broken += [*_dead_letters(result, topics[Topic.DEAD_LETTERS])]
    broken += [*_missed_pairs(topics[Topic.ACCEPTED], claims, _model(result, settings))]
    broken += [*_conflicts(claims, dump)]
    public_keys = [path.read_bytes() for path in (register / "keys").glob("signing*.pub.pem")]
    broken += [*_lists(topics[Topic.LISTS], public_keys)]
    sent_again = sum(_repeated(topics[topic], _SOURCE_OF[topic]) for topic in _SOURCE_OF)
    outcomes = Counter(outcome.outcome for outcome in result.outcomes.values())
    return Verdict(broken, sent_again, len(result.lists), dict(outcomes))


async def folded(
    settings: Settings, register: Path, dump: StoreDump, runs: Runs
) -> tuple[Result, list[SeenClaim], list[str]]:
    """What the log means by the fold, and every difference from it."""
    log, claims, topics = await read_register(
        settings.register, founding_officers(settings), settings.kafka.bootstrap_servers, runs
    )
    files = {path.name: path.read_bytes() for path in settings.reference_dir.iterdir() if path.is_file()}
    keys = [
        signing.load_private_key(path)
        for path in (register / "keys").glob("signing*.pem")
        if not path.name.endswith(".pub.pem")
    ]
    result = replay(log, files, claims, keys)
    return result, claims, compare(result, dump, topics)


CHECKED_HERE = (Topic.ACCEPTED, Topic.REJECTED, Topic.CHECKED, Topic.DEAD_LETTERS, Topic.LISTS)


def _lost(result: Result, acknowledged: Sequence[Place]) -> Iterator[str]:
    """What the broker acknowledged has one outcome, and the producer was told of no place twice."""
    for place, times in Counter(acknowledged).items():
        if times > 1:
            yield f"place {place} was acknowledged {times} times"
        if place not in result.outcomes:
            yield f"event {place[0]}/{place[1]}: acknowledged, and lost"


def _dead_letters(result: Result, letters: Sequence[Record]) -> Iterator[str]:
    """Each dead-lettered event has its letter, and nothing else has one."""
    due = {place for place, each in result.outcomes.items() if each.outcome == "dead_lettered"}
    sent = {_letter_source(letter) for letter in letters}
    yield from (f"event {p}/{o}: dead-lettered, and no letter lies there" for p, o in sorted(due - sent))
    yield from (f"event {p}/{o}: a letter, and should have none" for p, o in sorted(sent - due))


def _missed_pairs(accepted: Sequence[Record], claims: Sequence[SeenClaim], model: bytes) -> Iterator[str]:
    """The claims are those of one matcher that has every version from the beginning."""
    contents = [read(record) for record in accepted]
    versions = [
        each.version for each in contents if isinstance(each, AcceptedRecord) and each.version is not None
    ]
    matcher = Matcher(load_model(model))
    due = {
        _pair((version.registration_id, version.digest), (claim.registration_id, claim.digest))
        for version, found in zip(versions, matcher.claims_of(versions), strict=True)
        for claim in found
    }
    seen = {claim.pair for claim in claims}
    yield from (f"pair {one[0]} {other[0]}: missed" for one, other in sorted(due - seen))
    yield from (f"pair {one[0]} {other[0]}: claimed, and looks like nobody" for one, other in seen - due)


def _pair(one: tuple[str, str], other: tuple[str, str]) -> tuple[tuple[str, str], tuple[str, str]]:
    return (one, other) if one < other else (other, one)


def _conflicts(claims: Sequence[SeenClaim], dump: StoreDump) -> Iterator[str]:
    """Each claim can be found by the officers."""
    stored = {document["_id"] for document in dump.get("conflicts", ())}
    for missing in sorted({claim.claim.claim_id for claim in claims} - stored):
        yield f"claim {missing}: no conflict is stored"


def _lists(records: Sequence[Record], public_keys: Sequence[bytes]) -> Iterator[str]:
    """Each list verifies and holds at most 750; of one version nobody is on two."""
    standing: dict[tuple[str, int], Counter[str]] = {}
    seen: set[bytes] = set()
    for record in records:
        value = record.value or b""
        if value in seen:
            continue  # it was sent again
        seen.add(value)
        if not any(_verifies(value, key) for key in public_keys):
            yield f"list {(record.key or b'').decode()}: does not verify"
            continue
        told = json.loads(value)
        version = (told["list"]["roll"], told["list"]["version"])
        entries = [each["registration_id"] for each in told["entries"]]
        if len(entries) > MOST_ENTRIES:
            yield f"list {(record.key or b'').decode()}: {len(entries)} entries"
        standing.setdefault(version, Counter()).update(entries)
    for version, names in standing.items():
        for name, times in names.items():
            if times > 1:
                yield f"{name}: on {times} lists of version {version[1]}"


def _verifies(value: bytes, public_key: bytes) -> bool:
    try:
        verify_list(value, public_key)
    except Exception:
        return False
    return True


def _letter_source(letter: Record) -> Place:
    return letter.partition, int(dict(letter.headers)["rollstream-dlq-offset"] or b"-1")


def _told_source(record: Record) -> bytes:
    """Of a rejection its source, of a checked or accepted record its id, which names the source."""
    headers = dict(record.headers)
    kind = headers.get("ce_type") or b""
    return kind + b"/" + (headers.get("ce_id") or b"")


_SOURCE_OF: Mapping[Topic, Callable[[Record], Any]] = {
    Topic.ACCEPTED: _told_source,
    Topic.REJECTED: _told_source,
    Topic.CHECKED: _told_source,
    Topic.DEAD_LETTERS: _letter_source,
    Topic.LISTS: lambda record: record.key,
}


def _repeated(records: Sequence[Record], source: Callable[[Record], Any]) -> int:
    return len(records) - len({(record.partition, source(record)) for record in records})


def _model(result: Result, settings: Settings) -> bytes:
    [sha256, *_] = result.history.adopted("model")
    return (settings.reference_dir / sha256).read_bytes()


def told(verdict: Verdict) -> bytes:
    """A verdict in one line, to see whether it has changed."""
    return canonical({"broken": verdict.broken, "lists": verdict.lists})
