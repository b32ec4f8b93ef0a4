"""Captures as messages: what goes over the wire, when it arrives, and what is wrong with it."""

import json
from dataclasses import dataclass, replace
from typing import Any

from client.wire import BATCH_CLOSED, SIGNATURE, Headers, ProducerRecord, wrap
from shared.contracts.topics import partition_for
from simulator.dice import Dice
from simulator.offices import Capture, Closing, Device, timestamp

TYPE = "rollstream.registration.{}.v1"


@dataclass(frozen=True, slots=True)
class Message:
    """One record to be.

    `arrival` (milliseconds from the first day) orders the stream. `subject` is what the event's history is
    kept by: the registration id, for a `batch-closed` device and batch. `verdict` is the outcome and reason
    that the record has whatever its history; `late_fault` the reason that comes last in the contract's order,
    after those of history. `line` is the line of the file where it is not the plain event.

    `signer` is the device that signs the event as it is, unless its register has no devices; a `signature`
    stands in the place of its own: "" is none at all.
    """

    arrival: int
    scenario: str
    source: str
    event_id: str
    type: str
    time: str
    key: str
    subject: str
    revision: int
    data: str
    signer: Device
    verdict: tuple[str, str] | None = None
    late_fault: str | None = None
    line: bytes | None = None
    signature: str | None = None

    def signed(self) -> str:
        """The signature that the event carries, "" for none."""
        if self.signature is not None or self.signer.key is None:
            return self.signature or ""
        return self.signer.key.signature(self.type, self.source, self.event_id, self.data)

    def text(self) -> str:
        """The structured event in JSON."""
        signature = self.signed()
        return (
            f'{{"specversion":"1.0","id":"{self.event_id}","source":"{self.source}","type":"{self.type}",'
            f'"time":"{self.time}","datacontenttype":"application/json",'
            + (f'"rollstreamsignature":"{signature}",' if signature else "")
            + f'"data":{self.data}}}'
        )

    def rendered(self) -> bytes:
        """The line of the file, without its end."""
        return self.line if self.line is not None else self.text().encode()

    def headers(self) -> Headers:
        """The headers of binary mode."""
        signature = self.signed().encode()
        return (
            (b"ce_specversion", b"1.0"),
            (b"ce_id", self.event_id.encode()),
            (b"ce_source", self.source.encode()),
            (b"ce_type", self.type.encode()),
            (b"ce_time", self.time.encode()),
            (b"content-type", b"application/json"),
            *(((SIGNATURE, signature),) if signature else ()),
        )

    def record(self, **changes: Any) -> ProducerRecord:
        """The record of binary mode, with other parts where `changes` names them."""
        plain = ProducerRecord(self.key.encode(), self.data.encode(), self.headers())
        return replace(plain, **changes)

    def sent_as(self, record: ProducerRecord, **changes: Any) -> "Message":
        """The same message as another record."""
        return replace(self, line=wrap(record), **changes)


def compact(data: Any) -> str:
    """JSON as capture systems write it: UTF-8, no blanks."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def of_capture(capture: Capture) -> Message:
    """The event of a capture."""
    device = capture.device
    registration = capture.registration
    captured_at = timestamp(capture.when)
    block = {
        "office": device.office,
        "device": device.name,
        "operator": device.operators[capture.sequence // 50 % len(device.operators)],
        "batch": capture.batch,
        "sequence": capture.sequence,
        "captured_at": captured_at,
    }
    head = {"registration_id": registration.id, "revision": capture.revision}
    body = {"reason": capture.reason} if capture.action == "removed" else capture.change
    message = Message(
        arrival=capture.arrival,
        scenario=capture.scenario,
        source=f"/capture/{device.name}",
        event_id=f"{capture.batch}.{capture.sequence}",
        type=TYPE.format(capture.action),
        time=captured_at,
        key=registration.id,
        subject=registration.id,
        revision=capture.revision,
        data=compact({**head, **body, "capture": block}),
        signer=device,
        late_fault=capture.fault,
    )
    offline = device.offline
    if device.codec and offline and offline[0] <= capture.when < offline[1]:
        # What was kept for days is uploaded compressed.
        return message.sent_as(message.record(compression=device.codec))
    return message


def of_closing(closing: Closing) -> Message:
    """The event by which a device closes a batch."""
    device = closing.device
    closed_at = timestamp(closing.when)
    data = {
        "office": device.office,
        "device": device.name,
        "batch": closing.batch,
        "first_sequence": closing.first,
        "last_sequence": closing.last,
        "count": closing.last - closing.first + 1,
        "closed_at": closed_at,
    }
    return Message(
        arrival=closing.arrival,
        scenario="batch_closed",
        source=f"/capture/{device.name}",
        event_id=f"{closing.batch}.closed",
        type=BATCH_CLOSED,
        time=closed_at,
        key=device.name,
        subject=f"{device.name}/{closing.batch}",
        revision=0,
        data=compact(data),
        signer=device,
    )


def under_new_id(message: Message, registration_id: str, dice: Dice) -> Message:
    """The technical duplicate: one capture sent again under another registration id and event id.

    The capture block stays. Sometimes the system has numbered the export anew, and only device, moment and
    the person's data show what it was.
    """
    data = json.loads(message.data)
    data["registration_id"] = registration_id
    if dice.chance(0.25):
        data["capture"]["batch"] += "-r"
    return replace(
        message,
        arrival=message.arrival + dice.between(20_000, 6 * 3_600_000),
        scenario="resend_under_new_id",
        event_id=f"{message.event_id}.r",
        key=registration_id,
        subject=registration_id,
        data=compact(data),
        line=None,
    )


def in_wrong_partition(message: Message, partitions: int, dice: Dice) -> ProducerRecord:
    """The record in a partition that is not its key's."""
    right = partition_for(message.key.encode(), partitions)
    wrong = (right + dice.between(1, partitions - 1)) % partitions
    return message.record(partition=wrong)
