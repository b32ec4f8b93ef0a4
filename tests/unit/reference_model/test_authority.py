"""Devices in the reference model: who signs what, and which office may do what where."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from audit.log import LogRecord
from shared.contracts.events import EventType
from tests.reference.builder import LogBuilder
from tests.reference.captures import json_bytes, registration, removal
from tests.reference.model import replay
from tests.reference.register_files import devices_file

ONE = "010203-1"
NEAR, OTHER_COMMUNE, FAR = "01020301", "01020401", "02010101"
THERE: dict[str, Any] = {"device": "D-3", "office": "020101"}
Act = Callable[[LogBuilder], LogRecord]


def outcome(builder: LogBuilder, record: LogRecord | None = None) -> str:
    record = record or builder.events[-1]
    found = replay(builder.log(), builder.files, [], []).outcomes[record.partition, record.offset]
    return found.outcome if found.reason is None else found.reason


def with_devices(registered: bool = True) -> LogBuilder:
    builder = LogBuilder().found(devices=devices_file())
    if registered:
        builder.register_voter(ONE)
    return builder


def spoilt(name: str, content: bytes) -> Act:
    def act(builder: LogBuilder) -> LogRecord:
        record = builder.register_voter(ONE)
        builder.events[-1] = replace(record, headers=(*record.headers, (name, content)))
        return builder.events[-1]

    return act


def sent(data: dict[str, Any], signer: str | None = "") -> Act:
    return lambda builder: builder.event(EventType.REGISTERED, data, signer=signer)


NOT_SIGNED: dict[str, Act] = {
    "no signature": sent(registration(ONE, 1), None),
    "another device's": sent(registration(ONE, 1), "D-2"),
    "of another id": spoilt("ce_id", b"another"),
    "of another source": spoilt("ce_source", b"another"),
    "of another type": spoilt("ce_type", EventType.CORRECTED.encode()),
    "no base64": spoilt("rollstream-signature", b"?"),
    "a device that is in no file": sent(registration(ONE, 1, capture={"device": "D-9"})),
    "another office than its row's": sent(registration(ONE, 1, capture={"office": "020101"})),
}


@pytest.mark.parametrize("what", NOT_SIGNED)
def test_what_its_device_did_not_sign_is_not_authorised(what: str) -> None:
    builder = with_devices(registered=False)
    NOT_SIGNED[what](builder)
    assert outcome(builder) == "not_authorised"
    builder.register_voter(ONE)
    assert outcome(builder) == "accepted"


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda b: b.register_voter("new", village=NEAR), "accepted"),
        (lambda b: b.register_voter("new", village="010204"), "accepted"),
        (lambda b: b.register_voter("new", village=FAR), "not_authorised"),
        (lambda b: b.register_voter(ONE, village=FAR), "not_authorised"),
        (lambda b: b.register_voter(ONE, village=NEAR), "state"),
        (lambda b: b.correct(ONE, 2, village=OTHER_COMMUNE, born="1980-01-01"), "accepted"),
        (lambda b: b.correct(ONE, 2, village=FAR), "not_authorised"),
        (lambda b: b.correct(ONE, 2, village=FAR, capture=THERE), "not_authorised"),
        (lambda b: b.remove(ONE, 2), "accepted"),
        (lambda b: b.remove(ONE, 2, **THERE), "not_authorised"),
        (lambda b: b.transfer(ONE, 2, village=FAR, capture=THERE), "accepted"),
        (lambda b: b.transfer(ONE, 2, village=FAR), "not_authorised"),
        (lambda b: b.transfer(ONE, 2, village=FAR, capture=THERE, born="1980-01-01"), "not_authorised"),
        (lambda b: b.transfer(ONE, 2, village=FAR, capture=THERE, phone=None), "accepted"),
        (lambda b: b.reinstate(ONE, 2, village=FAR), "not_authorised"),
        (lambda b: b.reinstate(ONE, 2), "state"),
        (lambda b: b.correct("new", 2, village=FAR), "unknown_registration"),
        (lambda b: b.remove("new", 2), "unknown_registration"),
        (lambda b: b.close_batch(0, 1), "accepted"),
        (lambda b: b.close_batch(0, 1, office="020101"), "not_authorised"),
    ],
)
def test_an_office_acts_in_its_own_area(act: Act, expected: str) -> None:
    builder = with_devices()
    act(builder)
    assert outcome(builder) == expected


def test_what_came_by_a_transfer_is_removed_in_a_later_epoch_only() -> None:
    builder = with_devices()
    builder.transfer(ONE, 2, village=FAR, capture=THERE)
    builder.remove(ONE, 3, **THERE)
    assert outcome(builder) == "not_authorised"
    builder.correct(ONE, 3, village=FAR, capture=THERE)
    builder.remove(ONE, 4, **THERE)
    assert outcome(builder) == "not_authorised", "whatever followed the transfer"
    builder.cut_off(1)
    builder.remove(ONE, 4, **THERE)
    assert outcome(builder) == "accepted"


def test_a_removed_registration_lies_where_it_lay_last_and_comes_back_with_its_voter() -> None:
    builder = with_devices()
    builder.remove(ONE, 2, "moved")
    builder.remove(ONE, 3, **THERE)
    assert outcome(builder) == "not_authorised"
    builder.reinstate(ONE, 3, born="1980-01-01")
    assert outcome(builder) == "not_authorised"
    builder.reinstate(ONE, 3, village=FAR, capture=THERE)
    assert outcome(builder) == "accepted"


def test_devices_are_asked_in_the_epoch_in_which_they_are_in_force() -> None:
    builder = LogBuilder().found()
    builder.event(EventType.REGISTERED, registration(ONE, 1), signer=None)
    builder.adopt("devices", devices_file())
    builder.event(EventType.REMOVED, removal(ONE, 2), signer=None)
    assert outcome(builder) == "accepted"
    builder.cut_off(1)
    builder.event(EventType.REINSTATED, registration(ONE, 3), signer=None)
    assert outcome(builder) == "not_authorised"


def test_an_empty_file_of_devices_authorises_nobody() -> None:
    builder = LogBuilder().found(devices=b"[]")
    builder.register_voter(ONE)
    assert outcome(builder) == "not_authorised"


def test_the_signature_is_the_same_in_both_modes() -> None:
    builder = with_devices(registered=False)
    binary = builder.register_voter(ONE)
    whole = {
        "specversion": "1.0",
        "id": "event-1",
        "source": "capture/010203",
        "type": EventType.REGISTERED,
        "data": registration(ONE, 1),
    }
    headers = (
        ("content-type", b"application/cloudevents+json"),
        *(each for each in binary.headers if each[0] == "rollstream-signature"),
    )
    builder.events.clear()
    builder.raw_event(binary.partition, binary.key, json_bytes(whole), headers)
    assert outcome(builder) == "accepted"
