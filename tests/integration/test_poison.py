"""Poison among good events harms no neighbour; a foreign record on our own topics stops the service there."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import UnknownError

from client.skip import NotSkipped, obstacle
from client.wire import to_record
from demo import steps
from demo.measure import read_all, stored_outcomes
from demo.processes import RunningService, ServiceFailed
from engines import Engines, LocalEngine
from shared.contracts.commands import CommandType
from shared.contracts.topics import Topic, partition_for
from tests.kit.pipeline import Pipeline, pipeline
from tests.kit.raw_records import Raw, raw_batch, send_raw

PARTITION = 1
CANARY = b"CANARY-012345678"
BINARY = ((b"ce_specversion", b"1.0"), (b"ce_source", b"/capture/X"), (b"ce_type", b"x.v1"))
WHOLE = (*BINARY, (b"ce_id", b"1"))
STRUCTURED = ((b"content-type", b"application/cloudevents+json"),)

POISON: tuple[tuple[str, Raw], ...] = (
    ("headers", Raw(CANARY, headers=((b"\xff", CANARY),))),
    ("headers", Raw(b"{}", headers=(*BINARY, (b"ce_id", b"\xff" + CANARY)))),
    ("envelope", Raw(b"{}", headers=(*BINARY, (b"ce_id", None)))),
    ("json", Raw(None, key=None)),
    ("json", Raw(CANARY)),
    ("envelope", Raw(b"{}")),
    ("envelope", Raw(CANARY, headers=((b"content-type", b"text/plain"),))),
    ("json", Raw(None, headers=WHOLE)),
    ("json", Raw(b'{"phone": "' + CANARY, headers=WHOLE)),
    ("json", Raw(b'{"phone": "\xff' + CANARY + b'"}', headers=WHOLE)),
    ("json", Raw(b'{"phone": 1, "phone": "' + CANARY + b'"}', headers=WHOLE)),
    ("json", Raw(b"[NaN]", headers=WHOLE)),
    ("json", Raw(b'["\\ud800' + CANARY + b'"]', headers=WHOLE)),
    ("json", Raw(b'["\\u0007' + CANARY + b'"]', headers=WHOLE)),
    ("json", Raw(b"[" * 2000 + b"]" * 2000, headers=WHOLE)),
    ("too_large", Raw(b'"' + CANARY * 5000 + b'"', headers=WHOLE)),
    ("too_large", Raw(b"{}", key=b"k" * 129, headers=WHOLE)),
    ("envelope", Raw(b"[]", headers=STRUCTURED)),
    ("envelope", Raw(b'{"specversion": "1.0", "data_base64": ""}', headers=STRUCTURED)),
)
"""What cannot be decoded, each with the reason that its dead letter gives."""

UNREADABLE = raw_batch([Raw(CANARY)], codec=4, payload=CANARY)
"""A batch that says it is compressed with zstd and is not."""


def good_events(register: Pipeline, count: int) -> list[Raw]:
    """The first accepted events of the stream that belong in the partition."""
    stream = register.demo.stream
    accepted = {event.line for event in stream.events if event.expected == "accepted"}
    records = (to_record(line) for number, line in enumerate(stream.lines, 1) if number in accepted)
    here = [
        Raw(each.value, each.key, each.headers)
        for each in records
        if each.key and partition_for(each.key, stream.partitions) == PARTITION and not each.compression
    ]
    return here[:count]


async def send_batches(register: Pipeline, topic: Topic, batches: Sequence[bytes]) -> list[int]:
    """Send batches to the partition; answers the first offset of each."""
    client = AIOKafkaClient(bootstrap_servers=register.demo.settings.kafka.bootstrap_servers)
    await client.bootstrap()
    try:
        return [await send_raw(client, topic.value, PARTITION, batch) for batch in batches]
    finally:
        await client.close()


async def metrics_once_stopped(service: RunningService) -> str:
    """The metrics of a service that has stopped itself and lingers."""
    async with asyncio.timeout(30):
        while 'rollstream_service_stopped{cause="' not in (metrics := await service.get("/metrics")):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return metrics


def told(register: Pipeline) -> str:
    """All that the services have logged."""
    return "".join(path.read_text() for path in (register.directory / "logs").iterdir())


async def test_poison_in_one_burst_is_dead_lettered_with_its_reason_and_its_neighbours_are_accepted(
    fresh_engines: Engines[LocalEngine], tmp_path: Path
) -> None:
    async with pipeline(fresh_engines, tmp_path) as register:
        good = good_events(register, len(POISON) + 3)
        mixed = [
            each for (_, poison), neighbour in zip(POISON, good, strict=False) for each in (neighbour, poison)
        ]
        [first] = await send_batches(register, Topic.EVENTS, [raw_batch(mixed)])
        reasons = {first + 2 * at + 1: reason for at, (reason, _) in enumerate(POISON)}
        with contextlib.suppress(UnknownError):  # Apache Kafka looks inside and refuses it
            [unreadable] = await send_batches(register, Topic.EVENTS, [UNREADABLE])
            reasons[unreadable] = "undecodable_batch"
        [last] = await send_batches(register, Topic.EVENTS, [raw_batch(good[len(POISON) :])])
        await register.start_all()
        await register.settle()

        outcomes = await stored_outcomes(register.demo.mongo)
        became = {offset: outcomes[PARTITION, offset] for offset in range(last + 3)}
        assert {offset: found[0].reason for offset, found in became.items() if found[0].reason} == reasons
        for offset, found in became.items():
            outcome = "dead_lettered" if offset in reasons else "accepted"
            assert [each.outcome for each in found] == [outcome], offset
        assert (await register.committed("registration"))[PARTITION] == last + 3

        letters = [
            dict(record.headers) for record in await read_all(register.demo.settings, Topic.DEAD_LETTERS)
        ]
        dead = {int(each["rollstream-dlq-offset"] or b""): each for each in letters}
        assert {
            offset: (each["rollstream-dlq-reason"] or b"").decode() for offset, each in dead.items()
        } == reasons
        assert {each["rollstream-dlq-topic"] for each in letters} == {Topic.EVENTS.value.encode()}
        assert {each["rollstream-dlq-partition"] for each in letters} == {b"%d" % PARTITION}
        assert len(await read_all(register.demo.settings, Topic.CHECKED)) == len(good)

        shown = [await each.get("/metrics") for each in register.demo.services.values()]
        assert CANARY.decode() not in told(register) + "".join(shown)


@pytest.mark.parametrize(
    "foreign",
    [
        raw_batch([Raw(b'{"phone": "' + CANARY + b'"}', key=CANARY, headers=((b"ce_id", CANARY),))]),
        UNREADABLE,
    ],
    ids=["another shape", "unreadable"],
)
async def test_a_foreign_record_on_our_own_topics_stops_the_service_there_until_two_officers_skip_it(
    fresh_engines: Engines[LocalEngine], tmp_path: Path, foreign: bytes
) -> None:
    linger = {"ROLLSTREAM_RUNTIME__FAILED_LINGER_S": "1.5"}
    async with pipeline(fresh_engines, tmp_path, settings_of_services=linger) as register:
        await register.start_all()
        await register.send(100)
        await register.settle()
        for name, topic in (("publisher", Topic.CHECKED), ("dedup", Topic.ACCEPTED)):
            try:
                [offset] = await send_batches(register, topic, [foreign])
            except UnknownError:
                pytest.skip("this broker refuses such a batch itself")
            await register.send(100)  # good ones behind it
            metrics = await metrics_once_stopped(register.demo.services[name])
            assert await register.exit_code(name) == 1
            with contextlib.suppress(ServiceFailed):  # it may be ready for a moment
                await register.start(name)
            assert await register.exit_code(name) == 1

            assert (await register.committed(name))[PARTITION] <= offset
            progress = await register.demo.mongo.collection("progress").find_one(
                {"_id": f"{name}/{topic.value}/{PARTITION}"}
            )
            assert progress and progress["next_offset"] <= offset
            log = (tmp_path / "logs" / f"{name}-1.log").read_text().splitlines()
            stops = [each for each in map(json.loads, log) if each["event"] == "service stops"]
            assert [each["cause"] for each in stops] == 2 * ["own_topic"], "the first start, and the second"
            for reason in (each["reason"] for each in stops):
                assert f"{topic.value}/{PARTITION}" in reason
                assert str(offset) in reason
            assert CANARY.decode() not in told(register) + metrics

            found = await obstacle(register.demo.settings, f"{topic.value}/{PARTITION}/{offset}")
            assert CANARY.decode() not in found.told
            with pytest.raises(NotSkipped, match="it is one of ours"):
                await obstacle(register.demo.settings, f"{topic.value}/{PARTITION}/0")
            data = {**found.data, "reason": "a test wrote it"}
            await register.demo.two_officers("administrator", CommandType.SKIPPED, [data], "looked at it")
            await register.start(name)
            await register.settle()
            assert f'{{outcome="skipped",service="{name}"}} 1.0' in await register.demo.services[name].get(
                "/metrics"
            )
        await steps.cut_off(register.demo)  # which waits until the epoch is complete
