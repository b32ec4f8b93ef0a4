"""The commands of a told history: officers with and without right, markers whole, missing and void."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from audit import messages
from audit.commands import LONGEST_WAIT_MS
from audit.log import VersionId
from tests.reference.builder import LogBuilder
from tests.reference.register_files import (
    AREAS,
    DEVICES,
    GAZETTEER,
    MODEL,
    OFFICERS,
    STATIONS,
    devices_file,
    key_of,
    officers_file,
    public_pem,
)

OTHER_OFFICERS = {name: roles for name, roles in OFFICERS.items() if name != "admin-2"}
MOVED_STATIONS = STATIONS.replace("010203-02,ខ,B,010203,", "010203-02,ខ,B,010204,").replace(
    "010204-01,គ,C,010204,", "010204-01,គ,C,020101,"
)
OTHER_STATIONS = STATIONS.replace("010203-01,ក,A,010203,01020301,", "010203-09,ក,A,010203,01020301,")
TYPES = [messages.APPROVED, messages.WITHDRAWN, *messages.PROPOSER_ROLE]


class CommandTeller:
    """Tells what officers do; each step draws what it needs."""

    def __init__(self, dice: Random, builder: LogBuilder) -> None:
        self.dice = dice
        self.builder = builder
        self.versions: list[VersionId] = []
        self.epoch = 0
        self.cut_offs: list[int] = []
        self.command_steps: list[Callable[[], object]] = [
            *[self.decide] * 3,
            self.decide_in_area,
            self.decide_of_three,
            self.reverse,
            self.adopt,
            self.adopt_devices,
            self.finalise,
            self.cut_off,
            self.bad_command,
            self.approve,
            self.withdraw,
            self.approve_late,
            self.approve_own,
            self.skip,
            self.leave,
        ]

    def one_of(self, *choices: Any) -> Any:
        return self.dice.choice(choices)

    def void_marker(self) -> None:
        """A marker that lacks something, if only a cut-off, or one that was written too soon."""
        last = self.builder.commands[-1].end
        cut_off, as_of = (
            self.one_of(*(r.offset for r in self.builder.commands if not r.fault)) for _ in "ab"
        )
        lacks: dict[str, Any] = self.one_of(
            {},
            {"changes": {"audit_head": "0" * 64}},
            {"changes": {"as_of": last}},
            {"changes": {"note": 1}},
            {"changes": {"epoch": 1.0}},
            {"as_of": as_of},
            {"after_ms": 0},
            {"officer": self.one_of("admin", "nobody")},
        )
        offset = self.one_of(cut_off, *self.cut_offs)
        self.builder.marker(self.one_of(1, 2), offset, self.one_of(0, 1), **lacks)

    def cut_off(self) -> None:
        """Most often the next epoch, with all its markers, or some, or one twice, or one too soon."""
        epoch = self.epoch + self.one_of(*[1] * 9, 2)
        offset = self.builder.cut_off(epoch, markers=False)
        if epoch == self.epoch + 1:
            self.epoch = epoch
            self.cut_offs.append(offset)
        for partition in self.one_of(*[(0, 1)] * 6, (1, 0, 0), (0,)):
            if self.one_of(*[False] * 9, True):
                self.builder.marker(epoch, offset, partition, after_ms=0)
            as_of = self.one_of(None, None, offset)
            self.builder.marker(epoch, offset, partition, as_of=as_of, after_ms=self.one_of(2000, 5000))

    def decide(self, **how: Any) -> None:
        pair = self.pair()
        if pair is not None:
            decision = self.one_of("same_person", "same_person", "different_persons")
            keep = self.one_of(*(each for each, _ in pair)) if decision == "same_person" else None
            wrong = {pair[0][0]: self.one_of("010204", "020101")}
            self.builder.decide(*pair, decision, keep, self.one_of(*[None] * 7, wrong), **how)

    def decide_in_area(self) -> None:
        officer = self.one_of("local", "admin")
        self.decide(officer=officer, approver=self.one_of("local-approver", "approver"))

    def decide_of_three(self) -> None:
        """Two decisions that meet in one registration: one person, with one, two or none who may stand."""
        last = sorted(dict(self.versions).items())
        if len(last) > 2:
            one, two, three = self.dice.sample(last, 3)
            self.builder.decide(one, two, "same_person", self.one_of(one, two)[0])
            self.builder.decide(two, three, "same_person", self.one_of(two, three)[0])
            if self.one_of(True, False):
                self.builder.decide(one, three, "different_persons")

    def reverse(self) -> None:
        pair = self.pair()
        if pair is not None:
            wrong = {pair[0][0]: "010204"}
            self.builder.reverse(*pair, self.one_of(None, None, None, wrong), self.one_of("admin", "local"))

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
            ("officers", officers_file(OFFICERS, {**AREAS, "admin-2": ["01"]})),
            ("officers", b"[]"),
            ("signing_key", public_pem("lists-2")),
            ("signing_key", b"no key"),
            ("model", MODEL.encode()),
            ("model", b"{}"),
        )
        lost = {"lost": self.one_of(True, False)} if self.one_of(*[False] * 5, kind == "signing_key") else {}
        self.builder.adopt(kind, raw, approver=self.one_of("approver", "approver", None), **lost)

    def adopt_devices(self) -> None:
        fewer = {name: DEVICES[name] for name in ("D-1", "D-3")}
        elsewhere = {**DEVICES, "D-3": ("020101", ["01", "020101"])}
        raw = self.one_of(devices_file(), devices_file(fewer), devices_file(elsewhere), b"[]", b"{}")
        self.builder.adopt("devices", raw)

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
        if self.one_of(*[False] * 3, True):  # the same roll anew, at other stations
            self.builder.adopt("stations", self.one_of(OTHER_STATIONS, MOVED_STATIONS, STATIONS).encode())
            self.finalise()

    def earlier(self) -> list[str]:
        """The last few commands, whatever they were."""
        return [f"command-{number}" for number in range(1, self.builder.last_id("command") + 1)][-4:]

    def approve(self) -> None:
        """Approve something that lies there, whether or not it waits for that."""
        if self.earlier():
            changes = self.one_of(
                {}, {}, {}, {"command_sha256": "0" * 64}, {"reason": ""}, {"command_id": "none"}
            )
            self.builder.approve(self.one_of(*self.earlier()), self.one_of(*OFFICERS, "nobody"), **changes)

    def withdraw(self) -> None:
        """Withdraw or return something that lies there, or has just been proposed."""
        if self.one_of(True, False):
            kind, raw = self.one_of(("officers", officers_file(OFFICERS)), ("stations", STATIONS.encode()))
            self.builder.adopt(kind, raw, approver=None)
        if self.earlier():
            changes = self.one_of({}, {}, {}, {}, {"reason": None}, {"command_id": "none"})
            officer = self.one_of("admin", "approver", *OFFICERS)
            self.builder.withdraw(self.one_of(self.earlier()[-1], *self.earlier()), officer, **changes)

    def approve_own(self) -> None:
        """Nobody is another officer than oneself."""
        self.builder.adopt("stations", STATIONS.encode(), "approver-2", "approver-2")

    def skip(self) -> None:
        """Have a record passed over; the topic, the place or the proposer may be wrong."""
        data = {
            "topic": self.one_of(
                "registration.accepted.v1", "registration.checked.v1", "registration.events.v1"
            ),
            "partition": self.one_of(0, 1, -1),
            "offset": self.one_of(3, 3, "3"),
            "record_sha256": "0" * 64,
            "reason": "a stranger wrote it",
        }
        self.builder.command(messages.SKIPPED, data, self.one_of("admin", "admin", *OFFICERS))

    def leave(self) -> None:
        """Who proposed is an officer no longer, most often, and then one again."""
        ce_id = self.builder.adopt("stations", STATIONS.encode(), "admin-2", None)
        rest = self.one_of(OTHER_OFFICERS, OTHER_OFFICERS, {**OFFICERS, "admin-2": ["publisher"]}, OFFICERS)
        self.builder.adopt("officers", officers_file(rest))
        self.builder.approve(ce_id)
        self.builder.withdraw(ce_id, self.one_of("admin-2", "approver"))
        self.builder.adopt("officers", officers_file(OFFICERS))
        self.builder.approve(ce_id, self.one_of("approver", "local-approver"))

    def approve_late(self) -> None:
        """An approval at the last moment, or just after, or twice."""
        if self.earlier():
            ce_id = self.builder.propose(messages.CUT_OFF, {"epoch": self.epoch + 1})
            left = LONGEST_WAIT_MS - (self.builder.clock - self.builder.commands[-1].timestamp)
            self.builder.pass_time(left + self.one_of(0, 1))
            for _ in range(self.one_of(1, 1, 2)):
                self.builder.approve(ce_id, self.one_of("approver", "approver", "approver-2", "admin"))

    def bad_command(self) -> None:
        """Something on the commands topic that lacks what it takes, most often."""
        officer = self.one_of(*OFFICERS, "nobody")
        kind = self.one_of(
            "unapproved", "malformed", "headers", "id", "key", "type", "time", "large", "batch"
        )
        cut_off = {"epoch": self.one_of(1, 2)}
        if kind == "unapproved":
            self.builder.propose(messages.CUT_OFF, cut_off, officer)
        elif kind == "malformed":
            data = self.one_of({}, [], {"epoch": "1"}, {"epoch": 1.0}, None)
            self.builder.command(self.one_of(*TYPES), data, officer)
        elif kind == "headers":
            name = self.one_of("ce_id", "ce_type", "rollstream-officer", "rollstream-signature")
            headers = self.builder.signed(messages.CUT_OFF, "odd", b'{"epoch":1}', "admin")
            content = self.one_of(None, b"", b"\xff", b"x", b"a\0b")
            odd = tuple((each, content if each == name else told) for each, told in headers)
            self.builder.raw_command(b'{"epoch":1}', odd)
        elif kind == "id":
            # Before or after the one that counts, signed by who may, or by nobody in force.
            again = f"command-{self.builder.last_id('command') + self.one_of(-1, 0, 1, 2)}"
            # Delete and the C1 controls, U+007F to U+009F, may stand in an id; U+001F may not.
            again = self.one_of(again, again, again, again + self.one_of("\x7f", "\x80", "\x9f", "\x1f"))
            self.builder.propose(messages.CUT_OFF, cut_off, officer, ce_id=again)
        elif kind == "key":
            self.builder.propose(messages.CUT_OFF, cut_off, officer, key=key_of("other"))
        elif kind == "type":
            self.builder.propose("rollstream.command.unheard-of.v1", cut_off, officer)
        elif kind == "batch":
            self.builder.undecodable_command_batch(self.one_of(1, 3))
        else:
            self.builder.propose(messages.CUT_OFF, cut_off, officer)
            odd_one = self.builder.commands[-1]
            more = (*odd_one.headers, ("x", b"x" * 65536))
            self.builder.commands[-1] = (
                replace(odd_one, append_time=False) if kind == "time" else replace(odd_one, headers=more)
            )
