"""What happens while a version of the roll is published."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from client.topics import partitions_of
from shared.contracts.identity import sha256_hex
from shared.contracts.topics import Topic
from shared.crypto import signing
from shared.runtime.clients import make_reader
from tests.matrix.cell import cell
from tests.matrix.run import Run

FROZEN_S = 10.0
"""Longer than a session, so that the other publisher takes over and ends the work."""

SLICE_S = 0.004
"""How long publishers run between two looks: a version takes them many times that."""

BOUND_S = 60.0


async def _to_the_brink(run: Run) -> None:
    """All is ready to be published: epoch 1 is complete, and the conflicts known by then are decided."""
    await run.officers.cut_off()
    await run.officers.epoch_complete()
    await run.officers.decide()


async def _frozen_among_lists(run: Run) -> bool:
    """Finalise, and freeze every publisher once a list is on its topic; whether the manifest is not there."""
    processes = [run.processes.running["publisher", number] for number in run.processes.numbers("publisher")]
    reader = make_reader(run.settings, "rollstream-matrix")
    await reader.start()
    try:
        lists, manifests = [await _end(run, reader, topic) for topic in (Topic.LISTS, Topic.MANIFESTS)]
        for process in processes:
            process.hold()
        await run.officers.finalise()
        async with asyncio.timeout(BOUND_S):
            while await _end(run, reader, Topic.LISTS) == lists:
                for process in processes:
                    process.release()
                await asyncio.sleep(SLICE_S)
                for process in processes:
                    process.hold()
        unfinished = await _end(run, reader, Topic.MANIFESTS) == manifests
    finally:
        await reader.stop()
    run.note("frozen among the lists" if unfinished else "frozen among the manifests")
    return unfinished


async def _end(run: Run, reader: AIOKafkaConsumer, topic: Topic) -> int:
    """The sum of the end offsets of a topic's partitions."""
    partitions = [TopicPartition(topic.value, at) for at in range(partitions_of(run.settings, topic))]
    return sum((await reader.end_offsets(partitions)).values())


@cell(
    "two-publishers",
    "a publisher sleeps among its lists, another publishes the version, the first wakes up",
    by_hand=True,
)
async def two_publishers(run: Run) -> None:
    await _to_the_brink(run)
    async with run.fault():
        await _frozen_among_lists(run)
        numbers = run.processes.numbers("publisher")
        run.processes.running["publisher", run.dice.choice(numbers)].release()
        await asyncio.sleep(FROZEN_S + run.dice.uniform(0, 3))
        for number in numbers:
            run.processes.running["publisher", number].release()
    await run.officers.finalise()


@cell(
    "key-rotation",
    "another signing key is adopted in the middle of a publication: in order, too early, or lost",
    by_hand=True,
)
async def key_rotation(run: Run) -> None:
    await _to_the_brink(run)
    how = run.dice.choice(("in order", "too early", "lost"))
    keys = run.directory / "register/keys"
    key = signing.generate_key()
    public = signing.public_pem(key.public_key())
    digest = sha256_hex(public)
    (run.settings.reference_dir / digest).write_bytes(public)
    (keys / "signing-2.pub.pem").write_bytes(public)
    signing.write_private_key(keys / "signing-2.pem", key)
    async with run.fault():
        unfinished = await _frozen_among_lists(run)
        if not unfinished:
            how = "in order"  # the version may be whole by now, and must be as the old key signed it
        run.note(how)
        await run.officers.adopt_signing_key(digest, "2", lost=how == "lost")
        if how == "in order":
            await _restart(run, wait=False)
            await run.published()
        if how == "lost":
            (keys / "signing.pem").rename(keys / "lost")
        else:
            (keys / "signing.pem").rename(keys / "signing-1.pem")
            (keys / "signing.pub.pem").rename(keys / "signing-1.pub.pem")
        (keys / "signing-2.pem").rename(keys / "signing.pem")
        await _restart(run)
        if how == "too early":
            await run.pause(2, 4)
            (keys / "signing.pem").rename(keys / "signing-2.pem")
            (keys / "signing-1.pem").rename(keys / "signing.pem")
            await _restart(run)
            await run.published()
            (keys / "signing.pem").rename(keys / "signing-1.pem")
            (keys / "signing-2.pem").rename(keys / "signing.pem")
            await _restart(run)
    await run.published()
    await run.officers.finalise()


async def _restart(run: Run, *, wait: bool = True) -> None:
    """Start the publishers again, one after the other; `wait` until each takes part."""
    for number in run.processes.numbers("publisher"):
        run.processes.running["publisher", number].release()
        await run.processes.stop("publisher", number)
        await run.processes.start("publisher", number, ready=wait)
