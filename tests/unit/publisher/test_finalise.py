"""Publishing survives a crash or a pause at any moment: equal bytes, or nothing."""

import copy
import json
from collections.abc import Iterable, Sequence
from typing import Any, cast

import pytest

from services.publisher.compile import Compiled, Compiler
from services.publisher.store import EpochEnd, RollStore
from shared.commands.state import State, Verdict
from shared.contracts.commands import CommandType
from shared.contracts.identity import canonical
from shared.contracts.topics import Topic
from shared.crypto import signing
from shared.process.errors import StopService, StoreRolledBack, TransientError
from shared.runtime.record import Output, Record
from tests.kit.checked_records import checked_output
from tests.kit.command_log import REGISTER, key_of
from tests.kit.memory_mongo import MemoryMongo
from tests.kit.memory_register import MemoryFeed, MemoryFiles, MemoryTopics
from tests.kit.publisher_desk import FIRST, PARTITIONS, SECOND, STATIONS, Desk, blocked, first_version


class DroppedAtTheEnd(RollStore):
    """Its database is dropped before the end of an epoch is stored."""

    def __init__(self, mongo: MemoryMongo) -> None:
        super().__init__(mongo.as_mongo())
        self._dropped = mongo

    async def end_epochs(self, ends: Sequence[EpochEnd]) -> None:
        self._dropped.collections.clear()
        await super().end_epochs(ends)


async def test_an_end_that_was_stored_into_a_new_store_counts_when_that_has_all_before_it() -> None:
    desk = Desk()
    desk.commands.cut_off(1)
    desk.commands.finalise()
    records = desk.records(1, [checked_output(each, at, PARTITIONS, **more) for each, at, more in FIRST])
    with pytest.raises(StoreRolledBack):
        await desk.read(*records, roll=DroppedAtTheEnd(desk.mongo))
    assert desk.mongo.dump()["roll_epochs"] and not desk.mongo.dump().get("roll")
    for number in range(len(records)):  # one record at a time, as a new process reads them
        await desk.finaliser().judge_all()
        assert desk.sent() == {}, number
        await desk.read(records[number])
    await desk.finaliser().judge_all()
    assert desk.sent() == await expected_first()


class Breaks(MemoryTopics):
    """Sends to the desk's topics, and fails instead of the send number `at`, or after half of it."""

    def __init__(self, topics: MemoryTopics, at: int, *, half: bool) -> None:
        super().__init__(topics.records)
        self.left = at
        self.half = half

    async def send(self, outputs: Iterable[Output]) -> None:
        if self.left == 0:
            if self.half:
                await super().send(list(outputs)[:1])
            raise TransientError("the broker is away")
        self.left -= 1
        await super().send(outputs)


async def expected_first() -> dict[bytes | None, set[bytes | None]]:
    desk = await first_version()
    await desk.finaliser().judge_all()
    return desk.sent()


async def test_a_version_is_all_lists_all_manifests_and_last_the_roll_manifest() -> None:
    desk = await first_version()
    await desk.finaliser().judge_all()
    keys = {b"roll-1/S-1/1", b"roll-1/S-2/1", b"roll-1/S-3/1", b"roll-1/01/1", b"roll-1/02/1", b"roll-1/1"}
    assert set(desk.sent()) == keys
    assert [record.key for record in desk.topics.of(Topic.MANIFESTS, 0)][-1] == b"roll-1/1"


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("at", range(5))
async def test_a_crash_at_any_send_is_resumed_with_the_same_bytes(at: int, half: bool) -> None:
    desk = await first_version()
    with pytest.raises(TransientError):
        await desk.finaliser(Breaks(desk.topics, at, half=half)).judge_all()
    if not (half and at == 4):
        assert b"roll-1/1" not in desk.sent()
    await desk.finaliser().judge_all()
    assert desk.sent() == await expected_first()
    assert [found["state"] for found in await desk.versions()] == ["published"]


async def test_what_is_published_is_never_sent_again() -> None:
    desk = await first_version()
    await desk.finaliser().judge_all()
    records = {where: list(there) for where, there in desk.topics.records.items()}
    await desk.finaliser().judge_all()
    await desk.lose_store()
    await desk.finaliser().judge_all()
    assert desk.topics.records == records
    assert [found["state"] for found in await desk.versions()] == ["published"]


async def test_the_next_version_names_everyone_who_left_a_station() -> None:
    desk = await first_version()
    desk.commands.cut_off(2)
    desk.commands.finalise(epoch=2)
    await desk.epoch(2, *SECOND)
    await desk.finaliser().judge_all()
    removed = {}
    for station in ("S-1", "S-2", "S-3"):
        (value,) = desk.sent()[f"roll-1/{station}/2".encode()]
        removed[station] = json.loads(value or b"")["removed"]
    assert removed == {
        "S-1": [{"registration_id": "r-1", "reason": "transferred", "by": None}],
        "S-2": [{"registration_id": "r-2", "reason": "deceased", "by": "event-r-2-11"}],
        "S-3": [{"registration_id": "r-3", "reason": "transferred", "by": None}],
    }


@pytest.mark.parametrize(
    ("records", "reason", "names"),
    [
        ([(f"r-{each}", each, {}) for each in range(4)], "no_seat", ["r-2", "r-3"]),
        ([(f"r-{each}", each, {"station": "S-1"}) for each in range(3)], "over_full", ["S-1"]),
        ([("r-1", 1, {"village": "09090909"})], "no_seat", ["r-1"]),
    ],
)
async def test_a_version_in_which_somebody_has_no_place_is_refused_before_anything_is_sent(
    records: list[tuple[str, int, dict[str, Any]]], reason: str, names: list[str]
) -> None:
    desk = Desk()
    desk.commands.cut_off(1)
    refused = desk.commands.finalise()
    await desk.epoch(1, *records)
    await desk.finaliser().judge_all()
    found = desk.verdict_on(refused)
    assert (found["verdict"], found["reason"], found["names"]) == ("refused", reason, names)
    assert desk.sent() == {} and desk.mongo.dump().get("lists", []) == []


async def test_a_lost_store_is_rebuilt_with_a_newer_signing_key_only_past_what_was_refused() -> None:
    desk = Desk()
    desk.commands.cut_off(1)
    refused = desk.commands.finalise()
    await desk.epoch(1, *((f"r-{each}", each, {}) for each in range(4)))
    desk.commands.adopt("stations", STATIONS.replace(b"S-1,,,010203,,2", b"S-1,,,010203,,9"), "2")
    desk.commands.finalise()
    await desk.finaliser().judge_all()
    sent, versions = desk.sent(), await desk.versions()
    desk.commands.adopt("signing_key", signing.public_pem(key_of("newer").public_key()), "2")
    await desk.lose_store()
    newer = desk.finaliser(key="newer")
    await newer.judge_all()
    assert (desk.sent(), await desk.versions(), blocked(newer)) == (sent, versions, set())
    found = desk.verdict_on(refused)
    assert (found["verdict"], found["reason"]) == ("refused", "no_seat")


async def test_what_waits_for_its_signing_key_is_judged_once_and_leaves_no_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = await first_version()
    other, judged = desk.finaliser(key="other"), []
    manifests = desk.manifests
    compile_once = Compiler.compile

    async def counted(self: Compiler, state: State, *, store: bool = True) -> Compiled:
        judged.append(store)
        return await compile_once(self, state, store=store)

    monkeypatch.setattr(Compiler, "compile", counted)
    await other.judge_all()
    await other.judge_all()
    assert blocked(other) == {"signing_key"} and judged == [False]
    assert manifests.looks == 1  # the topic holds every manifest of every roll
    assert desk.sent() == {} and desk.mongo.dump().get("lists", []) == []
    await desk.finaliser().judge_all()
    assert desk.sent() == await expected_first()


def adopt_key(desk: Desk, name: str, **more: Any) -> None:
    desk.commands.adopt("signing_key", signing.public_pem(key_of(name).public_key()), name, **more)


async def test_a_key_that_replaces_a_lost_one_signs_what_that_left_unpublished() -> None:
    desk = await first_version()
    adopt_key(desk, "newer")
    newer = desk.finaliser(key="newer")
    await newer.judge_all()
    assert desk.sent() == {} and blocked(newer) == {"signing_key"}
    adopt_key(desk, "newest", lost=True)
    await desk.finaliser(key="newest").judge_all()
    assert desk.sent().keys() == (await expected_first()).keys()
    (value,) = desk.sent()[b"roll-1/1"]
    key_id = signing.key_id(key_of("newest").public_key())
    assert json.loads(value or b"")["signature"]["key_id"] == key_id


async def test_what_was_signed_with_a_key_that_is_lost_later_is_not_published_again() -> None:
    desk = await first_version()
    await desk.finaliser().judge_all()
    sent = desk.sent()
    adopt_key(desk, "newest", lost=True)
    await desk.lose_store()
    await desk.finaliser(key="newest").judge_all()
    assert desk.sent() == sent
    assert [each["state"] for each in await desk.versions()] == ["published"]


async def test_a_key_adopted_as_lost_waits_no_longer_than_its_adoption() -> None:
    desk = await first_version()
    waiting = desk.finaliser(key="newest")
    await waiting.judge_all()
    assert blocked(waiting) == {"signing_key"}
    adopt_key(desk, "newest", lost=True)
    waiting._commands = desk.finaliser()._commands  # it reads on
    await waiting.judge_all()
    assert blocked(waiting) == set() and b"roll-1/1" in desk.sent()


async def test_a_manifest_that_differs_from_what_the_log_gives_stops_the_publisher() -> None:
    desk = await first_version()
    await desk.finaliser().judge_all()
    desk.checked = [each for each in desk.checked if each.key != b"r-3"]
    await desk.lose_store()
    with pytest.raises(StopService, match="other contents"):
        await desk.finaliser().judge_all()


async def test_a_stations_file_that_was_taken_away_is_waited_for_and_shown() -> None:
    desk = await first_version()
    waiting = desk.finaliser()
    del desk.commands.files[desk.commands.file(STATIONS)]
    await waiting.judge_all()
    assert desk.sent() == {} and blocked(waiting) == {"reference"}
    await waiting.judge_all()  # again a second later
    assert desk.manifests.looks == 0  # the topic holds every manifest of every roll
    assert desk.mongo.dump().get("rolls", []) == []
    desk.commands.file(STATIONS)
    await waiting.judge_all()
    assert desk.sent() == await expected_first() and blocked(waiting) == set()


async def test_one_that_waits_for_its_epoch_holds_up_those_after_it() -> None:
    desk = await first_version()
    desk.commands.cut_off(2)
    desk.commands.finalise(epoch=2, roll="later")
    desk.commands.finalise(epoch=1, roll="after")
    waiting = desk.finaliser()
    await waiting.judge_all()
    assert blocked(waiting) == {"epoch"}
    assert [found["_id"] for found in await desk.versions()] == ["roll-1/1"]
    await desk.epoch(2, *SECOND)
    await waiting.judge_all()
    assert [found["_id"] for found in await desk.versions()] == ["roll-1/1", "later/1"]
    found = {each["_id"]: each.get("reason") for each in desk.mongo.dump()["commands"]}
    assert [reason for reason in found.values() if reason] == ["older_epoch"]


async def test_a_finalised_before_its_cut_off_is_refused() -> None:
    desk = Desk()
    early = desk.commands.finalise()
    desk.commands.cut_off(1)
    await desk.epoch(1, *FIRST)
    await desk.finaliser().judge_all()
    found = desk.verdict_on(early)
    assert (found["verdict"], found["reason"], found["command_offset"]) == ("refused", "no_cut_off", None)
    assert found["names"] == []


async def test_a_finalised_that_the_fold_refuses_has_names_too() -> None:
    desk = await first_version()
    data = json.loads(next(each.value for each in desk.commands.messages if b"commune_council" in each.value))
    refused = desk.commands.send(CommandType.FINALISED, data, "admin")
    await desk.finaliser().judge_all()
    found = desk.verdict_on(refused)
    assert (found["reason"], found["names"]) == ("role", [])


async def test_verdicts_of_all_commands_are_stored() -> None:
    desk = await first_version()
    desk.commands.cut_off(7)
    opened = desk.commands.decide(("a", "0" * 64), ("b", "1" * 64), "a", approve=False)
    await desk.finaliser().judge_all()
    verdicts = {each["_id"]: (each["verdict"], each["reason"]) for each in desk.mongo.dump()["commands"]}
    fold = desk.commands.state().verdicts
    assert set(verdicts) == set(fold)
    assert verdicts[opened] == ("open", None)
    assert ("refused", "epoch") in verdicts.values()


@pytest.mark.parametrize("by", ["stranger", "signer"])
async def test_a_manifest_that_no_key_in_force_from_then_on_signed_publishes_nothing(by: str) -> None:
    desk = Desk()
    if by == "signer":  # a key that was in force earlier
        adopt_key(desk, "newer")
    desk.commands.cut_off(1)
    desk.commands.finalise()
    await desk.epoch(1, *FIRST)
    key = "newer" if by == "signer" else "signer"
    right = copy.deepcopy(desk)
    await right.finaliser(key=key).judge_all()
    (value,) = right.sent()[b"roll-1/1"]
    forged = json.loads(value or b"")
    forged["signature"] = signing.sign_json(key_of(by), forged["manifest"])
    output = Output(Topic.MANIFESTS.value, 0, b"roll-1/1", canonical(forged))
    await desk.topics.send([output])
    await desk.finaliser(key=key).judge_all()
    assert desk.sent() == {**right.sent(), b"roll-1/1": {value, output.value}}


async def test_a_signed_manifest_sent_again_under_another_version_stops_nobody() -> None:
    desk = await first_version()
    await desk.finaliser().judge_all()
    whole = {record.key: record.value for record in desk.topics.of(Topic.MANIFESTS, 0)}
    for at, key in enumerate([b"roll-1/1", b"roll-1/01/1", None]):
        value = whole[key] if key else b"[" * 100_000
        forged = Record(Topic.MANIFESTS.value, 0, at, 0, b"roll-1/2", value, ())
        desk.topics.of(Topic.MANIFESTS, 0).insert(0, forged)
    desk.commands.finalise()
    await desk.finaliser().judge_all()
    versions = await desk.versions()
    assert [(each["version"], each["state"]) for each in versions] == [(1, "published"), (2, "published")]
    last = json.loads(desk.topics.of(Topic.MANIFESTS, 0)[-1].value or b"")
    assert last["manifest"]["version"] == 2 and "roll_root" in last["manifest"]


async def test_a_command_that_comes_while_verdicts_are_stored_gets_its_whole_document() -> None:
    desk = await first_version()
    desk.commands.finalise(epoch=9)
    finaliser = desk.finaliser()
    feed = cast(MemoryFeed, finaliser._commands)
    grown, log = feed.state, list(desk._log())
    young = MemoryFeed(REGISTER, desk.commands.officers_sha, log[:-2], MemoryFiles(desk.commands.files))
    await young.wait_for_end()
    feed.state = young.state
    save = finaliser._verdicts.save

    async def meanwhile(verdicts: Iterable[Verdict]) -> None:
        await save(list(verdicts))
        young.state.finalise_requests[:] = grown.finalise_requests
        young.state.verdict_log[:] = grown.verdict_log
        young.state.verdicts.update(grown.verdicts)

    finaliser._verdicts.save = meanwhile  # type: ignore[method-assign]
    await finaliser.judge_all()
    await finaliser.judge_all()
    found = await desk.mongo.as_mongo().find_by_ids("commands", [grown.finalise_requests[-1].command_id])
    assert found[0]["verdict"] == "refused"
    assert found[0]["type"] == "rollstream.roll.finalised.v1" and found[0]["offset"] is not None
