"""Registration on a real broker and store: every event accounted for, once, and answered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from engines import Engines, LocalEngine, embedded_engines
from shared.contracts import outputs
from shared.contracts.events import EventType as Type
from shared.contracts.topics import Topic
from shared.runtime.record import Record
from tests.conftest import running
from tests.kit.registration_kit import DEVICE, PARTITIONS, batch_closed, event, raw, registration, removal
from tests.kit.registration_register import Register, new_register, values
from tests.kit.runtime_kit import Running, until

BATCH = "D-0042/D-0042-20261020-1"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines[LocalEngine]]:
    """A broker and a store for these tests alone, which make the contract's topics anew for each."""
    with running(embedded_engines(tmp_path_factory.mktemp("registration")), forget=True) as started:
        yield started


@pytest.fixture
async def register(pair: Engines[LocalEngine], tmp_path: Path) -> AsyncIterator[Register]:
    async with new_register(pair, tmp_path) as made:
        yield made


def structured(record: Record, event_id: str) -> Record:
    """The same event in structured mode."""
    envelope = {
        "specversion": "1.0",
        "id": event_id,
        "source": "capture/D-0042",
        "type": dict(record.headers)["ce_type"].decode(),  # type: ignore[union-attr]
        "data": json.loads(record.value or b""),
    }
    value = json.dumps(envelope, ensure_ascii=False).encode()
    headers = (("content-type", b"application/cloudevents+json; charset=utf-8"),)
    return Record(record.topic, record.partition, 0, 0, record.key, value, headers)


def mixed() -> list[tuple[Record, str]]:
    """Events of every outcome, each with the one it should have."""
    one, two = registration(registration_id="R-1"), registration(registration_id="R-2")
    khmer = registration(
        registration_id="R-3",
        voter__date_of_birth="១៩៩០-០៤-១២",
        capture__sequence=2,
        voter__phone="០១២ ៣៤៥ ៦៧៨",
    )
    return [
        (event(Type.REGISTERED, one, event_id="1"), "accepted"),
        (structured(event(Type.REGISTERED, two), "2"), "accepted"),
        (raw(b"\xff{"), "dead_lettered"),
        (raw(None), "dead_lettered"),
        (event(Type.REGISTERED, khmer, event_id="3"), "accepted"),
        (event(Type.REGISTERED, one, event_id="1"), "ignored"),
        (structured(event(Type.REGISTERED, one), "1"), "ignored"),
        (event(Type.REGISTERED, registration(registration_id="R-4", capture__sequence=3, x=1)), "rejected"),
        (event(Type.REGISTERED, registration(), key=None), "rejected"),
        (event("rollstream.other.v1", [1], key=b"any"), "rejected"),
        (event(Type.CORRECTED, registration(registration_id="R-1", revision=5), event_id="4"), "accepted"),
        (event(Type.REMOVED, removal(registration_id="R-2", revision=2), event_id="5"), "accepted"),
        (event(Type.REGISTERED, registration(registration_id="R-2"), event_id="6"), "rejected"),
        (event(Type.BATCH_CLOSED, batch_closed(last_sequence=17, count=17), event_id="7"), "accepted"),
        (event(Type.MARKER, {"epoch": 1, "command_offset": 0}, key=b"!marker/1"), "void_marker"),
    ]


async def test_every_event_has_exactly_one_outcome_and_goes_where_it_belongs(register: Register) -> None:
    cases = mixed()
    async with register.running():
        places = await register.send(*(record for record, _ in cases))
        await register.settled()
    expected = {place: [outcome] for place, (_, outcome) in zip(places, cases, strict=True)}
    assert await register.outcomes() == expected

    accepted = await register.read(Topic.ACCEPTED)
    assert len(accepted) == 5
    for record in accepted:
        whole = outputs.Accepted.model_validate_json(record.value or b"")
        assert record.key == whole.registration_id.encode()
        assert record.partition == whole.source.partition
        assert whole.epoch == 1
    rejected = [outputs.Rejected.model_validate(each) for each in values(await register.read(Topic.REJECTED))]
    assert sorted(each.reason for each in rejected) == [
        "invalid",
        "key_mismatch",
        "state",
        "unknown_type",
    ]
    dead = await register.read(Topic.DEAD_LETTERS)
    assert [(record.key, record.value) for record in dead] == [(b"any", b"\xff{"), (b"any", None)]
    assert dict(dead[0].headers)["rollstream-dlq-reason"] == b"json"


async def test_an_event_can_be_found_by_its_id_with_what_became_of_it(register: Register) -> None:
    async with register.running():
        await register.send(*(record for record, _ in mixed()))
        await register.settled()
    outcomes = {each["event_id"]: each for each in (await register.documents("outcomes")).values()}
    assert outcomes["6"]["reason"] == "state"
    assert outcomes["6"]["registration_id"] == "R-2"
    stored = await register.documents("registrations")
    assert [version["event_id"] for version in stored["R-2"]["history"]] == ["2", "5"]
    assert stored["R-2"]["status"] == "removed"
    assert stored["R-1"]["revision"] == 5
    [close] = (await register.documents("capture_batches"))[BATCH]["closes"]
    assert close["event_id"] == "7"
    for name in ("outcomes", "registrations", "capture_batches"):
        assert "by_event" in await register.mongo.collection(name).index_information(), name


async def test_a_receipt_follows_the_close_and_every_later_change(register: Register) -> None:
    def captured(sequence: int, **changes: Any) -> Record:
        data = registration(registration_id=f"R-{sequence}", capture__sequence=sequence, **changes)
        return event(Type.REGISTERED, data, event_id=f"e-{sequence}")

    async def last_receipt() -> dict[str, Any]:
        records = [each for each in await register.read(Topic.RECEIPTS) if each.key == BATCH.encode()]
        return values(records)[-1] if records else {}

    async def complete() -> bool:
        return bool((await last_receipt()).get("complete"))

    async with register.running():
        await register.send(captured(1))
        await register.send(event(Type.BATCH_CLOSED, batch_closed(), event_id="close"))
        await until(last_receipt)
        found = outputs.Receipt.model_validate(await last_receipt())
        assert (found.received, found.missing, found.complete) == (1, [[2, 3]], False)
        await register.send(captured(3, residence__village_code="99999999"))
        await register.send(captured(2))
        await until(complete)
    found = outputs.Receipt.model_validate(await last_receipt())
    assert (found.device, found.received, found.rejected) == (DEVICE, 3, [[3, 3]])
    batch = (await register.documents("capture_batches"))[BATCH]
    assert (batch["first"], batch["last"], batch["count"], batch["missing"]) == (1, 3, 3, [])
    assert batch["rejected"] == [3]


async def test_reading_everything_again_changes_nothing_and_sends_nothing(register: Register) -> None:
    async def told(service: Running, expected: list[float]) -> None:
        rejected = service.metrics.rejections.labels(reason="state")
        dead = service.metrics.dead_letters.labels(reason="json")
        settled = service.metrics.records.labels(outcome="dead_lettered")

        async def counted() -> bool:
            return [each._value.get() for each in (rejected, dead, settled)] == expected

        await until(counted)

    async with register.running() as service:
        await register.send(*(record for record, _ in mixed()))
        await register.settled()
        await told(service, [1, 2, 2])
    stored = [await register.documents(name) for name in ("registrations", "outcomes")]
    topics = [await register.read(topic) for topic in (Topic.ACCEPTED, Topic.REJECTED, Topic.DEAD_LETTERS)]
    await register.mongo.collection("progress").delete_many({})
    async with register.running() as service:
        await register.settled()
        await told(service, [0, 0, 2])
    assert [await register.documents(name) for name in ("registrations", "outcomes")] == stored
    assert [
        await register.read(topic) for topic in (Topic.ACCEPTED, Topic.REJECTED, Topic.DEAD_LETTERS)
    ] == topics


async def test_a_dropped_store_is_built_anew_as_it_was(register: Register) -> None:
    register.commands.cut_off(1)
    await register.send_commands()
    async with register.running() as service:
        await register.send(*(record for record, _ in mixed()))
        await until(register.epoch_ended)
        await register.send(
            event(Type.CORRECTED, registration(registration_id="R-3", revision=9), event_id="9")
        )
        await register.settled()
        assert service.metrics.records.labels(outcome="marker")._value.get() == PARTITIONS
        await until(register.receipts_sent)
    before = {name: await register.documents(name) for name in ("registrations", "outcomes", "epochs")}
    batches = await register.documents("capture_batches")
    accepted, receipts = await register.read(Topic.ACCEPTED), await register.read(Topic.RECEIPTS)
    assert {each["epoch"] for each in before["registrations"].values()} == {1, 2}
    for name in (*before, "capture_batches", "progress"):
        await register.mongo.collection(name).drop()
    async with register.running():
        await register.settled()
        await until(register.receipts_sent)
    assert {name: await register.documents(name) for name in before} == before
    again = await register.documents("capture_batches")
    assert again == batches
    assert await register.read(Topic.ACCEPTED) == accepted
    assert await register.read(Topic.RECEIPTS) == receipts


async def test_another_group_on_the_same_log_sends_the_same_bytes(register: Register) -> None:
    async with register.running():
        await register.send(*(record for record, _ in mixed()))
        await register.settled()
    first = await register.read(Topic.ACCEPTED)
    register.group += "-again"
    await register.mongo.collection("progress").delete_many({})
    async with register.running():
        await register.settled()
    both = await register.read(Topic.ACCEPTED)
    sent: dict[bytes | None, set[bytes | None]] = {}
    for record in both:
        sent.setdefault(dict(record.headers)["ce_id"], set()).add(record.value)
    assert len(both) == 2 * len(first)
    assert all(len(each) == 1 for each in sent.values())
