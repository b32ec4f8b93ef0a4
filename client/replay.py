"""Sends dead letters again, or leaves them for good; both are acts on the trail, and both can be resumed.

A replay is written to the trail before it begins and after it is done. If it dies in between, the next one
looks on the events topic, from where its partitions ended, for what was sent already: a record with the same
key, value and headers. So nothing is sent twice. Were it, no harm would be done: what was accepted is ignored
by its event id, everything else is judged anew.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition

from client.dead_letters import Letter, Source
from client.letter_states import State, States, state_of, states_of
from client.require import require
from shared.contracts.operations import MOST_LETTERS, OperationType
from shared.contracts.timestamps import rfc3339
from shared.contracts.topics import Topic
from shared.crypto import signing
from shared.operations.actor import Actor, sealed
from shared.operations.log import read_trail
from shared.operations.trail import Keys, Trail
from shared.process.settings import Settings
from shared.runtime.cancellation import close
from shared.runtime.clients import make_producer, make_reader
from shared.runtime.record import Output
from shared.runtime.tolerant import TolerantConsumer

CLIENT = "rollstream-dlq"

TAKE_OVER_MS = 600_000
"""After so long another officer's replay that is not done counts as dead. One's own counts at once."""

Done = Callable[[int], None]
"""Told how many more letters are done."""


class NotReplayed(Exception):
    """The text says why, and what to do next."""


def require_officer(keys: Keys, actor: Actor) -> None:
    """Raise NotReplayed unless the officer is in force with this key: their act would be nobody's."""
    key_id = "" if actor.key is None else signing.key_id(actor.key.public_key())
    if actor.officer is None or keys.find(actor.officer, key_id, _now()) is None:
        raise NotReplayed(
            f"no officer {actor.officer} is in force with this key. Give --officer your name as it is in the "
            "officers file, and --key your own private key."
        )


async def replay(
    settings: Settings, keys: Keys, actor: Actor, letters: Sequence[Letter], reason: str, done: Done
) -> dict[str, int]:
    """Send originals again to the partitions that they came from, in this order; answers each one's new
    offset by its place. Those that were sent meanwhile are left out.

    Raises NotReplayed while another officer's replay of the same letters is under way,
    TopicMissing, and aiokafka's KafkaError: then the same command goes on where this ended.
    """
    await require(settings, Topic.EVENTS)
    sent: dict[str, int] = {}
    reader = make_reader(settings, CLIENT)
    producer = make_producer(settings, CLIENT)
    try:
        await reader.start()
        await producer.start()
        run = _Run(settings, keys, actor, reason, producer, reader)
        for some in chunks(letters):
            sent |= await run.replay(some)
            done(len(some))
    finally:
        await close(producer)
        await close(reader)
    return sent


async def drop(
    settings: Settings, keys: Keys, actor: Actor, letters: Sequence[Letter], reason: str, done: Done
) -> list[str]:
    """Write that letters are left as they are; answers their places. Raises as `replay`."""
    dropped: list[str] = []
    producer = make_producer(settings, CLIENT)
    try:
        await producer.start()
        for some in chunks(letters):
            trail = await read_trail(settings, CLIENT, keys)
            states = states_of(trail)
            left = [each for each in some if state_of(states, each).state == "open"]
            if left:
                facts = {"letters": _places(left), "reason": reason}
                await _append(producer, sealed(settings.register, actor, OperationType.DROPPED, facts, trail))
            dropped += [each.place for each in left]
            done(len(some))
    finally:
        await close(producer)
    return dropped


def chunks(letters: Sequence[Letter]) -> Iterator[Sequence[Letter]]:
    """As many letters at a time as one act names."""
    for start in range(0, len(letters), MOST_LETTERS):
        yield letters[start : start + MOST_LETTERS]


class _Run:
    """One replay of many letters."""

    def __init__(
        self,
        settings: Settings,
        keys: Keys,
        actor: Actor,
        reason: str,
        producer: AIOKafkaProducer,
        reader: TolerantConsumer,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._actor = actor
        self._reason = reason
        self._producer = producer
        self._reader = reader

    async def replay(self, letters: Sequence[Letter]) -> dict[str, int]:
        """Send some: begun, sent, done."""
        trail, states = await self._read()
        letters = _not_yet("replayed", letters, states)
        if not letters:
            return {}
        require_alone(letters, states, self._actor.officer or "", _now())
        ends = await self._ends({each.source[0] for each in letters})
        begun = await self._write(
            OperationType.REPLAY_BEGUN,
            {
                "letters": _places(letters),
                "ends": [{"partition": number, "offset": end} for number, end in sorted(ends.items())],
            },
            trail,
        )
        seen = trail.as_of
        trail, states = await self._read()
        letters = _not_yet("replayed", letters, states)
        earlier = require_first(letters, states, seen, begun)
        sent = await self._already_sent(letters, earlier, ends)
        for letter in letters:
            if letter.source not in sent:
                sent[letter.source] = await self._send(letter)
        told = [
            {**place, "sent_to": sent[each.source]}
            for place, each in zip(_places(letters), letters, strict=True)
        ]
        if told:
            await self._write(OperationType.REPLAYED, {"letters": told}, trail)
        return {each.place: sent[each.source] for each in letters}

    async def _read(self) -> tuple[Trail, States]:
        trail = await read_trail(self._settings, CLIENT, self._keys)
        return trail, states_of(trail)

    async def _write(self, act: OperationType, facts: Mapping[str, Any], trail: Trail) -> int:
        facts = {**facts, "reason": self._reason}
        return await _append(self._producer, sealed(self._settings.register, self._actor, act, facts, trail))

    async def _ends(self, partitions: Iterable[int]) -> dict[int, int]:
        wanted = [TopicPartition(Topic.EVENTS.value, number) for number in sorted(partitions)]
        return {each.partition: end for each, end in (await self._reader.end_offsets(wanted)).items()}

    async def _send(self, letter: Letter) -> int:
        """Send one and wait, so that the next is sent behind it whatever fails."""
        key, value, headers = letter.content
        metadata = await self._producer.send_and_wait(
            Topic.EVENTS.value, key=key, value=value, headers=list(headers), partition=letter.source[0]
        )
        return int(metadata.offset)

    async def _already_sent(
        self, letters: Sequence[Letter], earlier: Mapping[Source, int], ends: Mapping[int, int]
    ) -> dict[Source, int]:
        """Of letters whose replay was begun earlier: where each lies that was sent then."""
        found: dict[Source, int] = {}
        for number, end in ends.items():
            wanted = [each for each in letters if each.source in earlier and each.source[0] == number]
            if not wanted:
                continue
            lost: dict[object, deque[Source]] = {}
            for letter in wanted:
                lost.setdefault(letter.content, deque()).append(letter.source)
            partition = TopicPartition(Topic.EVENTS.value, number)
            self._reader.assign([partition])
            self._reader.seek(partition, min(earlier[each.source] for each in wanted))
            while await self._reader.position(partition) < end and lost:
                for record in await self._reader.poll(timeout_ms=1000, max_records=500):
                    content = (record.key, record.value, record.headers)
                    if record.offset < end and (sources := lost.get(content)):
                        found[sources.popleft()] = record.offset
                        if not sources:
                            del lost[content]
        return found


def require_alone(letters: Iterable[Letter], states: States, officer: str, now: int) -> None:
    """Raise NotReplayed if another officer began to replay one of the letters lately and is not done."""
    for letter in letters:
        for begun in state_of(states, letter).begun:
            if begun.officer != officer and now < begun.timestamp + TAKE_OVER_MS:
                raise NotReplayed(
                    f"{begun.officer} began to replay {letter.place} at {rfc3339(begun.timestamp)}, and is "
                    "not done. If that command has died, run this one again after "
                    f"{rfc3339(begun.timestamp + TAKE_OVER_MS)}."
                )


def require_first(
    letters: Iterable[Letter], states: States, seen: int | None, mine: int
) -> dict[Source, int]:
    """From where to look for letters whose replay was begun before ours, which is at `mine` on the trail.

    Raises NotReplayed if one was begun after we had read the trail up to `seen`: of two at once the first
    goes on.
    """
    look_from: dict[Source, int] = {}
    for letter in letters:
        earlier = [each for each in state_of(states, letter).begun if each.offset < mine]
        for begun in earlier:
            if seen is None or begun.offset > seen:
                raise NotReplayed(
                    f"{begun.officer} began to replay {letter.place} at the same moment, and goes on. "
                    "`rollstream dlq list` shows what is left."
                )
        if earlier:
            look_from[letter.source] = min(each.end for each in earlier)
    return look_from


def _not_yet(state: State, letters: Sequence[Letter], states: States) -> list[Letter]:
    return [each for each in letters if state_of(states, each).state != state]


def _places(letters: Iterable[Letter]) -> list[dict[str, int]]:
    return [{"partition": each.source[0], "offset": each.source[1]} for each in letters]


async def _append(producer: AIOKafkaProducer, output: Output) -> int:
    metadata = await producer.send_and_wait(
        output.topic,
        key=output.key,
        value=output.value,
        headers=list(output.headers),
        partition=output.partition,
    )
    return int(metadata.offset)


def _now() -> int:
    return round(time.time() * 1000)
