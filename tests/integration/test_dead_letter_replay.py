"""Dead letters are sent again in their order, once, whatever dies in between; a drop deletes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from client import replay as replaying
from client.dead_letters import Letter, read_letters
from client.letter_states import States, states_of
from client.replay import drop, replay
from engines import Engines, LocalEngine
from shared.contracts.events import EventType as Type
from shared.contracts.topics import Topic
from shared.operations.actor import Actor
from shared.operations.log import read_trail
from shared.operations.trail import Keys, Trail
from shared.runtime.dead_letters import dead_letter
from shared.runtime.record import Record
from tests.kit.command_log import key_of
from tests.kit.registration_kit import event, registration
from tests.kit.registration_register import Register, new_register

ADMIN = Actor(officer="admin", key=key_of("admin"))
APPROVER = Actor(officer="approver", key=key_of("approver"))
LOST = 1_000
"""Offsets of the events that the letters of these tests say they were."""


@pytest.fixture
async def register(fresh_engines: Engines[LocalEngine], tmp_path: Path) -> AsyncIterator[Register]:
    async with new_register(fresh_engines, tmp_path) as made:
        yield made


def versions(count: int, registration_id: str = "R-1") -> list[Record]:
    """A registration and its corrections; one before its time would be rejected."""
    first = event(Type.REGISTERED, registration(registration_id=registration_id), event_id="e-1")
    later = [
        event(
            Type.CORRECTED,
            registration(registration_id=registration_id, revision=revision),
            event_id=f"e-{revision}",
        )
        for revision in range(2, count + 1)
    ]
    return [first, *later]


async def letters_of(register: Register, records: list[Record]) -> list[Letter]:
    """As an older version dead-lettered them, that could not read them."""
    for number, each in enumerate(records):
        lost = Record(each.topic, each.partition, LOST + number, 0, each.key, each.value, each.headers)
        output = dead_letter(lost, reason="json", detail="", service="registration")
        await register.producer.send_and_wait(
            output.topic,
            key=output.key,
            value=output.value,
            headers=list(output.headers),
            partition=output.partition,
        )
    return await read_letters(register.settings)


async def keys_of(register: Register) -> Keys:
    return Keys.of(await register.commands_on_the_topic())


async def trail_of(register: Register) -> tuple[Trail, States]:
    trail = await read_trail(register.settings, "tests", await keys_of(register))
    assert trail.faults == []
    return trail, states_of(trail)


async def sent_again(register: Register, letters: list[Letter], actor: Actor = ADMIN) -> dict[str, int]:
    """Replay, and wait for what is sent like for everything else."""
    done: list[int] = []
    sent = await replay(
        register.settings, await keys_of(register), actor, letters, "release 2 reads them", done.append
    )
    assert sum(done) == len(letters)
    register.sent += [(int(place.split("/")[0]), offset) for place, offset in sent.items()]
    return sent


async def lying(register: Register) -> list[bytes]:
    """The ids of the events that lie on the events topic, in their order."""
    return [dict(each.headers)["ce_id"] or b"" for each in await register.read(Topic.EVENTS)]


async def test_letters_go_again_in_order_and_a_second_time_nothing_is_sent(register: Register) -> None:
    letters = await letters_of(register, versions(4))
    async with register.running():
        sent = await sent_again(register, letters)
        assert [each.place for each in letters] == list(sent)
        assert await sent_again(register, letters) == {}
        await register.settled()
    assert await lying(register) == [b"e-1", b"e-2", b"e-3", b"e-4"]
    assert set(map(tuple, (await register.outcomes()).values())) == {("accepted",)}
    [stored] = (await register.documents("registrations")).values()
    assert stored["revision"] == 4
    trail, states = await trail_of(register)
    assert {each.state for each in states.values()} == {"replayed"}
    assert {f"{partition}/{offset}": each.sent_to for (partition, offset), each in states.items()} == sent
    assert sum(each.authentic and each.ce_type.endswith("replayed.v1") for each in trail.entries) == 1


class Crash(Exception):
    """The command was killed here."""


@pytest.mark.parametrize("sent_before", [0, 2, 4])
async def test_a_replay_that_died_goes_on_where_it_was_and_sends_nothing_twice(
    register: Register, monkeypatch: pytest.MonkeyPatch, sent_before: int
) -> None:
    letters = await letters_of(register, versions(4))
    sends, true_send, true_append = [0], replaying._Run._send, replaying._append

    async def send(run: Any, letter: Letter) -> int:
        if sends[0] == sent_before:
            raise Crash
        sends[0] += 1
        return await true_send(run, letter)

    async def append(producer: Any, output: Any) -> int:
        if b"sent_to" in output.value:
            raise Crash
        return await true_append(producer, output)

    with monkeypatch.context() as patched:
        patched.setattr(replaying._Run, "_send", send)
        patched.setattr(replaying, "_append", append)
        with pytest.raises(Crash):
            await sent_again(register, letters)
    assert len(await lying(register)) == sent_before
    # Another officer might think that the command still runs.
    with pytest.raises(replaying.NotReplayed, match="admin began to replay"):
        await sent_again(register, letters, APPROVER)
    sent = await sent_again(register, letters)
    assert await lying(register) == [b"e-1", b"e-2", b"e-3", b"e-4"]
    assert list(sent) == [each.place for each in letters]
    _, states = await trail_of(register)
    assert {f"{partition}/{offset}": each.sent_to for (partition, offset), each in states.items()} == sent


async def test_letters_that_are_alike_are_each_sent_once(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a crash two equal originals are two records, and one that was sent is one of them."""
    [first] = versions(1)
    letters = await letters_of(register, [first, first, first])
    sends, true_send = [0], replaying._Run._send

    async def send(run: Any, letter: Letter) -> int:
        sends[0] += 1
        if sends[0] == 3:
            raise Crash
        return await true_send(run, letter)

    with monkeypatch.context() as patched:
        patched.setattr(replaying._Run, "_send", send)
        with pytest.raises(Crash):
            await sent_again(register, letters)
    async with register.running():
        await sent_again(register, letters)
        await register.settled()
    assert await lying(register) == [b"e-1"] * 3
    outcomes = [each for some in (await register.outcomes()).values() for each in some]
    assert sorted(outcomes) == ["accepted", "ignored", "ignored"]


async def test_what_is_dead_still_comes_back_as_another_letter(register: Register) -> None:
    [first] = versions(1)
    broken = Record(first.topic, first.partition, 0, 0, first.key, b"{", first.headers)
    letters = await letters_of(register, [broken])
    async with register.running():
        sent = await sent_again(register, letters)
        await register.settled()
    after = await read_letters(register.settings)
    [place] = sent
    assert [each.source[1] for each in after] == sorted([LOST, sent[place]])


async def test_a_drop_is_recorded_and_deletes_nothing(register: Register) -> None:
    letters = await letters_of(register, versions(3))
    keys = await keys_of(register)
    for _ in range(2):
        dropped = await drop(register.settings, keys, ADMIN, letters[:2], "a vendor's test", lambda _: None)
    assert dropped == [], "the second time there was nothing left to drop"
    assert await read_letters(register.settings) == letters
    assert await lying(register) == []
    trail, states = await trail_of(register)
    assert [states[each.source].state for each in letters[:2]] == ["dropped"] * 2
    assert letters[2].source not in states
    assert sum(each.authentic for each in trail.entries) == 1


async def test_what_nobody_signed_hides_no_letter(register: Register) -> None:
    letters = await letters_of(register, versions(1))
    thief = Actor(officer="admin", key=key_of("a thief's"))
    await drop(register.settings, await keys_of(register), thief, letters, "hide it", lambda _: None)
    trail = await read_trail(register.settings, "tests", await keys_of(register))
    assert [each.fault for each in trail.faults] == ["unknown_signer"]
    assert states_of(trail) == {}
    assert len(await sent_again(register, letters)) == 1
