"""A marker ends an epoch only if its officer signed it and its cut-off took effect where it says."""

import dataclasses
import json

import pytest

from services.registration.markers import Epochs, UnknownFuture, passed_marker, signed_marker, valid_marker
from shared.contracts.events import EventType, Marker
from shared.contracts.topics import Topic
from shared.reference.officers import officers_file
from shared.runtime.record import Output, Record
from tests.kit.command_log import OFFICERS, REGISTER, CommandLog, key_of, officer
from tests.kit.registration_kit import incoming

LOG = CommandLog().found().adopt_all()
LOG.cut_off(1)
LOG.cut_off(2)
STATE = LOG.state()
AT = STATE.cut_offs


def marker(
    epoch: int = 1, at: int | None = None, *, name: str = "marker", register: str = REGISTER
) -> Record:
    return record(signed_marker(register, name, key_of(name), epoch, AT[epoch] if at is None else at, 3))


def record(output: Output) -> Record:
    return Record(output.topic, output.partition, 5, 0, output.key, output.value, tuple(output.headers))


def judged(each: Record, current: int = 1) -> Marker | None:
    return valid_marker(incoming(each), each, current, STATE)


def test_a_signed_marker_of_the_cut_off_is_valid() -> None:
    assert judged(marker()) == Marker(epoch=1, command_offset=AT[1])


def test_the_marker_of_a_later_epoch_counts_for_both() -> None:
    assert judged(marker(2)) == Marker(epoch=2, command_offset=AT[2])


VOID = {
    "of an epoch that has ended": (marker(1), 2),
    "at another offset than its cut-off's": (marker(1, AT[2]), 1),
    "of an epoch without a cut-off": (marker(3, AT[2]), 1),
    "signed by an officer of another role": (marker(name="publisher"), 1),
    "signed by nobody we know": (marker(name="stranger"), 1),
    "signed for another register": (marker(register="kh-other"), 1),
    "under another key": (dataclasses.replace(marker(), key=b"!marker/2"), 1),
    "without a key": (dataclasses.replace(marker(), key=None), 1),
    "with other bytes": (dataclasses.replace(marker(), value=(marker().value or b"") + b" "), 1),
    "without a signature": (dataclasses.replace(marker(), headers=marker().headers[:-1]), 1),
    "with data of another shape": (dataclasses.replace(marker(), value=b'{"epoch": "1"}'), 1),
}


@pytest.mark.parametrize(("each", "current"), VOID.values(), ids=VOID.keys())
def test_any_other_marker_is_void(each: Record, current: int) -> None:
    assert judged(each, current) is None


def test_a_marker_of_a_command_still_to_come_waits_only_if_an_officer_signed_it() -> None:
    for name, plausible in (("marker", True), ("publisher", False), ("stranger", False)):
        with pytest.raises(UnknownFuture) as future:
            judged(marker(1, STATE.next_offset, name=name))
        assert future.value.plausible is plausible


def test_a_marker_that_waits_is_void_once_its_key_is_no_marker_officers_any_more() -> None:
    log = CommandLog().found().adopt_all()
    stalls = marker(1, 1_000)
    with pytest.raises(UnknownFuture) as future:
        valid_marker(incoming(stalls), stalls, 1, log.state())
    assert future.value.plausible
    log.cut_off(1)
    state = log.state()
    mine = marker(1, state.cut_offs[1])
    log.adopt(
        "officers", json.dumps(officers_file([*OFFICERS[:-1], officer("marker", ["marker"], "new")])).encode()
    )
    with pytest.raises(UnknownFuture) as future:
        valid_marker(incoming(stalls), stalls, 1, log.state())
    assert not future.value.plausible
    assert valid_marker(incoming(mine), mine, 1, log.state())  # its cut-off took effect under the old key


def test_the_epoch_of_an_offset_is_one_more_than_the_last_that_ended_before_it() -> None:
    epochs = Epochs()
    epochs.end(3, 20)
    epochs.end(1, 10)
    epochs.end(1, 10)
    assert [epochs.of(offset) for offset in (0, 10, 11, 20, 21)] == [1, 1, 2, 2, 4]
    assert epochs.last_ended == 3
    assert Epochs().of(0) == 1


def test_a_marker_is_passed_on_in_the_same_partition() -> None:
    output = passed_marker(REGISTER, Marker(epoch=1, command_offset=AT[1]), 3)
    assert (output.topic, output.partition, output.key) == (Topic.ACCEPTED, 3, b"!marker/1")
    assert dict(output.headers)["ce_type"] == EventType.MARKER.encode()
    assert dict(output.headers)["ce_id"] == b"marker/1/3"
    assert Marker.model_validate_json(output.value or b"").command_offset == AT[1]
