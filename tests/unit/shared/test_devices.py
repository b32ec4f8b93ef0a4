"""The devices file: who may send what into which areas."""

import base64
import json
from typing import Any

import pytest

from shared.contracts.events import EventType
from shared.reference.areas import holds
from shared.reference.devices import InvalidDevices, devices_file, parse_devices, sign_event, signed_by_device
from shared.reference.files import InvalidReference, validate
from tests.kit.command_log import key_of

KEYS = [base64.b64encode(bytes([number]) * 32).decode() for number in range(3)]


def row(at: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "device": f"D-{at}",
        "public_key": KEYS[at],
        "office": "010203",
        "areas": ["010203", "0104"],
        **changes,
    }


def refusal(*rows: Any) -> str:
    with pytest.raises(InvalidDevices) as caught:
        parse_devices(json.dumps(list(rows)).encode())
    return str(caught.value)


def test_a_devices_file_reads_back_as_it_was_written() -> None:
    rows = [row(), row(1, office="Siem-Reap", areas=["17"])]
    devices = parse_devices(json.dumps(rows).encode())
    assert devices["D-0"].public_key == bytes(32)
    assert devices["D-1"].area == {"17"}
    assert devices_file(devices.values()) == rows


def test_an_empty_list_authorises_nobody_and_is_a_devices_file() -> None:
    assert parse_devices(b"[]") == {}
    validate("devices", b"[]")


@pytest.mark.parametrize(
    ("rows", "rule"),
    [
        ([row(), row(1, device="D-0")], "1.device: duplicate"),
        ([row(), row(1, public_key=KEYS[0])], "1.public_key: duplicate"),
        ([row(), row(1, areas=["010203"])], "1.areas: other than the office's"),
        ([row(areas=[])], "0.areas: length"),
        ([row(areas=["01020304"])], "0.areas.0: pattern"),
        ([row(areas=["010"])], "0.areas.0: pattern"),
        ([row(areas=["០១"])], "0.areas.0: pattern"),
        ([row(areas=None)], "0.areas: type"),
        ([row(public_key="no key!")], "0.public_key: base64"),
        ([row(public_key=base64.b64encode(b"short").decode())], "0.public_key: length"),
        ([row(device="a device")], "0.device: pattern"),
        ([row(office="")], "0.office: pattern"),
        ([row(name="more")], "0: unknown_field"),
        ([1], "0: type"),
    ],
)
def test_a_broken_devices_file_is_refused_with_its_place_and_rule(rows: list[Any], rule: str) -> None:
    assert refusal(*rows) == rule


@pytest.mark.parametrize("raw", [b"", b"{}", b"[", b'[{"device":"a","device":"a"}]', b"\xef\xbb\xbf[]"])
def test_what_is_no_list_is_refused_when_it_is_adopted(raw: bytes) -> None:
    with pytest.raises(InvalidReference, match="devices"):
        validate("devices", raw)


def test_the_devices_of_an_office_have_one_area_whatever_the_order_of_its_codes() -> None:
    devices = parse_devices(json.dumps([row(), row(1, areas=["0104", "010203"])]).encode())
    assert devices["D-0"].area == devices["D-1"].area


@pytest.mark.parametrize(
    ("area", "code", "inside"),
    [
        (["01"], "01020304", True),
        (["0102"], "010203", True),
        (["010203"], "010203", True),
        (["010203"], "01020401", False),
        (["02", "0104"], "01020304", False),
        (["010203"], "0102", False),
    ],
)
def test_an_area_holds_every_code_that_begins_with_one_of_its_own(
    area: list[str], code: str, inside: bool
) -> None:
    assert holds(area, code) is inside


EVENT: tuple[str, str, str, Any] = (EventType.REGISTERED, "capture/D-0", "e-1", {"b": 1, "a": [True, "ក"]})


def test_a_signed_event_is_the_devices_and_in_one_register_only() -> None:
    key = key_of("device")
    device = next(iter(parse_devices(json.dumps([_row_of("device")]).encode()).values()))
    signature = sign_event("kh", key, *EVENT).encode()
    assert signed_by_device(device, "kh", *EVENT, signature)
    assert signed_by_device(device, "kh", *EVENT[:3], {"a": [True, "ក"], "b": 1}, signature)
    assert not signed_by_device(device, "kh-2", *EVENT, signature)
    ce_type, source, event_id, data = EVENT
    others: list[tuple[str, str, str, Any]] = [
        (EventType.CORRECTED, source, event_id, data),
        (ce_type, "capture/D-1", event_id, data),
        (ce_type, source, "e-2", data),
        (ce_type, source, event_id, {"a": 1}),
    ]
    for other in others:
        assert not signed_by_device(device, "kh", *other, signature)
    foreign = sign_event("kh", key_of("x"), *EVENT).encode()
    for broken in (b"", b"no base64", signature[:-1], signature + b"\n", foreign):
        assert not signed_by_device(device, "kh", *EVENT, broken)


def test_data_without_a_canonical_form_are_signed_by_nobody() -> None:
    device = next(iter(parse_devices(json.dumps([_row_of("device")]).encode()).values()))
    signature = sign_event("kh", key_of("device"), *EVENT).encode()
    assert not signed_by_device(device, "kh", *EVENT[:3], {"a": 2**60}, signature)


def _row_of(name: str) -> dict[str, Any]:
    public = key_of(name).public_key().public_bytes_raw()
    return row(public_key=base64.b64encode(public).decode())
