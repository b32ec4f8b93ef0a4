"""What came of the stream, held against its truth. Pure but for reading the store and the topics."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from client.topics import partitions_of
from demo.groups import connected
from shared.contracts.cloudevents import header
from shared.contracts.topics import Topic
from shared.process.settings import Settings
from shared.runtime.record import Record
from shared.runtime.snapshot import read_topic
from shared.store.mongo import Mongo
from simulator.stream import Stream

Place = tuple[int, int]
"""Partition and offset of an event."""

Pair = tuple[str, str]
"""Two registration ids, the smaller first."""

RESEND, MULTIPLE = "resend", "multiple_registration"
"""Classes of claims."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the store says became of an event."""

    outcome: str
    reason: str | None = None


async def stored_outcomes(mongo: Mongo) -> dict[Place, list[Outcome]]:
    """Every stored outcome by the event's place; more than one for a place would be a fault."""
    found: dict[Place, list[Outcome]] = {}
    async for document in mongo.collection("outcomes").find({}, {"outcome": 1, "reason": 1}):
        partition, offset = document["_id"].split("/")
        outcome = Outcome(document["outcome"], document.get("reason"))
        found.setdefault((int(partition), int(offset)), []).append(outcome)
    for collection, field in (("registrations", "history"), ("capture_batches", "closes")):
        async for document in mongo.collection(collection).find({}, {field: 1}):
            for entry in document.get(field, ()):
                place = (entry["partition"], entry["offset"])
                found.setdefault(place, []).append(Outcome("accepted"))
    return found


async def claimed_pairs(settings: Settings) -> dict[Pair, str]:
    """Pairs of registrations that a claim on `registration.checked.v1` joins, each with its class.

    Of several claims between versions of two registrations one that is a resend says what they are.
    """
    pairs: dict[Pair, str] = {}
    for message in await read_all(settings, Topic.CHECKED):
        if message.value is None or b'"claims":[]' in message.value:
            continue
        record = json.loads(message.value)
        for claim in record.get("claims", ()):
            pair = ordered(record["registration_id"], claim["other"]["registration_id"])
            if pairs.get(pair) != RESEND:
                pairs[pair] = claim["class"]
    return pairs


async def latencies(settings: Settings, sent: Sequence[Place]) -> list[float]:
    """Seconds from the broker's time stamp of an event to that of its checked record, for accepted ones."""
    wanted = set(sent)
    event_times = {
        (message.partition, message.offset): message.timestamp
        for message in await read_all(settings, Topic.EVENTS)
        if (message.partition, message.offset) in wanted
    }
    checked: dict[Place, int] = {}
    for message in await read_all(settings, Topic.CHECKED):
        place = tuple(map(int, (header(message.headers, "ce_id") or b"").decode().split("/")[-2:]))
        if len(place) == 2 and place in event_times:
            checked.setdefault((place[0], place[1]), message.timestamp)
    return sorted((checked[place] - event_times[place]) / 1000 for place in checked)


def quantile(ordered_values: Sequence[float], share: float) -> float:
    """The value below which that share of them lies (nearest rank); 0 of none."""
    if not ordered_values:
        return 0.0
    return ordered_values[min(len(ordered_values) - 1, int(share * len(ordered_values)))]


def ordered(one: str, other: str) -> Pair:
    """A pair, the smaller id first."""
    return (one, other) if one < other else (other, one)


def true_pairs(people: Mapping[str, str]) -> set[Pair]:
    """Every two registrations that the truth gives to one person."""
    of_person: dict[str, list[str]] = {}
    for registration_id in sorted(people):
        of_person.setdefault(people[registration_id], []).append(registration_id)
    return {pair for group in of_person.values() for pair in combinations(group, 2)}


@dataclass(frozen=True, slots=True)
class StandingTwice:
    """`people` who are on the lists more than once; `missed` those of them whom no officer was asked about:
    no chain of claims joins two of their registrations on the lists."""

    people: set[str]
    missed: set[str]


def standing_twice(
    standing: Iterable[str], people: Mapping[str, str], claimed: Iterable[Pair]
) -> StandingTwice:
    """Who is on the lists more than once, by the truth, given the pairs that matching claimed."""
    same = [pair for pair in claimed if people[pair[0]] == people[pair[1]]]
    group_of = {each: number for number, group in enumerate(connected(same)) for each in group}
    twice = true_pairs({each: people[each] for each in standing})
    joined = {people[one] for one, other in twice if one in group_of and group_of[one] == group_of.get(other)}
    on_two = {people[one] for one, _ in twice}
    return StandingTwice(on_two, on_two - joined)


def outcome_table(
    stream: Stream, places: Sequence[Place], stored: Mapping[Place, Sequence[Outcome]]
) -> list[tuple[str, str, int, int]]:
    """(expected outcome, reason, events, of them as expected) for each that occurs."""
    rows: dict[tuple[str, str], list[int]] = {}
    for event, place in zip(stream.events, places, strict=True):
        row = rows.setdefault((event.expected, event.reason), [0, 0])
        row[0] += 1
        row[1] += _as_expected(event.expected, event.reason, stored.get(place, ()))
    return [(*kind, row[0], row[1]) for kind, row in sorted(rows.items())]


def class_table(stream: Stream, claimed: Mapping[Pair, str]) -> list[tuple[str, int, int, float, float]]:
    """(class, true pairs, claimed pairs, precision, recall) of each class of claims, by the truth."""
    true = {
        ordered(pair.one, pair.other): RESEND if pair.kind == "resend" else MULTIPLE
        for pair in stream.duplicates
    }
    rows = []
    for kind in (RESEND, MULTIPLE):
        should = {pair for pair, its in true.items() if its == kind}
        found = {pair for pair, its in claimed.items() if its == kind}
        right = len(should & found)
        precision, recall = (right / len(each) if each else 0.0 for each in (found, should))
        rows.append((kind, len(should), len(found), round(precision, 4), round(recall, 4)))
    return rows


def matching_table(stream: Stream, found: set[Pair]) -> list[tuple[str, str, int, int]]:
    """(whether one person, how the two captures differ, pairs, of them claimed)."""
    rows: dict[tuple[str, str], list[int]] = {}
    for same, pairs in (("one person", stream.duplicates), ("two people", stream.lookalikes)):
        for pair in pairs:
            row = rows.setdefault((same, pair.kind), [0, 0])
            row[0] += 1
            row[1] += ordered(pair.one, pair.other) in found
    return [(*kind, row[0], row[1]) for kind, row in sorted(rows.items())]


def _as_expected(expected: str, reason: str, found: Sequence[Outcome]) -> bool:
    if len(found) != 1 or found[0].outcome != expected:
        return False
    return expected not in ("rejected", "dead_lettered") or found[0].reason == reason


@dataclass(frozen=True, slots=True)
class Unlike:
    """Events whose outcome is not the expected one, counted as (expected, found)."""

    unaccounted: int
    wrong: Counter[tuple[str, str]]


def compare(
    expected: Mapping[int, tuple[str, str]],
    places: Mapping[int, Place],
    stored: Mapping[Place, Sequence[Outcome]],
) -> Unlike:
    """Hold each line's stored outcome against the truth: (outcome, reason) by line."""
    unaccounted, wrong = 0, Counter[tuple[str, str]]()
    for line, (outcome, reason) in expected.items():
        found = stored.get(places[line], ())
        if not found:
            unaccounted += 1
        elif not _as_expected(outcome, reason, found):
            was = ", ".join(f"{each.outcome} {each.reason or ''}".strip() for each in found)
            wrong[f"{outcome} {reason}".strip(), was] += 1
    return Unlike(unaccounted, wrong)


async def read_all(settings: Settings, topic: Topic) -> list[Record]:
    """Every record that lies on a topic now."""
    partitions = partitions_of(settings, topic)
    return [record async for record in read_topic(settings, topic, partitions, "rollstream-demo")]
