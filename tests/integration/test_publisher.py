"""The publisher on a real broker and store: checked records and commands in, signed lists out."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from audit.verifier import verify_list
from client.keys import ListKey
from client.lists import Follower
from client.verify import verify_paths
from engines import Engines, LocalEngine
from services.publisher.app import create_app
from shared.commands.markers import LATER_MS, passed_marker
from shared.contracts.topics import Topic
from shared.crypto import signing
from shared.process.settings import SigningSettings
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output
from shared.runtime.service import ServiceRun
from tests.kit.checked_records import checked_output, digest_of
from tests.kit.command_log import key_of, marker
from tests.kit.registration_kit import PARTITIONS
from tests.kit.registration_register import Register, new_register
from tests.kit.runtime_kit import Running, until

KEY = ListKey(key_of("signer").public_key())
COLLECTIONS = ("roll", "claims", "epochs", "commands", "rolls", "lists", "progress")
MOVED_STATIONS = b"""station,name_km,name_latin,commune,villages,capacity
010203-02,,,010203,,750
010204-01,,,010204,,750
"""


@dataclass
class Publishing:
    """A register of which only the publisher runs; checked records are made by hand."""

    register: Register
    outputs: Outputs

    async def checked(self, *records: tuple[str, int, dict[str, Any]]) -> None:
        """(id, offset, members of `checked_records.record`)."""
        await self.outputs.send(
            [checked_output(each, offset, PARTITIONS, **members) for each, offset, members in records]
        )

    async def end_epoch(self, epoch: int, partitions: int = PARTITIONS) -> None:
        """Markers in the first `partitions` partitions."""
        state = await self.register.commands_on_the_topic()
        await asyncio.sleep(LATER_MS / 1000)
        markers = [marker(state, epoch, each, topic=Topic.CHECKED) for each in range(partitions)]
        await self.outputs.send([passed_marker(each, Topic.CHECKED) for each in markers])

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Running]:
        service = create_app(self.register.settings)
        run = ServiceRun(service)
        task = asyncio.create_task(run.run())
        try:
            await run.listening.wait()
            yield Running(run, task, service.metrics)
        finally:
            run.stop()
            async with asyncio.timeout(30):
                await asyncio.wait([task])

    async def rolls(self) -> dict[str, dict[str, Any]]:
        """The versions, without the token of who published them."""
        found = await self.register.documents("rolls")
        return {name: {**each, "token": None} for name, each in found.items()}

    async def verdict(self, ce_id: str, verdict: str = "effective") -> dict[str, Any]:
        async def there() -> bool:
            found = (await self.register.documents("commands")).get(ce_id, {})
            return found.get("verdict") == verdict

        await until(there, timeout=40)
        return (await self.register.documents("commands"))[ce_id]

    async def published(self, version: str) -> dict[str, Any]:
        async def there() -> bool:
            return (await self.register.documents("rolls")).get(version, {}).get("state") == "published"

        await until(there, timeout=40)
        return (await self.register.documents("rolls"))[version]

    async def sent(self) -> dict[tuple[str, bytes | None], list[bytes | None]]:
        """What lies on the topics of lists and manifests, by topic and key."""
        found: dict[tuple[str, bytes | None], list[bytes | None]] = {}
        for topic in (Topic.LISTS, Topic.MANIFESTS):
            for record in await self.register.read(topic):
                found.setdefault((record.topic, record.key), []).append(record.value)
        return found


@pytest.fixture
async def publishing(fresh_engines: Engines[LocalEngine], tmp_path: Path) -> AsyncIterator[Publishing]:
    key_file = tmp_path / "signing.pem"
    signing.write_private_key(key_file, key_of("signer"))
    async with new_register(fresh_engines, tmp_path) as register:
        register.settings = register.settings.model_copy(
            update={"signing": SigningSettings(key_file=key_file)}
        )
        outputs = Outputs(register.settings, "test-dedup")
        try:
            yield Publishing(register, outputs)
        finally:
            await outputs.stop()


FIRST: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("r-1", 0, {"station": "010203-01"}),
    ("r-2", 1, {"family": "CHAN", "first_accepted": 1}),
    ("r-3", 2, {"village": "01020401"}),
    ("r-4", 3, {"born": "2015-01-01"}),
    ("r-5", 4, {}),
    ("r-5", 5, {"removal": "deceased"}),
    ("r-6", 6, {"claims": (("r-2", "first"),), "first_accepted": 2}),
)


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["registration_id"] for row in rows]


async def test_checked_records_and_a_finalised_give_one_whole_version_that_verifies(
    publishing: Publishing, tmp_path: Path
) -> None:
    commands = publishing.register.commands
    pair = ("r-2", digest_of("r-2first")), ("r-6", digest_of("r-6first"))
    async with publishing.running() as service:
        await publishing.checked(*FIRST)
        commands.cut_off(1)
        refused = commands.finalise()
        decision = commands.decide(*pair, "r-2")
        effective = commands.finalise()
        await publishing.register.send_commands()
        await publishing.end_epoch(1, PARTITIONS - 1)

        # The epoch is not complete while one partition's marker is missing: everything waits.
        await until(lambda: blocked(service, "epoch") == 1, timeout=40)
        assert (await publishing.verdict(refused, "open"))["approved_by"] == "approver"
        assert await publishing.sent() == {}
        await publishing.end_epoch(1)

        found = await publishing.verdict(refused, "refused")
        assert (found["reason"], found["names"]) == ("undecided", [["r-2", "r-6"]])
        await publishing.verdict(effective)
        roll = await publishing.published("roll-1/1")
        assert (roll["entries"], roll["stations"]) == (3, 3)
        assert roll["excluded"] == {"age": 1, "deceased": 1, "decided": 1}
        # It is told after the version is stored as published.
        await until(lambda: blocked(service, "epoch") == 0, timeout=10)
        assert (await publishing.verdict(decision))["command_offset"] is not None

    follower = Follower(publishing.register.settings, tmp_path / "lists", [KEY])
    followed = await follower.follow(once=True)
    assert (followed.versions, followed.refused) == ([("roll-1", 1)], 0)
    report = verify_paths([tmp_path / "lists"], [KEY])
    assert report.faults == [] and report.whole == [("kh-test", "roll-1", 1)]
    folder = tmp_path / "lists" / "roll-1" / "1" / "lists"
    lists = {file.stem: json.loads(file.read_bytes()) for file in folder.iterdir()}
    assert {station: ids(each["entries"]) for station, each in lists.items()} == {
        "010203-01": ["r-2", "r-1"],
        "010203-02": [],
        "010204-01": ["r-3"],
    }
    for file in folder.iterdir():
        verify_list(file.read_bytes(), signing.public_pem(KEY.key))
    manifest = json.loads((folder.parent / "roll.json").read_bytes())["manifest"]
    offset = manifest["command_offset"]
    on_the_topic = await publishing.register.commands_on_the_topic()
    assert manifest["audit_head"] == on_the_topic.audit_head_at(offset).hex()


async def test_a_lost_store_is_rebuilt_without_sending_anything_again_and_the_next_version_names_who_left(
    publishing: Publishing, tmp_path: Path
) -> None:
    commands = publishing.register.commands
    commands.cut_off(1)
    commands.finalise(undecided="hold_later")
    await publishing.register.send_commands()
    async with publishing.running():
        await publishing.checked(*FIRST)
        await publishing.end_epoch(1)
        await publishing.published("roll-1/1")
        # The next epoch goes on meanwhile.
        await publishing.checked(
            ("r-1", 10, {"epoch": 2, "removal": "moved"}),
            ("r-2", 11, {"epoch": 2, "data": "b", "village": "01020401"}),
        )
    before = await publishing.sent()
    rolls = await publishing.rolls()
    assert all(len(values) == 1 for values in before.values())

    for name in COLLECTIONS:
        await publishing.register.mongo.collection(name).drop()
    async with publishing.running():
        await publishing.published("roll-1/1")
        assert await publishing.sent() == before
        assert await publishing.rolls() == rolls

        commands.adopt("stations", MOVED_STATIONS, "2")
        commands.cut_off(2)
        older = commands.finalise(epoch=1, undecided="hold_later")
        commands.finalise(epoch=2, undecided="hold_later")
        still_older = commands.finalise(epoch=1)
        await publishing.register.send_commands()
        await publishing.end_epoch(2)
        await publishing.published("roll-1/3")
        assert (await publishing.verdict(still_older, "refused"))["reason"] == "older_epoch"
        await publishing.verdict(older)

    await Follower(publishing.register.settings, tmp_path / "lists", [KEY]).follow(once=True)
    report = verify_paths([tmp_path / "lists"], [KEY])
    assert report.faults == [] and [version for _, _, version in report.whole] == [1, 2, 3]
    lists = {
        file.stem: json.loads(file.read_bytes())
        for file in (tmp_path / "lists" / "roll-1" / "3" / "lists").iterdir()
    }
    assert {station: ids(each["entries"]) for station, each in lists.items()} == {
        "010203-02": ["r-6"],
        "010204-01": ["r-2", "r-3"],
    }
    closed = json.loads((tmp_path / "lists/roll-1/2/lists/010203-01.json").read_bytes())
    assert closed["entries"] == []
    # Epoch 1 anew with the new stations: both who stood at the closed one are seated at the other.
    assert closed["removed"] == [
        {"registration_id": "r-1", "reason": "reassigned", "by": None},
        {"registration_id": "r-2", "reason": "reassigned", "by": None},
    ]
    assert lists["010203-02"]["removed"] == [
        {"registration_id": "r-1", "reason": "moved", "by": "event-r-1-10"},
        {"registration_id": "r-2", "reason": "transferred", "by": None},
    ]


async def test_without_the_key_in_force_nothing_is_published(publishing: Publishing, tmp_path: Path) -> None:
    commands = publishing.register.commands
    other = tmp_path / "other.pem"
    signing.write_private_key(other, key_of("other"))
    right = publishing.register.settings
    publishing.register.settings = right.model_copy(update={"signing": SigningSettings(key_file=other)})
    commands.cut_off(1)
    commands.finalise(undecided="hold_later")
    await publishing.register.send_commands()
    await publishing.checked(*FIRST)
    await publishing.end_epoch(1)
    with capture_logs() as logs:
        async with publishing.running() as service:
            await until(lambda: blocked(service, "signing_key") == 1, timeout=40)
            assert await publishing.sent() == {}
    assert [each["cause"] for each in logs if each["event"] == "finalised waits"][-1:] == ["signing_key"]
    publishing.register.settings = right
    async with publishing.running():
        await publishing.published("roll-1/1")


async def test_a_record_that_is_none_stops_the_publisher(publishing: Publishing) -> None:
    await publishing.outputs.send([Output(Topic.CHECKED.value, 0, b"k", b"{}", (("ce_type", b"x"),))])
    async with publishing.running() as service:
        async with asyncio.timeout(40):
            assert await service.task == 1
        failure = service.run.failure
        assert failure is not None and failure.cause == "own_topic"


def blocked(service: Running, cause: str) -> float:
    value = service.metrics.finalised_blocked.labels(cause=cause)._value.get()
    return float(value)
