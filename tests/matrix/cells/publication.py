"""What happens while a version of the roll is published."""

from __future__ import annotations

import asyncio

from shared.contracts.identity import sha256_hex
from shared.contracts.topics import Topic
from shared.crypto import signing
from tests.matrix.cell import cell
from tests.matrix.ends import end_of
from tests.matrix.run import Run

FROZEN_S = 10.0
"""Longer than a session, so that the other publisher takes over and ends the work."""


async def _to_the_brink(run: Run) -> None:
    """All is ready to be published: epoch 1 is complete, and the conflicts known by then are decided."""
    await run.officers.cut_off()
    await run.officers.epoch_complete()
    await run.officers.decide()


@cell(
    "two-publishers",
    "a publisher sleeps among its lists, another publishes the version, the first wakes up",
    by_hand=True,
)
async def two_publishers(run: Run) -> None:
    await _to_the_brink(run)
    processes = [run.processes.running["publisher", number] for number in run.processes.numbers("publisher")]
    before = await end_of(run.settings, Topic.LISTS)
    await run.officers.finalise()
    async with run.fault():
        # Whoever publishes is among its lists: let it sleep, and nobody else.
        while await end_of(run.settings, Topic.LISTS) == before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for process in processes:
            process.hold()
        awake = run.dice.choice(processes)
        awake.release()
        await asyncio.sleep(FROZEN_S + run.dice.uniform(0, 3))
        for process in processes:
            process.release()
    await run.officers.finalise()


@cell("key-rotation", "another signing key is adopted while a version is published", by_hand=True)
async def key_rotation(run: Run) -> None:
    await _to_the_brink(run)
    keys = run.directory / "register/keys"
    key = signing.generate_key()
    public = signing.public_pem(key.public_key())
    (run.settings.reference_dir / sha256_hex(public)).write_bytes(public)
    before = await end_of(run.settings, Topic.LISTS)
    await run.officers.finalise()
    async with run.fault():
        if run.dice.random() < 0.7:
            while await end_of(run.settings, Topic.LISTS) == before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await run.officers.adopt_signing_key(sha256_hex(public), "2")
        # The operator exchanges the key file, and starts the publishers again, one after the other.
        (keys / "signing.pem").rename(keys / "signing-1.pem")
        (keys / "signing.pub.pem").rename(keys / "signing-1.pub.pem")
        signing.write_private_key(keys / "signing.pem", key)
        (keys / "signing.pub.pem").write_bytes(public)
        for number in run.processes.numbers("publisher"):
            await run.processes.stop("publisher", number)
            await run.processes.start("publisher", number)
    await run.officers.finalise()
