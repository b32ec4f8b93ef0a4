"""`rollstream find`: what became of anything that has an id."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.find_commands import KINDS as TOLD_KINDS
from client import find as finding
from client import incomplete
from client.find import KINDS, Match, find
from client.find_offset import Lying
from services.publisher.lists import Removed, station_list
from shared.process.settings import Settings
from shared.runtime.record import Record
from tests.kit.checked_records import registration
from tests.kit.memory_mongo import MemoryMongo
from tests.kit.small_edition import SIGN, edition

SETTINGS = Settings(register="kh-test")
COMMAND = "0b5e6a1c-0000-4000-8000-000000000001"
CLAIM = "c0ffee" + "0" * 58
PAIR = [{"registration_id": "r-1", "digest": "1" * 64}, {"registration_id": "r-2", "digest": "2" * 64}]


def version(offset: int, revision: int, **changes: Any) -> dict[str, Any]:
    kind = "registered" if revision == 1 else "corrected"
    return {
        "event_source": "/office",
        "event_id": f"e-{offset}",
        "data_sha256": "d" * 64,
        "partition": 3,
        "offset": offset,
        "timestamp": 1_790_000_000_000,
        "type": f"rollstream.registration.{kind}.v1",
        "revision": revision,
        "status": "active",
        "digest": str(revision) * 64,
        "commune": "010203",
        "voter_sha256": "e" * 64,
        "epoch": 1,
        **changes,
    }


class Store(MemoryMongo):
    def close(self) -> None:
        """Nothing to do."""

    def put(self, collection: str, name: str, **members: Any) -> None:
        self.collection(collection).documents[name] = {"_id": name, **members}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    made = Store()
    for module in (finding, incomplete):
        monkeypatch.setattr(module, "Mongo", lambda *_: made)
    monkeypatch.setenv("ROLLSTREAM_REGISTER", "kh-test")
    monkeypatch.setenv("COLUMNS", "80")
    made.put(
        "registrations",
        "r-1",
        revision=2,
        status="active",
        digest="2" * 64,
        epoch=1,
        voter={"family_name": {"km": "សុខ", "latin": "SECRET"}},
        residence={"village_code": "01020304", "province": "01", "commune": "010203"},
        capture={"office": "010203", "device": "D-1", "batch": "B-1", "sequence": 0},
        history=[version(17, 1), version(40, 2)],
    )
    made.put("outcomes", "3/18", outcome="rejected", reason="stale_revision", event_id="e-18")
    made.collection("outcomes").documents["3/18"] |= {"registration_id": "r-1", "errors": [], "epoch": None}
    made.put("outcomes", "3/50", outcome="dead_lettered", reason="undecodable_batch", last_offset=9_000)
    made.put("outcomes", "31/55", outcome="dead_lettered", reason="undecodable_batch", last_offset=70)
    close = {"partition": 3, "offset": 41, "event_id": "e-41", "event_source": "/office", "office": "010203"}
    close |= {"data_sha256": "d" * 64, "first_sequence": 0, "last_sequence": 9, "count": 10, "closed_at": "x"}
    made.put(
        "capture_batches",
        "D-1/B-1",
        office="010203",
        first=0,
        last=9,
        count=10,
        received=[0, 1, 2, 6],
        missing=[[3, 5], [7, 9]],
        missing_count=6,
        rejected=[2],
        complete=False,
        overfull=False,
        closes=[close],
        arrivals=b"x",
    )
    made.put(
        "capture_batches", "D-1/B-2", complete=True, count=10, office="010203", closes=[close], missing=[]
    )
    made.put("capture_batches", "D-2/B-1", complete=False, count=None, office=None, closes=[], missing=[])
    made.put("conflicts", CLAIM, pair=PAIR, status="decided", probability=0.98)
    made.collection("conflicts").documents[CLAIM]["class"] = "multiple_registration"
    made.put(
        "commands",
        COMMAND,
        type="rollstream.conflict.decided.v1",
        data={"pair": PAIR, "decision": "same_person", "keep": "r-2", "reason": "one face"},
        verdict="effective",
        proposed_by="judge",
        approved_by="second",
        offset=12,
    )
    made.put("progress", "registration/registration.events.v1/3", next_offset=9_001)
    return made


def record(offset: int, key: bytes | None, value: bytes = b"{}") -> Record:
    return Record("registration.events.v1", 3, offset, 0, key, value, ())


LOG = {
    40: record(40, b"r-1"),
    41: record(41, b"D-1", json.dumps({"device": "D-1", "batch": "B-1"}).encode()),
    9_010: record(9_010, b"r-9"),
}


async def log(partition: int, offset: int) -> Lying | None:
    """Partition 3 lies from 10 to 9,020; nothing at 42, as after a producer's transaction."""
    return Lying(LOG.get(offset), 10, 9_020) if partition == 3 else None


async def found(wanted: str, *kinds: finding.Kind) -> list[Match]:
    return await find(SETTINGS, wanted, kinds or KINDS, log)


@pytest.mark.usefixtures("store")
async def test_a_registration_is_told_with_versions_claims_decisions_and_what_was_refused() -> None:
    [match] = await found("r-1")
    facts = match.facts
    assert match.kind == "registration" and facts["revision"] == 2
    assert [each["place"] for each in facts["versions"]] == ["3/17", "3/40"]
    assert [(each["place"], each["reason"]) for each in facts["others"]] == [("3/18", "stale_revision")]
    assert [(each["claim_id"], each["other"]) for each in facts["claims"]] == [(CLAIM, PAIR[1])]
    assert [(each["command_id"], each["verdict"]) for each in facts["decisions"]] == [(COMMAND, "effective")]


@pytest.mark.usefixtures("store")
async def test_nothing_that_is_told_names_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    for wanted in ("r-1", "D-1/B-1", COMMAND, "3/40", CLAIM):
        told = json.dumps([each.document() for each in await found(wanted)], default=str)
        assert told != "[]" and "SECRET" not in told


@pytest.mark.parametrize(
    ("wanted", "kind", "fact", "value"),
    [
        ("e-40", "event", "registration_id", "r-1"),
        ("e-40", "event", "place", "3/40"),
        ("e-41", "event", "batch", "D-1/B-1"),
        ("e-18", "event", "reason", "stale_revision"),
        ("3/18", "offset", "reason", "stale_revision"),
        ("3/50", "offset", "last_offset", 9_000),
        ("3/777", "offset", "reason", "undecodable_batch"),
        ("3/9000", "offset", "reason", "undecodable_batch"),
        ("3/40", "offset", "registration_id", "r-1"),
        ("3/41", "offset", "batch", "D-1/B-1"),
        ("3/42", "offset", "outcome", None),
        ("3/9", "offset", "note", "no longer on the topic: the partition begins at 10"),
        ("3/9020", "offset", "note", "nothing lies there yet: the partition ends at 9020"),
        ("3/9010", "offset", "note", "not settled yet: registration has settled this partition up to 9000"),
        ("D-1/B-1", "batch", "missing", [[3, 5], [7, 9]]),
        ("B-1", "batch", "received_count", 4),
        (COMMAND, "command", "proposed_by", "judge"),
        (COMMAND[:8], "command", "proposed_by", "judge"),
        (CLAIM[:8], "conflict", "pair", PAIR),
    ],
)
@pytest.mark.usefixtures("store")
async def test_each_kind_of_id_is_found(wanted: str, kind: str, fact: str, value: Any) -> None:
    matches = [each for each in await found(wanted) if each.kind == kind]
    assert matches and matches[0].facts[fact] == value


@pytest.mark.parametrize("wanted", ["nothing", "4/1", "31/54", COMMAND[:7], "B", "3/x", "-1/2"])
@pytest.mark.usefixtures("store")
async def test_what_is_not_there_is_not_found(wanted: str) -> None:
    assert await found(wanted) == []


@pytest.mark.usefixtures("store")
async def test_a_run_of_another_partition_whose_number_begins_alike_is_not_taken() -> None:
    assert [each.id for each in await found("31/60")] == ["31/55"]
    assert (await found("3/45"))[0].facts["outcome"] is None


async def test_every_match_is_told_and_one_kind_can_be_asked_for(store: Store) -> None:
    store.put("commands", "r-1", type="x", verdict="open", offset=20, data=None)
    store.put("outcomes", "3/60", outcome="ignored", event_id="r-1")
    assert [each.kind for each in await found("r-1")] == ["event", "registration", "command"]
    assert [each.kind for each in await found("r-1", "command")] == ["command"]
    assert len(await found("B-1", "batch")) == 2


async def test_an_id_that_was_only_ever_rejected_is_told_as_well(store: Store) -> None:
    store.put("outcomes", "3/61", outcome="rejected", event_id="e-61", registration_id="r-7")
    [match] = await found("r-7")
    assert match.facts["versions"] == [] and [each["place"] for each in match.facts["others"]] == ["3/61"]


async def test_the_newest_list_of_each_roll_tells_station_and_serial(store: Store) -> None:
    for number, (roll, serials) in enumerate([("roll-a/1", 1), ("roll-a/2", 3), ("roll-b/1", 0)]):
        name, at = roll.split("/")
        facts = {"roll": name, "version": int(at), "kind": "final", "epoch": 1, "state": "published"}
        store.put("rolls", roll, **facts, token=f"t-{number}")
        voters = [registration(f"r-{each}", family=f"A{each}") for each in range(1, serials + 1)]
        removed = [Removed("r-1", "decided", "command-1")] if not voters else []
        made = station_list(edition(), "S-1", "010203", voters, removed, SIGN)
        where = {"token": f"t-{number}", "province": "01", "commune": "010203", "station": "S-1"}
        store.put("lists", f"{number}/S-1", **where, value=made.value)
    [match] = await found("r-1")
    told = [(each["roll"], each["version"], each["station"], each["serial"]) for each in match.facts["lists"]]
    assert told == [("roll-a", 2, "S-1", 1), ("roll-b", 1, "S-1", None)]
    assert match.facts["lists"][1]["removed"] == {"reason": "decided", "by": "command-1"}


def asked(*words: str) -> Result:
    return CliRunner().invoke(app, ["find", *words])


@pytest.mark.usefixtures("store")
def test_people_read_what_was_found_at_80_columns() -> None:
    told = asked("r-1")
    assert told.exit_code == 0 and "registration r-1" in told.output
    for word in ("3/40", "stale_revision", CLAIM[:12], COMMAND[:12], "one face", "Versions", "Decisions"):
        assert word in told.output
    assert max(map(len, told.output.splitlines())) <= 80
    assert "missing: 3–5, 7–9" in asked("D-1/B-1").output
    assert json.loads(asked("r-1", "--json").output)[0]["kind"] == "registration"


@pytest.mark.usefixtures("store")
def test_incomplete_batches_are_told_by_office_and_device() -> None:
    told = asked("--incomplete").output
    assert "010203" in told and "D-1" in told and "6: 3–5, 7–9" in told
    assert "D-2" not in told and "B-2" not in told  # never closed; complete
    assert [each["batch"] for each in json.loads(asked("--incomplete", "--json").output)] == ["B-1"]
    for words in (("--device", "D-2"), ("--office", "020202"), ("--device", "D")):
        assert json.loads(asked("--incomplete", *words, "--json").output) == []


def test_a_long_list_of_incomplete_batches_is_cut_and_says_so(store: Store) -> None:
    for number in range(60):
        name = f"D-9/B-{number:02}"
        store.put("capture_batches", name, complete=False, count=99, office="1", missing=[[0, number]])
    assert "and more" in asked("--incomplete").output
    assert "and more" not in asked("--incomplete", "--limit", "100").output
    assert len(json.loads(asked("--incomplete", "--limit", "7", "--json").output)) == 7


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("nothing", "--kind", "event"), "no event is known"),
        (("x", "--kind", "planet"), "--kind is one of"),
        ((), "say what to find"),
        (("x", "--incomplete"), "--office and --device"),
    ],
)
@pytest.mark.usefixtures("store")
def test_a_question_that_cannot_be_answered_says_what_to_do(words: tuple[str, ...], advice: str) -> None:
    ended = asked(*words)
    assert ended.exit_code == 1 and advice in ended.stderr


def test_the_kinds_that_help_names_are_those_that_are_searched() -> None:
    assert tuple(TOLD_KINDS.split(" | ")) == KINDS
