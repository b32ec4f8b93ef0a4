"""Sends a capture file to `registration.events.v1`. After an interruption it continues where it stopped."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from aiokafka.errors import KafkaError

from client.bounded import TooLarge, bounded_lines
from client.require import require
from client.sender import RecordSender
from client.wire import Mode, require_capture_line, to_record
from shared.contracts.topics import Topic
from shared.process.settings import Settings
from shared.runtime.access import refusal
from shared.runtime.clients import connection_options

CHUNK = 1_000
"""Lines between two notes of where the file was: what is sent again after a crash, and then ignored."""

Advance = Callable[[int], None]
Acknowledged = Callable[[int, int, int], None]
"""Told of each line (1-based) in which partition and at which offset it lies."""


class ProduceFailed(Exception):
    """The text says at which line and what to do next."""


@dataclass(frozen=True, slots=True)
class Produced:
    """Lines sent now, and lines that an earlier run had sent."""

    sent: int
    skipped: int


@dataclass(frozen=True, slots=True)
class _Bookmark:
    """Where a file was, kept beside it as `<file>.sent`; it holds for these bytes and this broker only."""

    path: Path
    identity: str

    def load(self) -> int:
        try:
            stored = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return 0
        return int(stored["lines"]) if stored.get("identity") == self.identity else 0

    def store(self, lines: int) -> None:
        unfinished = self.path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps({"identity": self.identity, "lines": lines}))
        unfinished.replace(self.path)


async def produce(
    settings: Settings,
    path: Path,
    advance: Advance,
    mode: Mode = "binary",
    *,
    checked: Advance = lambda _count: None,
    acknowledged: Acknowledged | None = None,
) -> Produced:
    """Send every line that was not sent yet, in order within a partition, and wait for the acknowledgements.

    The whole file is looked at before the first line goes out; `checked` and `advance` are told how many
    lines were looked at and went out. Raises ProduceFailed, TopicMissing.
    """
    bookmark = _Bookmark(path.with_name(path.name + ".sent"), _identity(settings, path))
    skipped = bookmark.load()
    sender = RecordSender(
        Topic.EVENTS, settings.kafka.partitions, **connection_options(settings.kafka, "rollstream-produce")
    )
    if not skipped:  # else it was looked at before: the bookmark holds for these bytes
        _require_capture_file(path, sender, checked)
    try:
        await require(settings, Topic.EVENTS)
        await sender.start()
        advance(skipped)
        done = skipped
        with path.open("rb") as file:
            remaining = islice(bounded_lines(file), skipped, None)
            while chunk := list(islice(remaining, CHUNK)):
                await _send(sender, chunk, done, mode, acknowledged)
                done += len(chunk)
                bookmark.store(done)
                advance(len(chunk))
        return Produced(done - skipped, skipped)
    except KafkaError as error:
        refused = await refusal(settings.kafka)
        why = refused.why if refused else _away(settings)
        raise ProduceFailed(
            f"{path}: {why}. Then run the same command again: it goes on where it was"
        ) from error
    finally:
        await sender.stop()


def _away(settings: Settings) -> str:
    servers = settings.kafka.bootstrap_servers
    return f"no broker answers at {servers}: start it, or check ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS"


def _require_capture_file(path: Path, sender: RecordSender, checked: Advance) -> None:
    number = 0
    with path.open("rb") as file:
        try:
            for number, line in enumerate(bounded_lines(file), 1):
                require_capture_line(line)
                sender.partition(to_record(line))
                if number % CHUNK == 0:
                    checked(CHUNK)
        except TooLarge as error:
            number += 1
            why: ValueError = error
        except ValueError as error:
            why = error
        else:
            checked(number % CHUNK)
            return
    raise ProduceFailed(
        f"{path}, line {number}: {why}. Nothing was sent: a capture file has one structured CloudEvent in "
        "JSON a line. Mend the line, or name another file; `rollstream check` finds what else is wrong"
    )


async def _send(
    sender: RecordSender, chunk: list[bytes], before: int, mode: Mode, acknowledged: Acknowledged | None
) -> None:
    futures = [await sender.send(to_record(line, mode)) for line in chunk]
    for number, metadata in enumerate(await asyncio.gather(*futures), before + 1):
        if acknowledged:
            acknowledged(number, metadata.partition, metadata.offset)


def _identity(settings: Settings, path: Path) -> str:
    digest = hashlib.sha256(f"{settings.register} {settings.kafka.bootstrap_servers} ".encode())
    for block in _blocks(path):
        digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            yield block
