"""Two officers may have a record of our own topic passed over; only what nobody can read, and only that."""

from dataclasses import replace
from typing import Any, cast

import pytest

from services.dedup.records import read
from shared.commands.feed import CommandFeed
from shared.commands.skips import Skips
from shared.commands.state import State
from shared.contracts.commands import CommandType
from shared.contracts.topics import Topic
from shared.process.errors import UnreadableRecord
from shared.runtime.record import Record, fingerprint
from tests.kit.command_log import CommandLog, running

FOREIGN = Record(Topic.ACCEPTED.value, 1, 7, 0, b"k", b"{}", (("a", b"x"), ("b", None)))


def data_of(record: Record = FOREIGN, **changes: Any) -> dict[str, Any]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "record_sha256": fingerprint(record),
        "reason": "a test tool wrote it",
        **changes,
    }


def skipped(record: Record = FOREIGN, **changes: Any) -> CommandLog:
    log = running()
    log.command(CommandType.SKIPPED, data_of(record, **changes), "admin")
    return log


def verdict_of(log: CommandLog, name: str = "admin", **changes: Any) -> tuple[str, str | None]:
    ce_id = log.send(CommandType.SKIPPED, data_of(**changes), name)
    log.approve(ce_id)
    found = log.state().verdicts[ce_id]
    return found.verdict, found.reason


def test_a_skip_takes_effect_when_another_officer_approves_it() -> None:
    log = running()
    ce_id = log.send(CommandType.SKIPPED, data_of(), "admin")
    assert log.state().skips == set()
    log.approve(ce_id)
    assert log.state().skips == {(Topic.ACCEPTED.value, 1, 7, fingerprint(FOREIGN))}


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("publisher", {}, "role"),
        ("admin", {"topic": Topic.EVENTS.value}, "invalid"),
        ("admin", {"topic": Topic.COMMANDS.value}, "invalid"),
        ("admin", {"offset": -1}, "invalid"),
        ("admin", {"record_sha256": "x"}, "invalid"),
        ("admin", {"reason": ""}, "invalid"),
    ],
)
def test_who_may_not_or_what_is_no_topic_of_ours_is_refused(
    name: str, changes: dict[str, Any], reason: str
) -> None:
    log = running()
    assert verdict_of(log, name, **changes) == ("refused", reason)
    assert log.state().skips == set()


class Commands:
    """In the place of the feed: has read some of the commands, and the rest when its end is waited for."""

    def __init__(self, log: CommandLog, read: int) -> None:
        self._log = log
        self.state: State = CommandLog().empty()
        self._fold(read)

    async def wait_for_end(self, _timeout: float) -> State:
        self._fold(len(self._log.messages))
        return self.state

    def _fold(self, count: int) -> None:
        some = CommandLog()
        some.messages, some.files = self._log.messages[:count], self._log.files
        self.state = some.state()


async def passes(log: CommandLog, record: Record, *, read_so_far: int = 0) -> bool:
    skips = Skips(cast(CommandFeed, Commands(log, read_so_far)))
    stopped = UnreadableRecord(record.place, "no record of ours")
    try:
        await skips.require(record, stopped)
    except UnreadableRecord as raised:
        assert raised is stopped
        return False
    return True


async def test_it_is_passed_over_whenever_it_is_read_and_no_other_record_is() -> None:
    log = skipped()
    for read_so_far in (0, len(log.messages)):
        assert await passes(log, FOREIGN, read_so_far=read_so_far)
    assert not await passes(running(), FOREIGN)
    others = (
        replace(FOREIGN, topic=Topic.CHECKED.value),
        replace(FOREIGN, partition=2),
        replace(FOREIGN, offset=8),
        replace(FOREIGN, key=b"l"),
        replace(FOREIGN, value=b"{ }"),
        replace(FOREIGN, headers=()),
        replace(FOREIGN, headers=(("a", b"x"), ("b", b"y"))),
        replace(FOREIGN, last_offset=9),
        replace(FOREIGN, wire_bytes=1),
    )
    for other in others:
        assert not await passes(log, other)


async def test_a_proposal_alone_passes_over_nothing() -> None:
    log = running()
    log.send(CommandType.SKIPPED, data_of(), "admin")
    assert not await passes(log, FOREIGN)


def test_the_service_says_what_to_do_and_nothing_of_what_it_read() -> None:
    canary = replace(FOREIGN, value=b"CANARY")
    with pytest.raises(UnreadableRecord, match=r"rollstream skip registration\.accepted\.v1/1/7") as stopped:
        read(canary)
    assert stopped.value.cause == "own_topic" and "CANARY" not in stopped.value.reason
