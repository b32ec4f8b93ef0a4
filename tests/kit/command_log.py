"""A commands topic in memory, with officers who sign, for tests of what commands do."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.commands.fold import Message, State, empty, fold
from shared.commands.markers import LATER_MS, signed_marker
from shared.contracts.commands import CommandType, Role
from shared.contracts.events import Marker
from shared.contracts.identity import canonical
from shared.contracts.topics import Topic
from shared.crypto import signing
from shared.reference.officers import ROLES, Officer, command_headers, officers_file
from shared.runtime.record import Record
from tests.reference.register_files import MODEL

REGISTER = "kh-test"
START_MS = 1_790_000_000_000
COMMUNE = "010203"
NAMES: Mapping[str, tuple[Role, ...]] = {
    "admin": ("administrator",),
    "approver": ("approver",),
    "publisher": ("publisher",),
    "adjudicator": ("adjudicator",),
    "marker": ("marker",),
}


def key_of(name: str) -> Ed25519PrivateKey:
    """A key that is the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def officer(
    name: str, roles: Sequence[Role], key_name: str | None = None, areas: Sequence[str] | None = None
) -> Officer:
    key = signing.raw_public(key_of(key_name or name).public_key())
    return Officer(name, key, frozenset(roles), None if areas is None else frozenset(areas))


OFFICERS = tuple(officer(name, roles) for name, roles in NAMES.items())


NO_PLACES = b"code,name_km,name_latin\n"
NO_STATIONS = b"station,name_km,name_latin,commune,villages,capacity\n"


def pair_of(
    one: tuple[str, str], other: tuple[str, str], communes: tuple[str, str] = (COMMUNE, COMMUNE)
) -> list[dict[str, str]]:
    """A pair as commands name it, with the communes of the smaller id and the other."""
    versions = zip(sorted((one, other)), communes, strict=True)
    return [
        {"registration_id": id_, "digest": digest, "commune": commune} for (id_, digest), commune in versions
    ]


class CommandLog:
    """Appends signed messages; `messages` is the topic, `files` the reference folder."""

    def __init__(self, officers: Sequence[Officer] = OFFICERS) -> None:
        self.messages: list[Message] = []
        self.headers: list[tuple[tuple[str, bytes], ...]] = []
        self.files: dict[str, bytes] = {}
        self.officers_sha = self.file(json.dumps(officers_file(officers)).encode())

    def file(self, raw: bytes) -> str:
        sha256 = hashlib.sha256(raw).hexdigest()
        self.files[sha256] = raw
        return sha256

    def resolve(self, _kind: str, sha256: str) -> bytes:
        return self.files[sha256]

    def send(
        self,
        ce_type: str,
        data: Any,
        name: str,
        *,
        ce_id: str | None = None,
        key: str | None = None,
        register: str = REGISTER,
        after_ms: int = 1,
    ) -> str:
        """Append a message signed by `name`, with the key of `key` if given; answers its ce_id."""
        ce_id = ce_id or f"command-{len(self.messages)}"
        value = canonical(data)
        headers = command_headers(register, name, key_of(key or name), ce_type, ce_id, value)
        self.append(headers, value, after_ms=after_ms)
        return ce_id

    def append(
        self,
        headers: tuple[tuple[str, bytes], ...],
        value: bytes,
        *,
        after_ms: int = 1,
        append_time: bool = True,
        key: bytes = b"subject",
    ) -> None:
        """Append what anybody may have sent, `after_ms` after the message before it by the broker's clock."""
        last = self.messages[-1].timestamp if self.messages else START_MS
        self.headers.append(headers)
        self.messages.append(
            Message.of_record(
                len(self.messages), last + after_ms, headers, value, key=key, append_time=append_time
            )
        )

    def approve(self, ce_id: str, name: str = "approver", **options: Any) -> str:
        value = next(message.value for message in self.messages if message.ce_id == ce_id)
        data = {
            "command_id": ce_id,
            "command_sha256": hashlib.sha256(value).hexdigest(),
            "reason": "looked at",
        }
        return self.send(CommandType.APPROVED, data, name, **options)

    def withdraw(self, ce_id: str, name: str, **options: Any) -> str:
        data = {"command_id": ce_id, "reason": "not wanted any more"}
        return self.send(CommandType.WITHDRAWN, data, name, **options)

    def command(self, ce_type: str, data: Any, name: str) -> str:
        """A proposal with its approval at once; answers the proposal's ce_id."""
        ce_id = self.send(ce_type, data, name)
        self.approve(ce_id)
        return ce_id

    def adopt(self, kind: str, raw: bytes, version: str = "1", **more: Any) -> str:
        data = {"kind": kind, "version": version, "sha256": self.file(raw), **more}
        return self.command(CommandType.ADOPTED, data, "admin")

    def found(self) -> "CommandLog":
        """The founding adoption of the officers."""
        data = {"kind": "officers", "version": "1", "sha256": self.officers_sha}
        self.send(CommandType.ADOPTED, data, "admin", ce_id="founding")
        return self

    def adopt_all(
        self,
        gazetteer: bytes = NO_PLACES,
        stations: bytes = NO_STATIONS,
        model: bytes = MODEL.encode(),
        signer: str = "signer",
    ) -> "CommandLog":
        self.adopt("gazetteer", gazetteer)
        self.adopt("stations", stations)
        self.adopt("model", model)
        self.adopt("signing_key", signing.public_pem(key_of(signer).public_key()))
        return self

    def cut_off(self, epoch: int) -> str:
        return self.command(CommandType.CUT_OFF, {"epoch": epoch}, "publisher")

    def decide(
        self,
        one: tuple[str, str],
        other: tuple[str, str],
        keep: str | None,
        *,
        approve: bool = True,
        communes: tuple[str, str] = (COMMUNE, COMMUNE),
    ) -> str:
        """`keep` None: different persons. `communes` are of the smaller id and the other."""
        data = {
            "pair": pair_of(one, other, communes),
            "decision": "different_persons" if keep is None else "same_person",
            "keep": keep,
            "reason": "seen both",
        }
        ce_id = self.send(CommandType.DECIDED, data, "adjudicator")
        if approve:
            self.approve(ce_id)
        return ce_id

    def reverse(
        self, one: tuple[str, str], other: tuple[str, str], communes: tuple[str, str] = (COMMUNE, COMMUNE)
    ) -> str:
        data = {"pair": pair_of(one, other, communes), "reason": "mistaken"}
        return self.command(CommandType.REVERSED, data, "adjudicator")

    def finalise(
        self,
        epoch: int = 1,
        roll: str = "roll-1",
        *,
        undecided: str = "refuse",
        day: str = "2027-06-06",
        kind: str = "final",
    ) -> str:
        data = {
            "roll": roll,
            "epoch": epoch,
            "election": {"kind": "commune_council", "day": day},
            "kind": kind,
            "undecided": undecided,
        }
        return self.command(CommandType.FINALISED, data, "publisher")

    def marker(self, epoch: int = 1, partition: int = 3, offset: int = 5, **other: Any) -> Record:
        """`marker` of these commands."""
        return marker(self.state(), epoch, partition, offset, **other)

    def state(self) -> State:
        return fold(REGISTER, self.officers_sha, self.messages, self.resolve)

    def empty(self) -> State:
        """The state before the first message."""
        return empty(REGISTER, self.officers_sha)


def marker(
    state: State,
    epoch: int = 1,
    partition: int = 3,
    offset: int = 5,
    *,
    topic: Topic = Topic.EVENTS,
    name: str = "marker",
    key: str | None = None,
    register: str = REGISTER,
    later: int = LATER_MS,
    **other: Any,
) -> Record:
    """The marker of an epoch as of its cut-off, by default valid on any topic.

    `later` is how many ms after its `as_of` it lies there, `other` what it says instead of the truth.
    """
    at = other.get("command_offset", state.cut_offs.get(epoch, 0))
    as_of = other.get("as_of", at)
    told = {"epoch": epoch, "command_offset": at, "as_of": as_of}
    data = Marker(**{**told, "audit_head": state.audit_head_at(as_of).hex(), **other})
    output = signed_marker(register, name, key_of(key or name), data, partition)
    timestamp = (state.timestamp_of(as_of) or 1_790_000_000_000) + later
    return Record(topic.value, partition, offset, timestamp, output.key, output.value, output.headers)


def all_roles(name: str) -> Officer:
    return officer(name, ROLES)


def running() -> CommandLog:
    """A register that is founded and has all its reference data."""
    return CommandLog().found().adopt_all()


def snapshot(state: State) -> object:
    """All that a state answers, at every offset: equal states have equal snapshots."""
    offsets = range(-1, state.next_offset + 1)
    return (
        state.next_offset,
        dict(state.verdicts),
        dict(state.cut_offs),
        list(state.finalise_requests),
        list(state.decision_log),
        {kind: list(adopted) for kind, adopted in state.adoptions.items()},
        [state.audit_head_at(offset) for offset in offsets],
        [state.decisions_at(offset) for offset in offsets],
    )
