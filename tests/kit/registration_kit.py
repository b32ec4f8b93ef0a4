"""Capture events, and the small country that they name, for tests of registration."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

from services.registration.authority import Sender
from services.registration.domain import Judgement, Reference
from services.registration.fold import BatchFold
from services.registration.history import Close
from services.registration.intake import Incoming, read
from services.registration.registrations import Registration
from shared.contracts.cloudevents import encode
from shared.contracts.commands import SIGNATURE_HEADER
from shared.contracts.events import EventType
from shared.contracts.topics import Topic, partition_for
from shared.reference.devices import Device, sign_event
from shared.reference.files import parse_gazetteer, parse_stations
from shared.runtime.record import Record
from tests.kit.command_log import key_of

REGISTER = "kh-test"
PARTITIONS = 4
TIMESTAMP = 1_790_000_000_000
REGISTRATION = "010203-2026-0000123"
DEVICE = "D-0042"
SOURCE = "capture/D-0042"

GAZETTEER = """code,name_km,name_latin
01,បន្ទាយមានជ័យ,Banteay Meanchey
0102,មង្គលបូរី,Mongkol Borei
010203,ឫស្សីក្រោក,Ruessei Kraok
01020304,ភូមិ៤,Phum Buon
01020305,ភូមិ៥,Phum Pram
010204,សឿ,Soea
01020401,ភូមិ១,Phum Muoy
""".encode()
STATIONS = """station,name_km,name_latin,commune,villages,capacity
010203-01,សាលា,School,010203,01020304,750
010203-02,វត្ត,Pagoda,010203,,750
010204-01,សាលា,School,010204,,750
""".encode()
REFERENCE = Reference(parse_gazetteer(GAZETTEER), parse_stations(STATIONS))

_WHOLE: dict[str, Any] = {
    "registration_id": REGISTRATION,
    "revision": 1,
    "voter": {
        "family_name": {"km": "សុខ", "latin": "SOK"},
        "given_name": {"km": "សុវណ្ណ", "latin": "SOVANN"},
        "sex": "female",
        "date_of_birth": "1990-04-12",
        "date_of_birth_precision": "day",
        "identity_document": {"kind": "national_id", "number": "010203040"},
        "phone": None,
    },
    "residence": {"village_code": "01020304"},
    "polling_station": "010203-01",
    "capture": {
        "office": "010203",
        "device": DEVICE,
        "operator": "OP-17",
        "batch": "D-0042-20261020-1",
        "sequence": 17,
        "captured_at": "2026-10-20T08:15:00+07:00",
    },
}


def registration(**changes: Any) -> dict[str, Any]:
    """A whole registration; `voter__sex="male"` changes a member within."""
    return _changed(_WHOLE, changes)


def removal(**changes: Any) -> dict[str, Any]:
    """The data of a removal."""
    data = {name: _WHOLE[name] for name in ("registration_id", "capture")}
    return _changed({**data, "revision": 2, "reason": "moved"}, changes)


def batch_closed(**changes: Any) -> dict[str, Any]:
    """The data of a closed batch."""
    data = {
        "office": "010203",
        "device": DEVICE,
        "batch": "D-0042-20261020-1",
        "first_sequence": 1,
        "last_sequence": 3,
        "count": 3,
        "closed_at": "2026-10-20T17:00:00+07:00",
    }
    return _changed(data, changes)


def _changed(data: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    data = deepcopy(data)
    for path, value in changes.items():
        *within, name = path.split("__")
        place = data
        for each in within:
            place = place[each]
        place[name] = value
    return data


def event(
    event_type: str,
    data: Any,
    *,
    event_id: str = "e-1",
    offset: int = 0,
    source: str = SOURCE,
    key: bytes | str | None = "own",
    partition: int | None = None,
) -> Record:
    """An event in binary mode, with the key and in the partition where it belongs, unless told otherwise."""
    if isinstance(key, str):
        named = data if isinstance(data, dict) else {}
        subject = named.get("device" if event_type == EventType.BATCH_CLOSED else "registration_id")
        key = str(subject).encode()
    return Record(
        topic=Topic.EVENTS.value,
        partition=partition_for(key or b"", PARTITIONS) if partition is None else partition,
        offset=offset,
        timestamp=TIMESTAMP + offset,
        key=key,
        value=json.dumps(data, ensure_ascii=False).encode(),
        headers=encode(source, event_id, event_type),
    )


def raw(value: bytes | None, **headers: bytes) -> Record:
    """A record with these bytes, and headers in place of those of an event."""
    attributes = dict(encode(SOURCE, "raw", EventType.REGISTERED)) | headers
    return Record(
        Topic.EVENTS.value, partition_for(b"any", PARTITIONS), 0, 0, b"any", value, tuple(attributes.items())
    )


def incoming(record: Record) -> Incoming:
    """The record, which is an event."""
    found = read(record)
    assert isinstance(found, Incoming)
    return found


def device(name: str = DEVICE, office: str = "010203", areas: tuple[str, ...] = ("010203",)) -> Device:
    """A row of a devices file."""
    return Device(name, key_of(name).public_key().public_bytes_raw(), office, frozenset(areas))


def with_devices(*devices: Device) -> Reference:
    """The reference data of an epoch with these devices."""
    return replace(REFERENCE, devices={each.name: each for each in devices})


def signed(record: Record, by: str = DEVICE, register: str = REGISTER) -> Record:
    """The record with a device's signature, whatever device it names."""
    told = incoming(record).event
    signature = sign_event(register, key_of(by), told.type, told.source, told.id, told.data)
    return replace(record, headers=(*record.headers, (SIGNATURE_HEADER, signature.encode())))


class MemoryStore:
    """Registrations and closes, kept as the documents that MongoDB would hold."""

    def __init__(self, reference: Reference = REFERENCE) -> None:
        self.reference = reference
        self.senders: dict[tuple[int, int], Sender] = {}
        self.registrations: dict[str, dict[str, Any]] = {}
        self.closes: dict[str, list[Close]] = {}

    def settle(
        self, records: list[Record], epoch: int | Callable[[int, int], int] = 1
    ) -> dict[tuple[int, int], Judgement]:
        """Judge a batch and store what it changes; `epoch` is that of all, or of a partition's offset."""
        fold = BatchFold(
            REGISTER,
            [incoming(record) for record in records],
            epoch if callable(epoch) else lambda _partition, _offset: epoch,
            lambda _epoch: self.reference,
            PARTITIONS,
        )
        loaded = {
            each: Registration.of(deepcopy(self.registrations[each]))
            if each in self.registrations
            else Registration(each)
            for each in fold.registration_ids
        }
        closes = {each: self.closes.get(each, []) for each in fold.closed_batch_ids}
        for changed in fold.judge(loaded, closes):
            self.registrations[changed.id] = changed.document()
        for batch_id in closes:
            self.closes[batch_id] = fold.closes_of(batch_id)
        self.senders |= fold.senders
        return fold.judgements
