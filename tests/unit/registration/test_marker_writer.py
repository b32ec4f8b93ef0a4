"""When registration writes the marker of a cut-off, and as of what."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.registration import marker_writer
from services.registration.handler import _judge_marker
from services.registration.holdings import Holding, Holdings
from services.registration.marker_writer import MarkerWriter
from services.registration.markers import Epochs
from services.registration.outcomes import Ended, Repeated, Void
from shared.commands.feed import CommandFeed
from shared.commands.marker_reader import MarkerReader
from shared.commands.markers import OLD_ENOUGH_S, counts, read_marker
from shared.contracts.events import Marker
from shared.contracts.topics import Topic
from shared.process.errors import TransientError
from shared.reference.officers import officers_file
from shared.runtime.outputs import Outputs
from shared.runtime.record import Output, Record
from tests.kit.command_log import OFFICERS, REGISTER, CommandLog, key_of, officer


class Desk:
    """A writer over commands in memory, with partitions 0 and 1; `age` is how long they have been known."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, log: CommandLog, key: str = "marker") -> None:
        self.log, self.age, self.now = log, 60.0, 1_000.0
        self.sent: list[Output] = []
        self.away = False
        self.holdings = Holdings()
        for partition in (0, 1):
            self.holdings.take(partition, Holding(0, 0, Epochs()))
        monkeypatch.setattr(marker_writer, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.writer = MarkerWriter(
            REGISTER, "marker", key_of(key), self.holdings, cast(CommandFeed, self), cast(Outputs, self)
        )

    @property
    def state(self) -> Any:
        return self.log.state()

    def seconds_since(self, _offset: int) -> float:
        return self.age

    async def send(self, outputs: list[Output]) -> None:
        if self.away:
            raise TransientError("the broker is away")
        self.sent += outputs

    async def written(self, after: float = 0.0) -> list[tuple[int, Marker]]:
        """What is written at one look, `after` seconds later."""
        self.now += after
        self.sent.clear()
        await self.writer.write_due()
        return [(each.partition, Marker.model_validate_json(each.value or b"")) for each in self.sent]

    def read_back(self, partition: int, offset: int, later: int) -> Ended | Repeated | Void:
        """Judge what was written last into a partition, as it is met `later` ms after its `as_of`."""
        output = next(each for each in reversed(self.sent) if each.partition == partition)
        marker = Marker.model_validate_json(output.value or b"")
        timestamp = self.state.timestamp_of(marker.as_of) + later
        record = Record(
            Topic.EVENTS.value, partition, offset, timestamp, output.key, output.value, output.headers
        )
        signed = read_marker(record)
        valid = marker if signed and counts(signed, self.state) else None
        return _judge_marker(record, valid, self.holdings.all()[partition])


def log_with_cut_off() -> CommandLog:
    log = CommandLog().found().adopt_all()
    log.cut_off(1)
    return log


async def test_a_marker_is_written_into_each_partition_once_and_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(monkeypatch, log_with_cut_off())
    at = desk.state.cut_offs[1]
    head = desk.state.audit_head_at(at).hex()
    marker = Marker(epoch=1, command_offset=at, as_of=at, audit_head=head)
    assert await desk.written() == [(0, marker), (1, marker)]
    assert isinstance(desk.read_back(0, 5, 2_000), Ended)
    assert await desk.written(after=60) == []


async def test_nothing_is_written_before_the_cut_off_is_old_enough_for_every_brokers_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert OLD_ENOUGH_S == 4.0
    desk = Desk(monkeypatch, log_with_cut_off())
    desk.age = 3.9
    assert await desk.written() == []
    desk.age = 4.0
    assert len(await desk.written()) == 2


async def test_a_marker_that_is_found_void_is_written_again_and_a_strangers_void_one_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(monkeypatch, log_with_cut_off())
    await desk.written()
    holding = desk.holdings.all()[1]
    stranger = desk.log.marker(name="stranger", partition=1)
    assert isinstance(_judge_marker(stranger, None, holding), Void)
    assert await desk.written(after=60) == []
    desk = Desk(monkeypatch, log_with_cut_off())
    await desk.written()
    assert isinstance(desk.read_back(1, 5, 1_999), Void)
    assert await desk.written(after=3.9) == []  # another try would fare no better yet
    assert [partition for partition, _ in await desk.written(after=0.1)] == [1]
    assert isinstance(desk.read_back(1, 6, 2_000), Ended)
    assert await desk.written(after=60) == []


async def test_a_partition_that_has_not_come_again_to_where_the_group_was_gets_no_marker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(monkeypatch, log_with_cut_off())
    desk.holdings.take(1, Holding(8, 7, Epochs()))
    assert [partition for partition, _ in await desk.written()] == [0]
    desk.holdings.all()[1].position = 8
    assert [partition for partition, _ in await desk.written()] == [1]


async def test_what_was_not_acknowledged_is_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch, log_with_cut_off())
    desk.away = True
    with pytest.raises(TransientError):
        await desk.writer.write_due()
    desk.away = False
    assert len(await desk.written()) == 2


async def test_a_key_that_is_adopted_after_the_cut_off_signs_as_of_its_adoption(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = log_with_cut_off()
    desk = Desk(monkeypatch, log, key="new")
    assert await desk.written() == []
    changed = [*OFFICERS[:-1], officer("marker", ["marker"], "new")]
    log.adopt("officers", json.dumps(officers_file(changed)).encode(), "2")
    assert {marker.as_of for _, marker in await desk.written()} == {desk.state.next_offset - 1}
    assert isinstance(desk.read_back(0, 5, 2_000), Ended)


async def test_an_epoch_that_has_ended_gets_no_marker_and_a_second_one_has_no_effect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = log_with_cut_off()
    log.cut_off(2)
    desk = Desk(monkeypatch, log)
    later = log.marker(2, partition=0)
    holding = desk.holdings.all()[0]
    data = Marker.model_validate_json(later.value or b"")
    assert isinstance(_judge_marker(later, data, holding), Ended)  # the one of epoch 2 counts as both
    assert [(partition, marker.epoch) for partition, marker in await desk.written()] == [(1, 1), (1, 2)]
    again = log.marker(1, partition=0, offset=9)
    repeated = _judge_marker(again, Marker.model_validate_json(again.value or b""), holding)
    assert isinstance(repeated, Repeated)
    assert (holding.epochs.of(9), holding.epochs.of(100)) == (3, 3)


async def test_a_valid_marker_is_passed_on_no_sooner_than_every_brokers_clock_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("shared.commands.marker_reader.asyncio.sleep", sleep)
    desk = Desk(monkeypatch, log_with_cut_off())
    reader = MarkerReader(cast(CommandFeed, desk), cast(Any, None))
    marker = Marker.model_validate_json(desk.log.marker().value or b"")
    await reader.wait_until_old([])
    desk.age = 4.0
    await reader.wait_until_old([marker])
    assert slept == []
    desk.age = 2.5
    await reader.wait_until_old([marker])
    assert slept == [1.5]
