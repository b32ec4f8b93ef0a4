"""The generator: the same bytes from a seed, everything that happens in it, and a truth that holds."""

import ast
import csv
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import simulator
from client.wire import to_record
from shared.contracts.outputs import RejectionReason
from simulator import DEMO_RATES, Stream, generate_stream, write_stream
from simulator.dice import Dice
from simulator.faults import catalogue
from simulator.names import look_alike
from simulator.noise import KINDS
from simulator.places import communes, plan_stations
from simulator.stream import under_age
from tests.kit.generated import REGISTER, decoded

PACKAGE = Path(simulator.__file__).parent


def fingerprint(made: Stream) -> str:
    return hashlib.sha256(
        b"\n".join(made.lines) + repr((made.events, made.people, made.stations, made.devices)).encode()
    ).hexdigest()


def test_a_seed_gives_the_same_bytes_whatever_the_hash_seed(stream: Stream) -> None:
    program = (
        "from tests.unit.simulator.test_generator import *\n"
        "print(fingerprint(generate_stream(events=5000, seed=7, rates=DEMO_RATES, register='kh-test', "
        "cut_off=True)))"
    )
    for hash_seed in ("0", "4711"):
        run = subprocess.run(
            [sys.executable, "-c", program],
            cwd=PACKAGE.parent.parent,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() == fingerprint(stream)


def test_another_seed_gives_another_stream(stream: Stream) -> None:
    assert fingerprint(
        generate_stream(events=5000, seed=8, rates=DEMO_RATES, register=REGISTER)
    ) != fingerprint(stream)


def test_draws_use_nothing_that_python_may_change_between_versions() -> None:
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "random":
                assert (path.name, [name.name for name in node.names]) == ("dice.py", ["Random"])
            if isinstance(node, ast.Import):
                assert "random" not in [name.name for name in node.names]
    assert [Dice(1).below(1000), Dice(1, "/a").below(1000)] == [
        Dice(1).below(1000),
        Dice(1).child("a").below(1000),
    ]


def test_the_generator_shares_nothing_with_matching() -> None:
    allowed = {"shared.contracts.topics", "shared.contracts.identity"}
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [name.name for name in node.names]
            for name in names:
                assert name.split(".")[0] not in ("services", "khmerspell", "rapidfuzz"), path
                assert name.split(".")[0] != "shared" or name in allowed, path


def test_a_stream_has_exactly_the_lines_asked_for(stream: Stream) -> None:
    assert len(stream.lines) == len(stream.events) == 5000
    assert [event.line for event in stream.events] == list(range(1, 5001))
    assert not any(b"\n" in line for line in stream.lines)


def test_five_thousand_events_hold_every_kind_of_event_and_fault(stream: Stream) -> None:
    scenarios = stream.scenarios()
    wanted = {fault.name for fault in catalogue()} | set(KINDS)
    wanted |= {"registered", "corrected", "transferred", "removed", "reinstated", "batch_closed", "resend"}
    wanted |= {"resend_under_new_id", "stale_revision", "unknown_registration", "removed_twice", "too_young"}
    wanted |= {"corrected_removed", "reinstated_active", "registered_twice_under_one_id", "refused_again"}
    wanted |= {"unknown_village", "unknown_commune", "unknown_station", "station_elsewhere", "fifteen_today"}
    assert wanted - set(scenarios) == set()
    assert set(KINDS) | {"resend"} <= {pair.kind for pair in stream.duplicates}
    assert {pair.kind for pair in stream.lookalikes} == {"twins", "namesakes", "namesakes_one_birthday"}
    reasons = {event.reason for event in stream.events if event.expected == "rejected"}
    never = {"too_many_versions"}  # too rare to be worth 200 lines
    assert reasons == {reason.value for reason in RejectionReason} - never
    letters = {event.reason for event in stream.events if event.expected == "dead_lettered"}
    assert letters == {"too_large", "headers", "json", "envelope"}  # no line stands for a whole broken batch
    removals = {decoded(line).data.get("reason") for line in stream.lines if b"removed.v1" in line}
    assert {"moved", "deceased", "duplicate", "disenfranchised", "erroneous"} <= removals
    assert {to_record(line).compression for line in stream.lines} == {None, "gzip", "snappy", "lz4", "zstd"}
    assert stream.lost and stream.minors


def test_every_accepted_registration_has_one_person(stream: Stream) -> None:
    accepted = set()
    for line, truth in zip(stream.lines, stream.events, strict=True):
        if truth.expected == "accepted":
            accepted.add(decoded(line).data.get("registration_id"))
    assert set(stream.people) == accepted - {None}
    assert all(stream.people.values())


def test_pairs_of_one_person_and_of_two_are_told_apart(stream: Stream) -> None:
    same = {(pair.one, pair.other) for pair in stream.duplicates}
    assert all(one < other and stream.people[one] == stream.people[other] for one, other in same)
    assert all(stream.people[pair.one] != stream.people[pair.other] for pair in stream.lookalikes)
    extra = sum(count * (count - 1) // 2 for count in Counter(stream.people.values()).values())
    assert len(same) == extra


def test_the_same_capture_under_a_new_id_keeps_its_device_and_moment(stream: Stream) -> None:
    first: dict[str, Any] = {}
    for line, truth in zip(stream.lines, stream.events, strict=True):
        if truth.expected == "accepted" and b"registered.v1" in line:
            data = json.loads(line)["data"]
            first.setdefault(data["registration_id"], data)
    pairs = [
        pair for pair in stream.duplicates if pair.kind == "resend" and {pair.one, pair.other} <= set(first)
    ]
    assert len(pairs) >= 20
    for pair in pairs:
        one, other = first[pair.one], first[pair.other]
        for field in ("device", "captured_at"):
            assert one["capture"][field] == other["capture"][field]
        assert one["residence"] == other["residence"]


def test_no_station_is_planned_for_more_than_the_law_allows_and_all_voters_find_a_seat() -> None:
    for voters in (2_000, 8_000):
        made = generate_stream(voters=voters, seed=3)
        assert all(0 < station.capacity <= 750 for station in made.stations)
        seats: Counter[tuple[str, tuple[str, ...]]] = Counter()
        of_village: dict[str, tuple[str, tuple[str, ...]]] = {}
        for station in made.stations:
            group = (station.commune, station.villages)
            seats[group] += station.capacity
            of_village.update((village, group) for village in station.villages or (station.commune,))
        living: dict[str, str] = {}
        for line, truth in zip(made.lines, made.events, strict=True):
            if truth.expected == "accepted":
                data = decoded(line).data
                if "residence" in data:
                    living[data["registration_id"]] = data["residence"]["village_code"]
        needed = Counter(
            of_village.get(village) or of_village.get(village[:6])
            for village in living.values()
            if len(village) == 8
        )
        assert None not in needed
        # Five in a hundred seats are left for those known by commune only.
        assert all(count <= seats[group] * 0.95 for group, count in needed.items() if group)


def test_a_village_too_large_for_one_station_has_several_with_seats_for_all() -> None:
    commune = next(commune for commune in communes() if len(commune.villages) > 3)
    large, small, *_ = commune.villages
    stations = plan_stations([commune], {large.code: 20_000, small.code: 30}, Dice(1))
    own = [station for station in stations if station.villages == (large.code,)]
    assert sum(station.capacity for station in own) >= 20_000
    assert max(station.capacity for station in stations) <= 750
    served = [village for station in stations for village in station.villages]
    assert set(served) == {village.code for village in commune.villages}


def test_minors_are_those_not_yet_eighteen_on_election_day(stream: Stream) -> None:
    def capture(born: str, precision: str) -> str:
        return f'{{"date_of_birth":"{born}","date_of_birth_precision":"{precision}"}}'

    day = date(2027, 6, 6)
    assert not under_age(capture("2009-06-06", "day"), day)
    assert under_age(capture("2009-06-07", "day"), day)
    assert under_age(capture("2009-06-01", "month"), day)
    assert not under_age(capture("2009-05-01", "month"), day)
    assert under_age(capture("2009-01-01", "year"), day)
    assert not under_age(capture("២០០៨-០១-០១", "year"), day)
    assert set(stream.minors) <= set(stream.people)


def test_khmer_typed_otherwise_is_other_text_that_is_never_the_name_itself() -> None:
    dice = Dice(5)
    for name in ("សុខ", "ចំរើន", "ម៉ៅ", "ដា"):
        for _ in range(20):
            assert look_alike(name, dice) != name


def test_files_hold_the_stream_and_its_truth(stream: Stream, tmp_path: Path) -> None:
    told: list[int] = []
    write_stream(stream, tmp_path / "new", told.append)
    assert (tmp_path / "new" / "events.jsonl").read_bytes().splitlines() == stream.lines
    assert told[-1] == 5000

    def rows(name: str) -> list[dict[str, str]]:
        with (tmp_path / "new" / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    truth = rows("truth_events.csv")
    assert list(truth[0]) == ["line", "event_id", "expected", "reason"]
    assert [row["expected"] for row in truth] == [event.expected for event in stream.events]
    people = {row["registration_id"]: row["person_id"] for row in rows("truth_people.csv")}
    assert people == stream.people
    stations = rows("stations.csv")
    assert list(stations[0]) == ["station", "name_km", "name_latin", "commune", "villages", "capacity"]
    assert [tuple(row["villages"].split()) for row in stations] == [each.villages for each in stream.stations]
    assert {row["same_person"] for row in rows("truth_pairs.csv")} == {"true", "false"}


def test_a_stream_too_small_to_be_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        generate_stream(voters=10)
    with pytest.raises(ValueError, match="either"):
        generate_stream()
