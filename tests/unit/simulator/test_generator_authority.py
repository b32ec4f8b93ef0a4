"""Devices that sign, and the events that a register with devices does not believe."""

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from client.wire import to_record
from shared.contracts.cloudevents import Event
from shared.contracts.events import EventType
from shared.contracts.identity import event_signing_bytes
from simulator import DEMO_RATES, Stream, generate_stream, write_stream
from simulator.unauthorised import catalogue
from tests.kit.generated import REGISTER, decoded

BEFORE_AUTHORITY = ("key_mismatch", "wrong_partition", "resend", "id_reused", "unknown_type", "invalid")
"""Reasons that come before `not_authorised`."""

Rows = Mapping[str, Any]


@pytest.fixture(scope="module")
def rows(stream: Stream, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The devices file by device, as a service would read it."""
    out = tmp_path_factory.mktemp("stream")
    write_stream(stream, out)
    return {row["device"]: row for row in json.loads((out / "devices.json").read_bytes())}


def signed(line: bytes, event: Event, rows: Rows) -> bool:
    """Whether the device that the event names has signed it."""
    data = event.data
    capture = data if event.type == EventType.BATCH_CLOSED else data["capture"]
    row = rows.get(capture["device"])
    signature = dict(to_record(line).headers).get(b"rollstream-signature")
    if row is None or signature is None or capture["office"] != row["office"]:
        return False
    key = Ed25519PublicKey.from_public_bytes(b64decode(row["public_key"]))
    try:
        key.verify(
            b64decode(signature), event_signing_bytes(REGISTER, event.type, event.source, event.id, data)
        )
    except (ValueError, InvalidSignature):
        return False
    return True


def within(areas: list[str], data: Any) -> bool:
    return str(data["residence"]["village_code"]).startswith(tuple(areas))


def voter(data: Any) -> Any:
    return {name: value for name, value in data["voter"].items() if value is not None}


def test_a_second_reading_finds_the_same_events_not_authorised(stream: Stream, rows: Rows) -> None:
    """The contract's paragraph on areas, over decoded events and verified signatures."""
    last: dict[str, Any] = {}
    moved: dict[str, int] = {}
    seen = Counter[tuple[str, bool]]()
    for line, truth in zip(stream.lines, stream.events, strict=True):
        if truth.expected == "dead_lettered" or truth.reason in BEFORE_AUTHORITY:
            continue
        event = decoded(line)
        epoch = 1 if truth.line <= stream.first_epoch else 2
        verb, data = event.type.split(".")[2], event.data
        allowed = signed(line, event, rows)
        if allowed and event.type != EventType.BATCH_CLOSED:
            name, areas = data["registration_id"], rows[data["capture"]["device"]]["areas"]
            before = last.get(name)
            if verb == "registered":
                allowed = within(areas, data)
            elif before is not None:
                if verb in ("corrected", "removed"):
                    allowed = within(areas, before)
                if verb == "removed":
                    allowed = allowed and moved.get(name) != epoch
                else:
                    allowed = allowed and within(areas, data)
                if verb in ("transferred", "reinstated"):
                    allowed = allowed and voter(data) == voter(before)
            if truth.expected == "accepted":
                if "residence" in data:
                    last[name] = data
                if verb == "transferred":
                    moved[name] = epoch
        assert allowed == (truth.reason != "not_authorised"), truth
        seen[verb, allowed] += 1
    verbs = ("registered", "corrected", "transferred", "removed", "reinstated", "batch-closed")
    assert set(seen) == {(verb, allowed) for verb in verbs for allowed in (True, False)}


def test_every_forged_foreign_and_out_of_area_event_comes_to_nothing(stream: Stream) -> None:
    found: dict[str, set[str]] = {}
    for event in stream.events:
        found.setdefault(event.scenario, set()).add(event.reason)
    others = {"resent_without_signature": {"resend"}, "unsigned_and_invalid": {"invalid"}}
    for fault in catalogue():
        assert found[fault.name] == others.get(fault.name, {"not_authorised"}), fault.name


def test_who_came_by_a_transfer_is_removed_in_a_later_epoch_and_not_before(stream: Stream) -> None:
    def reasons(of: Stream) -> set[str]:
        return {event.reason for event in of.events if event.scenario == "removed_after_transfer"}

    assert "" in reasons(stream)
    one_epoch = generate_stream(events=5000, seed=7, rates=DEMO_RATES, register=REGISTER)
    assert one_epoch.first_epoch == 5000
    assert reasons(one_epoch) == {"not_authorised"}


def test_legitimate_captures_are_those_of_the_office_in_charge(stream: Stream) -> None:
    """Nothing that an honest office does is refused for want of authority."""
    honest = {"registered", "corrected", "transferred", "removed", "reinstated", "batch_closed"}
    refused = [e for e in stream.events if e.scenario in honest and e.reason == "not_authorised"]
    assert refused == []


def test_devices_of_one_office_have_one_area_and_some_look_after_more_than_a_commune(rows: Rows) -> None:
    of_office: dict[str, list[str]] = {}
    for row in rows.values():
        assert of_office.setdefault(row["office"], row["areas"]) == row["areas"]
        assert row["office"].startswith(tuple(row["areas"]))
    assert {len(code) for areas in of_office.values() for code in areas} == {2, 4, 6}
    assert {len(areas) for areas in of_office.values()} == {1, 2}
    assert len({row["public_key"] for row in rows.values()}) == len(rows)


def test_sequences_stay_below_ten_thousand_however_long_a_device_works() -> None:
    from simulator.dice import Dice
    from simulator.offices import Capture, Device, Registration, number

    device = Device("D-1", "010203", ("010203",), ("OP-1",), next_sequence=9_950)
    captures = [
        Capture("registered", Registration("p", "010203"), device, at * 600, "registered")
        for at in range(200)
    ]
    closings = number(captures, Dice(1))
    assert all(0 <= each.first <= each.last <= 9_999 for each in closings)
    assert {capture.sequence for capture in captures} >= {9_950, 0}
    assert len({(capture.batch, capture.sequence) for capture in captures}) == 200


def test_a_register_without_devices_gets_a_stream_without_signatures(tmp_path: Path) -> None:
    made = generate_stream(events=2000, seed=7, rates=DEMO_RATES)
    assert not any(b"rollstreamsignature" in line for line in made.lines)
    assert "not_authorised" not in {event.reason for event in made.events}
    write_stream(made, tmp_path)
    assert not (tmp_path / "devices.json").exists()


def test_the_same_country_signs_for_another_register_with_the_same_keys(stream: Stream) -> None:
    other = generate_stream(events=5000, seed=7, rates=DEMO_RATES, register="kh-other", cut_off=True)
    assert other.devices == stream.devices
    assert other.events == stream.events
    assert other.lines != stream.lines
