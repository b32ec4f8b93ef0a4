"""Each fault that could be planted in a register is found by the check that is named for it."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from audit.check import OUTPUTS
from audit.log import LogRecord
from audit.report import CHECKS, Check
from audit.roll import merkle_root
from shared.contracts.cloudevents import encode
from shared.contracts.identity import canonical, sha256_hex
from shared.contracts.outputs import OutputType
from shared.contracts.topics import Topic
from tests.reference.builder_commands import CommandBuilder
from tests.reference.good_run import Run, good_run
from tests.reference.register_files import key_of, public_pem

MARKER = b"rollstream.register.marker.v1"
ROLL = "2027-commune"


async def test_a_good_run_holds() -> None:
    for with_store in (True, False):
        report = await good_run().audit(with_store=with_store)
        assert report.broken == []
        assert report.not_yet == []
        silent = {check for check in report.checks() if not report.looked_at[check]}
        assert silent == {"foreign"}


def at(run: Run, topic: Topic, number: int = 0, ce_type: bytes | None = None) -> int:
    """Where in a topic's records the so many-th lies, of a type if one is given."""
    found = [
        at
        for at, each in enumerate(run.topics[topic])
        if ce_type in (None, dict(each.headers).get("ce_type"))
    ]
    return found[number]


def change(run: Run, topic: Topic, place: int, **members: Any) -> None:
    run.topics[topic][place] = replace(run.topics[topic][place], **members)


def lose(topic: Topic, number: int = 0, ce_type: bytes | None = None) -> Callable[[Run], object]:
    return lambda run: run.topics[topic].pop(at(run, topic, number, ce_type))


def spoil(topic: Topic, number: int = 0) -> Callable[[Run], object]:
    """A digit of a value becomes another."""

    def plant(run: Run) -> None:
        place = at(run, topic, number)
        value = run.topics[topic][place].value or b""
        digit = next(index for index in range(len(value) - 1, 0, -1) if value[index : index + 1].isdigit())
        other = b"0" if value[digit : digit + 1] != b"0" else b"1"
        change(run, topic, place, value=value[:digit] + other + value[digit + 1 :])

    return plant


def again(topic: Topic, **changes: Any) -> Callable[[Run], object]:
    """A record once more, as if of another event."""

    def plant(run: Run) -> None:
        record = run.topics[topic][at(run, topic)]
        told = json.loads(record.value or b"")
        told["source"] = {**told["source"], "offset": 77}
        run.append(topic, record.partition, record.key, canonical({**told, **changes}), record.headers)

    return plant


def list_at(run: Run, station: str = "010203-01", version: int = 2) -> int:
    keys = [each.key for each in run.topics[Topic.LISTS]]
    return keys.index(f"{ROLL}/{station}/{version}".encode())


def signed(content: dict[str, Any], signer: str = "lists") -> bytes:
    """Lists and manifests as an attacker with a key signs them."""
    head = content["list" if "list" in content else "manifest"]
    key = key_of(signer)
    value = base64.b64encode(key.sign(canonical(head))).decode()
    key_id = sha256_hex(key.public_key().public_bytes_raw())[:32]
    return canonical({**content, "signature": {"algorithm": "Ed25519", "key_id": key_id, "value": value}})


def forge_list(
    entries: Callable[[list[Any]], list[Any]], signer: str = "lists", **head: Any
) -> Callable[[Run], object]:
    """A list with other entries or another head, signed all the same."""

    def plant(run: Run) -> None:
        place = list_at(run)
        content = json.loads(run.topics[Topic.LISTS][place].value or b"")
        rows = entries(content["entries"])
        root = merkle_root([canonical(row) for row in [*rows, *content["removed"]]])
        content["list"] |= {"count": len(rows), "merkle_root": root, **head}
        change(run, Topic.LISTS, place, value=signed({**content, "entries": rows}, signer))

    return plant


def same(entries: list[Any]) -> list[Any]:
    return entries


def swapped(entries: list[Any]) -> list[Any]:
    assert len(entries) > 1
    first, second, *rest = entries
    return [{**second, "serial": 1}, {**first, "serial": 2}, *rest]


def too_many(entries: list[Any]) -> list[Any]:
    return [{**entries[0], "serial": n, "registration_id": f"extra-{n}"} for n in range(1, 752)]


def also_elsewhere(run: Run) -> None:
    """A voter of one station stands at another one, too."""
    record = run.topics[Topic.LISTS][list_at(run)]
    voter = json.loads(record.value or b"")["entries"][0]
    place = list_at(run, "010204-01")
    content = json.loads(run.topics[Topic.LISTS][place].value or b"")
    change(run, Topic.LISTS, place, value=signed({**content, "entries": [voter]}))


def one_person_twice(run: Run) -> None:
    """Two registrations that were decided to be one person stand at two stations."""
    record = run.topics[Topic.LISTS][list_at(run, version=1)]
    voter = json.loads(record.value or b"")["entries"][0]
    assert voter["registration_id"] == "010203-A"
    place = list_at(run, "010204-01", version=1)
    content = json.loads(run.topics[Topic.LISTS][place].value or b"")
    entries = [{**voter, "registration_id": "010203-B"}]
    change(run, Topic.LISTS, place, value=signed({**content, "entries": entries}))


def unapproved(run: Run) -> None:
    """A list of a roll that one officer proposed and nobody approved."""
    content = json.loads(run.topics[Topic.LISTS][0].value or b"")
    offset = run.topics[Topic.COMMANDS][-1].offset
    content["list"] |= {"roll": "2027-other", "version": 1, "command_offset": offset}
    run.append(Topic.LISTS, 0, b"2027-other/010203-01/1", signed(content), ())


def other_head(run: Run) -> None:
    """The roll manifest names another head of the commands' chain."""
    place = len(run.topics[Topic.MANIFESTS]) - 1
    content = json.loads(run.topics[Topic.MANIFESTS][place].value or b"")
    content["manifest"]["audit_head"] = "0" * 64
    change(run, Topic.MANIFESTS, place, value=signed(content))


def rewritten_command(run: Run) -> None:
    """Who holds the broker changes what a proposal said, and all the rest stays."""
    place = next(
        index
        for index, each in enumerate(run.topics[Topic.COMMANDS])
        if dict(each.headers)["ce_type"] == b"rollstream.conflict.decided.v1"
    )
    value = run.topics[Topic.COMMANDS][place].value or b""
    change(run, Topic.COMMANDS, place, value=value.replace(b"both came", b"none came"))


def forged_command(run: Run) -> None:
    """A stranger's adoption of officers, which the store calls effective."""
    headers = (*encode("x", "forged", "rollstream.reference.adopted.v1"), ("rollstream-officer", b"admin"))
    run.append(Topic.COMMANDS, 0, b"x", b"{}", headers)
    run.store["commands"].append({"_id": "forged", "verdict": "effective", "as_of": 0, "command_offset": 1})


def forged_marker(topic: Topic) -> Callable[[Run], object]:
    def plant(run: Run) -> None:
        marker = run.topics[topic][at(run, topic, 0, MARKER)]
        value = canonical({**json.loads(marker.value or b""), "epoch": 3})
        run.append(topic, marker.partition, b"!marker/3", value, marker.headers)

    return plant


def late_record(topic: Topic) -> Callable[[Run], object]:
    """The last record before a marker changes places with it."""

    def plant(run: Run) -> None:
        records = run.topics[topic]
        place = next(
            index
            for index, each in enumerate(records)
            if index
            and dict(each.headers)["ce_type"] == MARKER
            and dict(records[index - 1].headers)["ce_type"] != MARKER
            and records[index - 1].partition == each.partition
        )
        before, marker = records[place - 1], records[place]
        records[place - 1] = replace(marker, offset=before.offset)
        records[place] = replace(before, offset=marker.offset)

    return plant


def foreign(topic: Topic) -> Callable[[Run], object]:
    return lambda run: run.append(topic, 0, b"k", b"{}", encode("stranger", "1", "other.type"))


def drop_stored(collection: str, number: int = 0) -> Callable[[Run], object]:
    return lambda run: run.store[collection].pop(number)


def lose_claimed_conflict(run: Run) -> None:
    """One that matching claims: a reported one may yet come, as far as the audit can tell."""
    stored = run.store["conflicts"]
    stored.remove(next(each for each in stored if each["class"] != "reported"))


def of_kind(run: Run, outcome: str) -> dict[str, Any]:
    return next(each for each in run.store["outcomes"] if each["outcome"] == outcome)


def twice(run: Run) -> None:
    """An accepted event has an outcome besides, and of another kind."""
    version = run.store["registrations"][0]["history"][0]
    run.store["outcomes"].append(
        {"_id": f"{version['partition']}/{version['offset']}", "outcome": "rejected", "reason": "state"}
    )


def second_effect(run: Run) -> None:
    history = run.store["registrations"][0]["history"]
    history.append({**history[0], "offset": history[0]["offset"] + 1})


def lose_claimed(run: Run) -> None:
    run.store["conflicts"] = [each for each in run.store["conflicts"] if each["class"] == "reported"]


def status_of(status: str) -> Callable[[Run], object]:
    def plant(run: Run) -> None:
        found = next(each for each in run.store["conflicts"] if each["status"] != status)
        found["status"] = status

    return plant


def claim_of_nobody(run: Run) -> None:
    place = next(
        index for index, each in enumerate(run.topics[Topic.CHECKED]) if b'"claim_id"' in (each.value or b"")
    )
    told = json.loads(run.topics[Topic.CHECKED][place].value or b"")
    told["claims"][0]["other"]["digest"] = "9" * 64
    change(run, Topic.CHECKED, place, value=canonical(told))


def finders_differ(run: Run) -> None:
    place = next(
        index for index, each in enumerate(run.topics[Topic.CHECKED]) if b'"claim_id"' in (each.value or b"")
    )
    told = json.loads(run.topics[Topic.CHECKED][place].value or b"")
    told["claims"][0]["weight"] += 1
    change(run, Topic.CHECKED, place, value=canonical(told))


def other_letter(run: Run) -> None:
    place = next(index for index, each in enumerate(run.topics[Topic.DEAD_LETTERS]) if each.value == b"{")
    change(run, Topic.DEAD_LETTERS, place, value=b"[")


def beyond(run: Run) -> None:
    run.store["progress"][0]["next_offset"] += 1


def other_signer(run: Run) -> None:
    record = run.topics[Topic.OPERATIONS][1]
    ours = dict(CommandBuilder(run.register).signed("t", "i", record.value or b"", "admin", key_of("nobody")))
    headers = {**dict(record.headers), "rollstream-signature": ours["rollstream-signature"]}
    change(run, Topic.OPERATIONS, 1, headers=tuple(headers.items()))


def cut(run: Run) -> None:
    run.begins[Topic.EVENTS, 0] = 1


OF_NOTHING = {"_id": "1/3", "outcome": "ignored"}
OF_NOBODY = {"_id": "x", "verdict": "open", "as_of": 0, "offset": 0}

FAULTS: list[tuple[Check, str, Callable[[Run], object]]] = [
    ("log", "the beginning of the events was deleted", cut),
    ("progress", "a service has settled more than there is", beyond),
    ("accepted", "a lost event", lose(Topic.EVENTS)),
    ("accepted", "a lost accepted record", lose(Topic.ACCEPTED)),
    ("accepted", "a doubled accepted record", again(Topic.ACCEPTED)),
    ("accepted", "a changed byte of an accepted record", spoil(Topic.ACCEPTED)),
    ("one_effect", "an event with a second effect", again(Topic.ACCEPTED)),
    ("one_effect", "an event with a second effect in the store", second_effect),
    ("rejected", "a lost rejection", lose(Topic.REJECTED)),
    ("rejected", "a changed byte of a rejection", spoil(Topic.REJECTED)),
    ("rejected", "a rejection of nothing", again(Topic.REJECTED)),
    ("dead_letters", "a lost dead letter", lose(Topic.DEAD_LETTERS)),
    ("dead_letters", "a dead letter of another record", other_letter),
    ("receipts", "a lost receipt", lose(Topic.RECEIPTS)),
    ("receipts", "a changed byte of a receipt", spoil(Topic.RECEIPTS)),
    ("checked", "a lost checked record", lose(Topic.CHECKED)),
    ("checked", "a doubled checked record", again(Topic.CHECKED)),
    ("checked", "a changed byte of a checked record", spoil(Topic.CHECKED)),
    ("claims", "a claim of a version that never was", claim_of_nobody),
    ("claims", "two finders who differ", finders_differ),
    ("markers", "a marker lost on accepted", lose(Topic.ACCEPTED, 0, MARKER)),
    ("markers", "a marker lost on checked", lose(Topic.CHECKED, -1, MARKER)),
    ("markers", "a forged marker on accepted", forged_marker(Topic.ACCEPTED)),
    ("markers", "a forged marker on checked", forged_marker(Topic.CHECKED)),
    ("markers", "an accepted record after the marker", late_record(Topic.ACCEPTED)),
    ("markers", "a checked record after the marker", late_record(Topic.CHECKED)),
    ("outcomes", "an outcome stored twice, of another kind", twice),
    (
        "outcomes",
        "a lost outcome of a rejected event",
        lambda run: run.store["outcomes"].remove(of_kind(run, "rejected")),
    ),
    (
        "outcomes",
        "an ignored event that is not stored",
        lambda run: run.store["outcomes"].remove(of_kind(run, "ignored")),
    ),
    (
        "outcomes",
        "an ignored event stored as rejected",
        lambda run: of_kind(run, "ignored").update(outcome="rejected"),
    ),
    ("outcomes", "another reason", lambda run: of_kind(run, "rejected").update(reason="state")),
    (
        "outcomes",
        "a void marker stored as one",
        lambda run: of_kind(run, "void_marker").update(outcome="marker"),
    ),
    (
        "outcomes",
        "a run that ends elsewhere",
        lambda run: [each.update(last_offset=99) for each in run.store["outcomes"] if each["last_offset"]],
    ),
    (
        "outcomes",
        "an outcome of another event",
        lambda run: of_kind(run, "ignored").update(event_id="other"),
    ),
    ("outcomes", "more errors", lambda run: of_kind(run, "rejected").update(errors_total=7)),
    ("outcomes", "an outcome of nothing", lambda run: run.store["outcomes"].append(dict(OF_NOTHING))),
    ("commands", "a command that nobody sent", lambda run: run.store["commands"].append(dict(OF_NOBODY))),
    ("commands", "another verdict", lambda run: run.store["commands"][3].update(verdict="refused")),
    ("commands", "settled at no time", lambda run: run.store["commands"][1].update(settled_at=None)),
    (
        "registrations",
        "versions in another order",
        lambda run: run.document("registrations", "010203-A")["history"].reverse(),
    ),
    ("commands", "a forged command", forged_command),
    ("commands", "a verdict that is not stored", drop_stored("commands")),
    ("commands", "another approver", lambda run: run.store["commands"][3].update(approved_by="admin")),
    ("registrations", "a lost registration", drop_stored("registrations")),
    ("registrations", "another voter", lambda run: run.store["registrations"][0]["voter"].update(sex="male")),
    ("registrations", "another status", lambda run: run.store["registrations"][0].update(status="removed")),
    (
        "registrations",
        "a lost version",
        lambda run: run.document("registrations", "010203-A")["history"].pop(),
    ),
    ("capture_batches", "a lost capture batch", drop_stored("capture_batches")),
    (
        "capture_batches",
        "a sequence that did not arrive",
        lambda run: run.store["capture_batches"][0]["received"].pop(),
    ),
    ("conflicts", "a conflict that is not open", status_of("open")),
    ("conflicts", "a conflict that is not decided", status_of("decided")),
    ("conflicts", "a conflict that is not void", status_of("void")),
    ("conflicts", "a lost conflict", lose_claimed_conflict),
    ("conflicts", "another probability", lambda run: run.store["conflicts"][0].update(probability=0.1)),
    ("rolls", "another root", lambda run: run.store["rolls"][0].update(roll_root="0" * 64)),
    (
        "rolls",
        "a version that nobody finalised",
        lambda run: run.store["rolls"].append({**run.store["rolls"][0], "_id": "x/1"}),
    ),
    ("lists", "a lost list", lose(Topic.LISTS)),
    ("lists", "a swapped entry", forge_list(swapped)),
    ("lists", "a left out entry", forge_list(lambda entries: entries[:-1])),
    ("lists", "another epoch", forge_list(same, epoch=1)),
    ("manifests", "a lost province manifest", lose(Topic.MANIFESTS)),
    (
        "manifests",
        "a roll manifest of an earlier version that is lost",
        lambda run: run.topics[Topic.MANIFESTS].pop(
            [each.key for each in run.topics[Topic.MANIFESTS]].index(f"{ROLL}/1".encode())
        ),
    ),
    ("one_list", "a voter on two lists", also_elsewhere),
    ("one_list", "a voter twice on a list", forge_list(lambda entries: [*entries, entries[0]])),
    ("one_list", "two registrations of a person on two lists", one_person_twice),
    ("capacity", "751 entries", forge_list(too_many)),
    ("two_officers", "a list with one officer only", unapproved),
    ("signatures", "a list signed by a key that was never adopted", forge_list(same, "stranger")),
    ("signatures", "a changed byte of a list", spoil(Topic.LISTS)),
    ("signatures", "a changed byte of a manifest", spoil(Topic.MANIFESTS)),
    ("chain", "another head of the chain", other_head),
    ("chain", "a command that was rewritten", rewritten_command),
    *[
        ("foreign", f"a foreign record on {topic.value}", foreign(topic))
        for topic in OUTPUTS
        if topic != Topic.OPERATIONS
    ],
    ("operations", "a lost operational act", lose(Topic.OPERATIONS)),
    ("operations", "a changed byte of an operational act", spoil(Topic.OPERATIONS)),
    ("operations", "an act that somebody else signed", other_signer),
    ("operations", "a foreign record among the acts", foreign(Topic.OPERATIONS)),
]


@pytest.mark.parametrize(("check", "plant"), [each[::2] for each in FAULTS], ids=[each[1] for each in FAULTS])
async def test_a_planted_fault_is_found_by_its_check(check: Check, plant: Callable[[Run], object]) -> None:
    run = good_run()
    plant(run)
    report = await run.audit()
    assert report.broken_of[check], report.broken
    assert any(each.check == check for each in report.broken)


def test_each_check_has_a_fault() -> None:
    assert {check for check, _, _ in FAULTS} == set(CHECKS)


async def test_a_record_that_cannot_be_read_on_an_own_topic_is_foreign() -> None:
    run = good_run()
    run.topics[Topic.CHECKED].append(LogRecord(0, 99, 0, None, None, (), "undecodable_batch", 99))
    assert (await run.audit()).broken_of == {"foreign": 1}


def test_the_planted_signatures_are_good_ones() -> None:
    assert public_pem("lists") in good_run().files.values()
    assert OutputType.MARKER.value.encode() == MARKER
