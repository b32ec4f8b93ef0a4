"""Tells a small history of a register step by step, good and bad, as dice will have it: the events."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from audit.log import LogRecord
from shared.contracts.cloudevents import encode
from shared.contracts.events import EventType
from shared.contracts.identity import digest
from tests.reference.builder import LogBuilder
from tests.reference.captures import registration, removal
from tests.reference.register_files import DEVICES
from tests.reference.teller_commands import CommandTeller

IDS = ["010203-A", "010203-B", "010203-C", "010204-D", "020101-E"]
VILLAGES = ["01020301", "01020301", "01020301", "01020302", "010203", "01020401", "02010101"]
STATION_CODES = ["010203-01", "010203-02", "010204-01", "020101-01"]
BIRTHS = [("1990-04-12", "day"), ("2009-06-06", "day"), ("2009-06-07", "day"), ("2009-06-01", "month")]
FAMILIES: list[dict[str, str | None]] = [{"km": "សុខ", "latin": "SOK"}, {"km": "សុ\u200bខ"}, {"latin": "Sok"}]
REVISED = [EventType.CORRECTED, EventType.TRANSFERRED, EventType.REINSTATED]


class Teller(CommandTeller):
    """Tells one history step by step; each step draws what it needs."""

    def __init__(self, dice: Random, builder: LogBuilder) -> None:
        super().__init__(dice, builder)
        self.revisions: dict[str, int] = {}
        self.removed: set[str] = set()
        self.voters: dict[str, Any] = {}
        self.event_steps: list[Callable[[], object]] = [
            *[self.register] * 2,
            *[self.revise] * 5,
            self.transfer,
            *[self.remove] * 2,
            self.resend,
            *[self.bad_event] * 3,
            self.not_of_the_device,
            self.close_batch,
            self.void_marker,
        ]
        self.steps = [*self.event_steps * 2, *self.command_steps]

    def facts(self) -> dict[str, Any]:
        village = self.one_of(*VILLAGES)
        born, precision = self.one_of(*BIRTHS, *BIRTHS[:1] * 6)
        return {
            "village": village,
            "station": self.one_of(
                None, None, None, *(code for code in STATION_CODES if code[:6] == village[:6])
            ),
            "family": self.one_of(*FAMILIES),
            "given": {"latin": "A"},
            "born": born,
            "precision": precision,
            "capture": self.capture(village),
        }

    def capture(self, place: str = "01") -> dict[str, Any]:
        """Most often on a device of an office that may act there."""
        right = ["D-1", "D-2"] if place.startswith("01") else ["D-3"]
        device = self.one_of(*right * 3, *DEVICES)
        office = self.one_of(*[DEVICES[device][0]] * 9, "010203")
        return {"sequence": self.one_of(0, 1, 2, 4), "device": device, "office": office}

    def send(self, event_type: str, data: dict[str, Any]) -> LogRecord:
        """What has a chance to be accepted; `versions` remembers what officers may decide on."""
        registration_id = data["registration_id"]
        if "voter" in data and (event_type != EventType.REGISTERED or registration_id not in self.voters):
            self.versions.append((registration_id, digest(data["voter"], data["residence"])))
            self.voters[registration_id] = data["voter"]
        return self.builder.event(event_type, data)

    def anyone(self) -> str:
        """Most often someone who was registered."""
        name: str = self.one_of(*IDS, *[*self.revisions] * 9)
        return name

    def register(self, registration_id: str | None = None) -> None:
        registration_id = registration_id or self.one_of(*IDS)
        self.revisions.setdefault(registration_id, 1)
        self.send(EventType.REGISTERED, registration(registration_id, 1, **self.facts()))

    def revise(self) -> None:
        registration_id = self.anyone()
        removed = registration_id in self.removed
        event_type = self.one_of(*REVISED, *[EventType.REINSTATED if removed else EventType.CORRECTED] * 6)
        if event_type == EventType.REINSTATED:
            self.removed.discard(registration_id)
        facts = registration(registration_id, self.next_revision(registration_id), **self.facts())
        self.send(event_type, facts)

    def transfer(self) -> None:
        """The same voter at another place, or one who comes back; and perhaps a removal at once."""
        registration_id = self.anyone()
        facts = registration(registration_id, self.next_revision(registration_id), **self.facts())
        voter = self.voters.get(registration_id, facts["voter"])
        facts["voter"] = self.one_of(voter, voter, {**voter, "phone": None}, {**voter, "sex": "male"})
        event_type = EventType.TRANSFERRED
        if registration_id in self.removed:
            self.removed.discard(registration_id)
            event_type = EventType.REINSTATED
        self.send(event_type, facts)
        if self.one_of(True, False):
            self.remove(registration_id)

    def remove(self, registration_id: str | None = None) -> None:
        registration_id = registration_id or self.anyone()
        self.removed.add(registration_id)
        reason = self.one_of("deceased", "moved", "duplicate", "disenfranchised")
        revision = self.next_revision(registration_id)
        place = self.one_of("01", "01", "01", "02")
        self.send(EventType.REMOVED, removal(registration_id, revision, reason, **self.capture(place)))

    def next_revision(self, registration_id: str) -> int:
        step: int = self.one_of(*[1] * 8, 2, 0, 1000, 1001)
        revision = self.revisions.get(registration_id, 1) + step
        if step <= 2:
            self.revisions[registration_id] = revision
        return revision

    def resend(self) -> None:
        sent = [record for record in self.builder.events if record.fault is None]
        if sent:
            self.builder.resend(self.one_of(*sent))

    def not_of_the_device(self) -> None:
        """An event that nobody signed, or another than it says, or that was signed for something else."""
        facts = registration(self.one_of(*IDS), 1, **self.facts())
        event_type = self.one_of(EventType.REGISTERED, EventType.REGISTERED, EventType.CORRECTED)
        record = self.builder.event(event_type, facts, signer=self.one_of(None, "D-1", "D-3", "stranger"))
        if self.one_of(True, False):
            name, content = self.one_of(
                ("ce_id", b"another"), ("ce_source", b"elsewhere"), ("rollstream-signature", b"?")
            )
            self.builder.events[-1] = replace(record, headers=(*record.headers, (name, content)))

    def bad_event(self) -> None:
        data = registration(self.one_of(*IDS), 1, **self.facts())
        kinds = ("partition", "key", "null", "type", "shape", "place", "json", "id", "fault", "age")
        kind = self.one_of(*kinds, "headers", "large", "batch", "errors")
        if kind == "partition":
            self.builder.event(EventType.REGISTERED, data, partition=self.one_of(0, 1))
        elif kind == "key":
            self.builder.event(EventType.REGISTERED, data, key=self.one_of("x", "D-1", *IDS))
        elif kind == "null":
            record = self.builder.event(EventType.REGISTERED, data)
            self.builder.events[-1] = replace(record, key=None)
        elif kind == "type":
            self.builder.event("rollstream.registration.unheard-of.v1", data)
        elif kind == "shape":
            value = self.one_of(
                [], 7, {}, {**data, "revision": True}, {**data, "note": 2**60}, {"voter": 1.5}
            )
            event_type = self.one_of(*(each for each in EventType if each != EventType.MARKER))
            self.builder.event(event_type, value, key=self.one_of(*IDS))
        elif kind == "place":
            place = self.one_of({"village": "01020399"}, {"station": "020101-01"}, {"station": "nowhere"})
            self.builder.event(EventType.REGISTERED, registration("010203-new", 1, **place))
        elif kind == "json":
            value = self.one_of(b"{", b"\xff", b'{"a":1,"a":2}', None, b"[" * 65 + b"]" * 65, b'"\\u0000"')
            self.builder.raw_event(self.one_of(0, 1), b"k", value, encode("s", "i", "t"))
        elif kind == "id":
            self.builder.event(
                EventType.CORRECTED, {**data, "revision": 2}, ce_id=self.one_of("event-1", "event-2")
            )
        elif kind == "age":
            born = self.one_of("2011-10-20", "2011-10-21", "1906-10-19", "1906-10-20", "2026-10-21")
            self.builder.event(EventType.REGISTERED, registration("010203-new", 1, born=born))
        elif kind == "errors":
            wrong = {f"field {number}": 1 for number in range(3)}
            names = {"km": "", "latin": ""}
            many = {**data, **wrong, "revision": "1", "voter": {"family_name": names, "given_name": 1}}
            self.builder.event(EventType.REGISTERED, {**many, "capture": {**data["capture"], "batch": 1}})
        elif kind == "batch":
            self.builder.undecodable_batch(self.one_of(0, 1), self.one_of(1, 3))
        else:
            self.bad_envelope(kind, self.builder.event(EventType.REGISTERED, data))

    def bad_envelope(self, kind: str, record: LogRecord) -> None:
        """Spoil what is around an event's data."""
        if kind == "fault":
            odd: Any = (("n\udcff", b"x"),)
        elif kind == "large":
            odd = (("x", b"x" * 65536),)
        else:
            odd = self.one_of(
                (("ce_id", b""),),
                (("ce_id", None),),
                (("ce_id", b"a\n"),),
                (("ce_id", b"x" * 257),),
                (("ce_source", b"\xff"),),
                (("ce_specversion", b"0.3"),),
                (("content-type", b"text/plain"),),
                (("content-type", b"Application/JSON; charset=utf-8"),),
                (("content-type", b"application/cloudevents+json"),),
            )
        self.builder.events[-1] = replace(record, headers=(*record.headers, *odd))

    def close_batch(self) -> None:
        first = self.one_of(0, 1)
        device = self.one_of(*DEVICES)
        self.builder.close_batch(first, first + self.one_of(-1, 0, 1, 2), device, office=DEVICES[device][0])
