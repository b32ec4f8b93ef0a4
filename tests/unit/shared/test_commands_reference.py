"""Which devices an epoch works with, and which keys may sign a version."""

import json
from typing import Any

import pytest

from shared.contracts.commands import CommandType
from shared.crypto import signing
from shared.reference.devices import Device, devices_file
from tests.kit.command_log import NO_PLACES, NO_STATIONS, CommandLog, key_of, running
from tests.reference.register_files import MODEL


def devices(number: int) -> bytes:
    key = signing.raw_public(key_of(f"device {number}").public_key())
    device = Device("D-1", key, "010203", frozenset(["010203"]))
    return json.dumps(devices_file([device])).encode()


def pem(name: str) -> bytes:
    return signing.public_pem(key_of(name).public_key())


def verdict(log: CommandLog, ce_id: str) -> tuple[str, str | None]:
    found = log.state().verdicts[ce_id]
    return found.verdict, found.reason


def test_a_register_is_ready_without_devices() -> None:
    state = running().state()
    assert state.ready_for_epoch(1) and state.missing_kinds() == []
    assert state.reference_for_epoch("devices", 1) is None


def test_devices_before_the_last_first_adoption_are_in_force_in_epoch_1_and_of_two_the_first() -> None:
    log = CommandLog().found()
    log.adopt("devices", devices(1))
    assert log.state().reference_for_epoch("devices", 1) is None  # not known yet
    log.adopt("gazetteer", NO_PLACES)
    log.adopt("devices", devices(2))
    log.adopt("stations", NO_STATIONS)
    log.adopt("model", MODEL.encode())
    log.adopt("signing_key", pem("signer"))
    assert log.state().reference_for_epoch("devices", 1) == log.file(devices(1))
    log.cut_off(1)
    assert log.state().reference_for_epoch("devices", 1) == log.file(devices(1))
    assert log.state().reference_for_epoch("devices", 2) == log.file(devices(2))


def test_devices_that_come_later_are_in_force_from_the_next_epoch_on() -> None:
    log = running()
    log.adopt("devices", devices(1))
    assert log.state().reference_for_epoch("devices", 1) is None
    log.cut_off(1)
    log.adopt("devices", devices(2))
    state = log.state()
    in_force = [state.reference_for_epoch("devices", epoch) for epoch in (1, 2, 3)]
    assert in_force == [None, log.file(devices(1)), None]
    log.cut_off(2)
    assert log.state().reference_for_epoch("devices", 3) == log.file(devices(2))


def test_a_devices_file_that_breaks_its_rules_is_not_adopted() -> None:
    log = running()
    assert verdict(log, log.adopt("devices", b'[{"device": "D-1"}]')) == ("refused", "invalid_file")
    assert verdict(log, log.adopt("devices", b"[]")) == ("effective", None)


@pytest.mark.parametrize("lost", [True, False])
def test_only_a_key_that_replaces_a_lost_one_signs_what_was_left_unpublished(lost: bool) -> None:
    log = running()
    log.cut_off(1)
    log.finalise()
    at = log.state().finalise_requests[0].command_offset
    log.adopt("signing_key", pem("second"), "2", **({"lost": True} if lost else {}))
    log.adopt("signing_key", pem("third"), "3")
    state = log.state()
    assert state.signing_keys_for(at) == [pem("signer"), *([pem("second")] if lost else [])]
    assert state.signing_keys_since(at) == [pem("signer"), pem("second"), pem("third")]
    now = state.next_offset
    assert state.signing_keys_for(now) == state.signing_keys_since(now) == [pem("third")]
    assert state.signing_keys_for(0) == ([pem("second")] if lost else [])


@pytest.mark.parametrize(
    ("kind", "lost", "told"),
    [
        ("signing_key", True, "open"),
        ("signing_key", False, "open"),
        ("signing_key", None, "refused"),
        ("signing_key", 1, "refused"),
        ("gazetteer", False, "refused"),
        ("officers", True, "refused"),
    ],
)
def test_lost_is_said_of_signing_keys_alone(kind: str, lost: Any, told: str) -> None:
    log = running()
    data = {"kind": kind, "version": "2", "sha256": "0" * 64, "lost": lost}
    ce_id = log.send(CommandType.ADOPTED, data, "admin")
    assert verdict(log, ce_id) == (told, "invalid" if told == "refused" else None)


def test_data_are_kept_as_they_were_sent() -> None:
    log = running()
    for data in (
        {"kind": "gazetteer", "version": "2", "sha256": "0" * 64},
        {"kind": "signing_key", "version": "2", "sha256": "0" * 64, "lost": False},
    ):
        ce_id = log.send(CommandType.ADOPTED, data, "admin")
        assert log.state().verdicts[ce_id].data == data
