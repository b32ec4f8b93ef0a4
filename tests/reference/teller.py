"""Tells a small history of a register step by step, good and bad, as dice will have it."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from shared.contracts.cloudevents import encode
from shared.contracts.commands import CommandType
from shared.contracts.events import EventType
from shared.contracts.identity import digest
from tests.reference.builder import (
    GAZETTEER,
    MODEL,
    OFFICERS,
    STATIONS,
    LogBuilder,
    key_of,
    officers_file,
    public_pem,
    registration,
    removal,
)
from tests.reference.log import LogRecord, VersionId

IDS = ["010203-A", "010203-B", "010203-C", "010204-D", "020101-E"]
VILLAGES = ["01020301", "01020301", "01020301", "01020302", "010203", "01020401", "02010101"]
STATION_CODES = ["010203-01", "010203-02", "010204-01", "020101-01"]
BIRTHS = [("1990-04-12", "day"), ("2009-06-06", "day"), ("2009-06-07", "day"), ("2009-06-01", "month")]
FAMILIES: list[dict[str, str | None]] = [{"km": "សុខ", "latin": "SOK"}, {"km": "សុ\u200bខ"}, {"latin": "Sok"}]
REVISED = [EventType.CORRECTED, EventType.TRANSFERRED, EventType.REINSTATED]
OTHER_OFFICERS = {name: roles for name, roles in OFFICERS.items() if name != "admin-2"}
MOVED_STATIONS = STATIONS.replace("010203-02,ខ,B,010203,", "010203-02,ខ,B,010204,").replace(
    "010204-01,គ,C,010204,", "010204-01,គ,C,020101,"
)
OTHER_STATIONS = STATIONS.replace("010203-01,ក,A,010203,01020301,", "010203-09,ក,A,010203,01020301,")


class Teller:
    """Tells one history step by step; each step draws what it needs."""

    def __init__(self, dice: Random, builder: LogBuilder) -> None:
        self.dice = dice
        self.builder = builder
        self.revisions: dict[str, int] = {}
        self.removed: set[str] = set()
        self.versions: list[VersionId] = []
        self.epoch = 0
        self.event_steps: list[Callable[[], object]] = [
            *[self.register] * 2,
            *[self.revise] * 5,
            *[self.remove] * 2,
            self.resend,
            *[self.bad_event] * 3,
            self.close_batch,
            self.void_marker,
        ]
        self.command_steps: list[Callable[[], object]] = [
            *[self.decide] * 3,
            self.reverse,
            self.adopt,
            self.finalise,
            self.cut_off,
            self.bad_command,
            self.approve,
        ]
        self.steps = [*self.event_steps * 2, *self.command_steps]

    def one_of(self, *choices: Any) -> Any:
        return self.dice.choice(choices)

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
            "capture": {"sequence": self.one_of(0, 1, 2), "device": self.one_of("D-1", "D-2")},
        }

    def send(self, event_type: str, data: dict[str, Any], **how: Any) -> LogRecord:
        if "voter" in data:
            self.versions.append((data["registration_id"], digest(data["voter"], data["residence"])))
        return self.builder.event(event_type, data, **how)

    def anyone(self) -> str:
        """Most often someone who was registered."""
        name: str = self.one_of(*IDS, *[*self.revisions] * 4)
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

    def remove(self) -> None:
        registration_id = self.anyone()
        self.removed.add(registration_id)
        reason = self.one_of("deceased", "moved", "duplicate", "disenfranchised")
        revision = self.next_revision(registration_id)
        self.send(EventType.REMOVED, removal(registration_id, revision, reason))

    def next_revision(self, registration_id: str) -> int:
        step: int = self.one_of(*[1] * 8, 2, 0, 1000, 1001)
        revision = self.revisions.get(registration_id, 1) + step
        if step <= 2:
            self.revisions[registration_id] = revision
        return revision

    def resend(self) -> None:
        if self.builder.events:
            self.builder.resend(self.one_of(*self.builder.events))

    def bad_event(self) -> None:
        data = registration(self.one_of(*IDS), 1, **self.facts())
        kind = self.one_of("partition", "key", "null", "type", "shape", "place", "json", "id", "fault", "age")
        if kind == "partition":
            self.send(EventType.REGISTERED, data, partition=self.one_of(0, 1))
        elif kind == "key":
            self.send(EventType.REGISTERED, data, key=self.one_of("x", "D-1", *IDS))
        elif kind == "null":
            record = self.send(EventType.REGISTERED, data)
            self.builder.events[-1] = replace(record, key=None)
        elif kind == "type":
            self.send("rollstream.registration.unheard-of.v1", data)
        elif kind == "shape":
            value = self.one_of(
                [], 7, {}, {**data, "revision": True}, {**data, "note": 2**60}, {"voter": 1.5}
            )
            self.builder.event(self.one_of(*EventType), value, key=self.one_of(*IDS))
        elif kind == "place":
            place = self.one_of({"village": "01020399"}, {"station": "020101-01"}, {"station": "nowhere"})
            self.send(EventType.REGISTERED, registration(data["registration_id"], 1, **place))
        elif kind == "json":
            value = self.one_of(b"{", b"\xff", b'{"a":1,"a":2}', None)
            self.builder.raw_event(self.one_of(0, 1), b"k", value, encode("s", "i", "t"))
        elif kind == "id":
            self.send(EventType.CORRECTED, {**data, "revision": 2}, ce_id=self.one_of("event-1", "event-2"))
        elif kind == "fault":
            record = self.send(EventType.REGISTERED, data)
            self.builder.events[-1] = replace(record, fault="headers")
        else:
            born = self.one_of("2011-10-20", "2011-10-21", "1906-10-19", "1906-10-20", "2026-10-21")
            self.send(EventType.REGISTERED, registration(data["registration_id"], 1, born=born))

    def close_batch(self) -> None:
        first = self.one_of(0, 1)
        self.builder.close_batch(first, first + self.one_of(-1, 0, 1, 2), self.one_of("D-1", "D-2"))

    def void_marker(self) -> None:
        epoch, offset = self.one_of(1, 2), self.dice.randrange(len(self.builder.commands))
        self.builder.marker(epoch, offset, self.one_of(0, 1), self.one_of("marker", "admin", "nobody"))

    def cut_off(self) -> None:
        """Most often the next epoch, with all its markers, or some, or one twice."""
        epoch = self.epoch + self.one_of(*[1] * 9, 2)
        offset = self.builder.cut_off(epoch, markers=False)
        if epoch == self.epoch + 1:
            self.epoch = epoch
        for partition in self.one_of(*[(0, 1)] * 6, (1, 0, 0), (0,)):
            self.builder.marker(epoch, offset, partition)

    def decide(self) -> None:
        pair = self.pair()
        if pair is not None:
            decision = self.one_of("same_person", "same_person", "different_persons")
            keep = self.one_of(*(each for each, _ in pair)) if decision == "same_person" else None
            self.builder.decide(*pair, decision, keep)

    def reverse(self) -> None:
        pair = self.pair()
        if pair is not None:
            self.builder.reverse(*pair)

    def pair(self) -> tuple[VersionId, VersionId] | None:
        if len({registration_id for registration_id, _ in self.versions}) < 2:
            return None
        last = list(dict(self.versions).items())
        one = self.one_of(*self.versions, *last * 3)
        return one, self.one_of(*(other for other in [*self.versions, *last * 3] if other[0] != one[0]))

    def adopt(self) -> None:
        kind, raw = self.one_of(
            ("stations", OTHER_STATIONS.encode()),
            ("stations", STATIONS.encode()),
            ("stations", MOVED_STATIONS.encode()),
            ("stations", STATIONS.replace(",750", ",751").encode()),
            ("gazetteer", GAZETTEER.replace("\n0102,", "\n0109,").encode()),
            ("officers", officers_file(OTHER_OFFICERS)),
            ("officers", officers_file(OFFICERS)),
            ("officers", b"[]"),
            ("signing_key", public_pem("lists-2")),
            ("signing_key", b"no key"),
            ("model", MODEL.encode()),
            ("model", b"{}"),
        )
        self.builder.adopt(kind, raw, approver=self.one_of("approver", "approver", None))

    def finalise(self) -> None:
        self.builder.finalise(
            epoch=max(1, self.epoch - self.one_of(0, 0, 0, 0, 1, -1)),
            roll=self.one_of("2027-commune", "2027-commune", "2028-national"),
            undecided=self.one_of("hold_later", "hold_later", "refuse"),
        )

    def roll(self) -> None:
        """A cut-off, most often with a roll made of it, and something in between."""
        self.cut_off()
        if self.one_of(True, False):
            self.one_of(*self.command_steps)()
        self.finalise()

    def approve(self) -> None:
        """Approve something that lies there, whether or not it waits for that."""
        earlier = [f"command-{number}" for number in range(1, self.builder.last_id("command") + 1)]
        if earlier:
            changes = self.one_of(
                {}, {}, {}, {"command_sha256": "0" * 64}, {"reason": ""}, {"command_id": "none"}
            )
            self.builder.approve(self.one_of(*earlier[-4:]), self.one_of(*OFFICERS, "nobody"), **changes)

    def bad_command(self) -> None:
        """Something on the commands topic that lacks what it takes, most often."""
        officer = self.one_of(*OFFICERS, "nobody")
        kind = self.one_of("unapproved", "malformed", "headers", "id", "key", "type")
        if kind == "unapproved":
            self.builder.propose(CommandType.CUT_OFF, {"epoch": self.one_of(1, 2)}, officer)
        elif kind == "malformed":
            data = self.one_of({}, [], {"epoch": "1"}, None)
            self.builder.command(self.one_of(*CommandType), data, officer)
        elif kind == "headers":
            name = self.one_of("ce_id", "ce_type", "rollstream-officer", "rollstream-signature")
            headers = self.builder.signed(CommandType.CUT_OFF, "odd", b'{"epoch":1}', "admin")
            content = self.one_of(None, b"", b"\xff", b"x", b"a\0b")
            odd = tuple((each, content if each == name else told) for each, told in headers)
            self.builder.raw_command(b'{"epoch":1}', odd)
        elif kind == "id":
            again = f"command-{self.dice.randint(1, 3)}"
            self.builder.propose(CommandType.CUT_OFF, {"epoch": 1}, officer, ce_id=again)
        elif kind == "key":
            self.builder.propose(CommandType.CUT_OFF, {"epoch": 1}, officer, key=key_of("other"))
        else:
            self.builder.propose("rollstream.command.unheard-of.v1", {"epoch": 1}, officer)
