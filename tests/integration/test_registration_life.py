"""Registration at a cut-off, without reference data, under a store that goes back, among dead letters."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from engines import Engines, LocalEngine, embedded_engines
from shared.contracts.events import EventType as Type
from shared.contracts.topics import Topic
from shared.runtime.record import Record
from tests.conftest import running
from tests.kit.command_log import marker
from tests.kit.registration_kit import PARTITIONS, event, raw, registration
from tests.kit.registration_register import Register, new_register
from tests.kit.runtime_kit import until


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines[LocalEngine]]:
    """A broker and a store for these tests alone, which make the contract's topics anew for each."""
    with running(embedded_engines(tmp_path_factory.mktemp("registration")), forget=True) as started:
        yield started


@pytest.fixture
async def register(pair: Engines[LocalEngine], tmp_path: Path) -> AsyncIterator[Register]:
    async with new_register(pair, tmp_path) as made:
        yield made


async def test_a_cut_off_ends_the_epoch_in_every_partition_behind_all_that_came_before(
    register: Register,
) -> None:
    def named(number: int) -> Record:
        return event(Type.REGISTERED, registration(registration_id=f"R-{number}"), event_id=f"e-{number}")

    async with register.running():
        await register.send(*(named(number) for number in range(20)))
        register.commands.cut_off(1)
        await register.send_commands()
        await until(register.epoch_ended)
        await register.send(*(named(number) for number in range(20, 40)))
        await register.settled()
    accepted = await register.read(Topic.ACCEPTED)
    epoch = dict.fromkeys(range(PARTITIONS), 1)
    for record in accepted:
        if record.key == b"!marker/1":
            epoch[record.partition] += 1
        else:
            assert json.loads(record.value or b"")["epoch"] == epoch[record.partition]
    assert set(epoch.values()) == {2}
    stored = (await register.documents("registrations")).values()
    assert {each["_id"]: each["epoch"] for each in stored} == {
        f"R-{number}": 1 if number < 20 else 2 for number in range(40)
    }


async def test_a_second_marker_has_no_effect_and_a_restart_writes_none(register: Register) -> None:
    register.commands.cut_off(1)
    await register.send_commands()
    async with register.running():
        await until(register.epoch_ended)
        await register.send(marker(await register.commands_on_the_topic(), 1, 2))
        await register.settled()
    async with register.running() as service:
        await until(lambda: service.run._service.health.ready()[0])
        await register.send(event(Type.REGISTERED, registration(), event_id="late"))
        await register.settled()
    assert len(await register.read(Topic.EVENTS)) == PARTITIONS + 2
    assert sum(each.key == b"!marker/1" for each in await register.read(Topic.ACCEPTED)) == PARTITIONS
    kinds = sorted(each["outcome"] for each in (await register.documents("outcomes")).values())
    assert kinds == ["marker"] * (PARTITIONS + 1)


async def test_without_reference_data_it_waits_alive_but_not_ready_and_says_for_what(
    pair: Engines[LocalEngine], tmp_path: Path
) -> None:
    async with new_register(pair, tmp_path, founded=False) as register:
        async with register.running() as service:
            await register.send(event(Type.REGISTERED, registration()))
            waiting = 'rollstream_reference_waiting{kind="gazetteer",service="registration"} 1.0'
            await until(lambda: _shows(service, waiting))
            assert (await service.get("/health/live"))[0] == 200
            assert (await service.get("/health/ready"))[0] == 503
            assert not await register.outcomes()
            await register.send_commands()
            await register.settled()
            assert (await service.get("/health/ready"))[0] == 200
            assert not await _shows(service, waiting)
        assert list((await register.outcomes()).values()) == [["accepted"]]


async def _shows(service: Any, text: str) -> bool:
    return text in (await service.get("/metrics"))[1]


async def test_a_store_that_is_rolled_back_under_it_ends_the_service_before_any_effect(
    register: Register,
) -> None:
    async with register.running() as service:
        await register.send(event(Type.REGISTERED, registration(registration_id="R-1"), event_id="1"))
        await register.settled()
        await register.mongo.collection("progress").delete_many({})
        await register.mongo.collection("registrations").delete_many({})
        await register.send(
            event(Type.CORRECTED, registration(registration_id="R-1", revision=2), event_id="2")
        )
        assert await service.exit_code() == 1
    assert not await register.documents("registrations")
    async with register.running():
        await register.settled()
    assert len((await register.documents("registrations"))["R-1"]["history"]) == 2


async def test_however_many_dead_letters_the_service_goes_on(register: Register) -> None:
    async with register.running():
        await register.send(*(raw(b"{") for _ in range(2_000)))
        await register.send(event(Type.REGISTERED, registration(), event_id="honest"))
        await register.settled()
    assert len(await register.read(Topic.DEAD_LETTERS)) == 2_000
    assert len(await register.read(Topic.ACCEPTED)) == 1


async def test_no_personal_data_leave_in_logs_metrics_errors_or_rejections(
    register: Register, capfd: pytest.CaptureFixture[str]
) -> None:
    name, document, phone = "CANARYNAME", "CANARY-77-DOC", "099 777 7777 7"
    spoilt = registration(
        voter__family_name={"latin": name},
        voter__identity_document={"kind": "passport", "number": document},
        voter__phone=phone,
    )
    broken = json.dumps(spoilt).encode()
    bad = [
        event(Type.REGISTERED, {**spoilt, "revision": 2}, event_id="1"),
        event(Type.REGISTERED, {**spoilt, name: document}, event_id="2"),
        event(Type.REGISTERED, {**spoilt, "voter": {**spoilt["voter"], "sex": name}}, event_id="3"),
        event(Type.REGISTERED, {**spoilt, "residence": {"village_code": phone}}, event_id="4"),
        event(Type.CORRECTED, spoilt, event_id="5"),
        event(Type.REGISTERED, {**spoilt, "registration_id": name + " x"}, event_id="6"),
        raw(broken[:-1], ce_id=b"7"),
        raw(b'{"a": "' + name.encode() + b'\x01"}', ce_id=b"8"),
        raw(broken, ce_id=b"9", ce_type=b"\xff" + name.encode()),
    ]
    async with register.running() as service:
        await register.send(*bad)
        await register.settled()
        metrics = (await service.get("/metrics"))[1]
    logs = "".join(capfd.readouterr())
    told = [
        metrics,
        logs,
        str(await register.documents("outcomes")),
        str(await register.read(Topic.REJECTED)),
        str(await register.read(Topic.RECEIPTS)),
    ]
    for canary in (name, document, phone):
        assert not any(canary in each for each in told)
    assert any(name.encode() in (each.value or b"") for each in await register.read(Topic.DEAD_LETTERS))
    assert len(await register.documents("outcomes")) == len(bad)
