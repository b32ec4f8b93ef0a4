"""The commands topic of a small register: what officers propose, approve and withdraw, signed."""

import base64
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import messages
from audit.commands import OFFICER_HEADER, SIGNATURE_HEADER
from audit.log import Headers, LogRecord, VersionId
from shared.contracts.cloudevents import encode
from shared.contracts.identity import command_signing_bytes, ordered_pair, sha256_hex
from tests.reference.captures import json_bytes
from tests.reference.register_files import (
    GAZETTEER,
    MODEL,
    OFFICERS,
    STATIONS,
    key_of,
    officers_file,
    public_pem,
)

REGISTER = "kh-test"
START = 1_790_000_000_000
"""Milliseconds since 1970 of the first record."""

COMMUNE = "010203"
"""The commune of a version that nobody captured."""


class CommandBuilder:
    """Appends to the commands topic; the reference files are in `files`, the broker's time in `clock`.

    `communes` has the commune of each version that was captured; `founding` is the pinned officers' file.
    """

    def __init__(self, register: str = REGISTER) -> None:
        self.register = register
        self.founding = sha256_hex(officers_file(OFFICERS))
        self.files: dict[str, bytes] = {}
        self.commands: list[LogRecord] = []
        self.communes: dict[VersionId, str] = {}
        self.clock = START
        self._ids: Counter[str] = Counter()

    def found(
        self,
        stations: str = STATIONS,
        gazetteer: str = GAZETTEER,
        officers: dict[str, list[str]] | None = None,
        model: str = MODEL,
        devices: bytes | None = None,
    ) -> Self:
        """The first adoptions of the five kinds, and of devices if they are given."""
        raw = officers_file(officers or OFFICERS)
        self.founding = sha256_hex(raw)
        self.adopt("officers", raw, approver=None)
        self.adopt("gazetteer", gazetteer.encode())
        self.adopt("stations", stations.encode())
        self.adopt("model", model.encode())
        if devices is not None:
            self.adopt("devices", devices)
        self.adopt("signing_key", public_pem("lists"))
        return self

    def adopt(
        self, kind: str, raw: bytes, officer: str = "admin", approver: str | None = "approver", **data: Any
    ) -> str:
        """Adopt a file; its ce_id."""
        self.files[sha256_hex(raw)] = raw
        whole = {"kind": kind, "version": f"v{len(self.files)}", "sha256": sha256_hex(raw), **data}
        return self.command(messages.ADOPTED, whole, officer, approver)

    def decide(
        self,
        one: VersionId,
        other: VersionId,
        decision: str,
        keep: str | None = None,
        communes: dict[str, str] | None = None,
        officer: str = "admin",
        approver: str | None = "approver",
    ) -> str:
        """A decision on two versions; its ce_id. `communes` by registration id, by default the right ones."""
        data = {
            "pair": self.pair(one, other, communes),
            "decision": decision,
            "reason": "both came to the office",
        }
        whole = data if keep is None else {**data, "keep": keep}
        return self.command(messages.DECIDED, whole, officer, approver)

    def reverse(
        self, one: VersionId, other: VersionId, communes: dict[str, str] | None = None, officer: str = "admin"
    ) -> str:
        """Take the decision on two versions back; its ce_id."""
        data = {"pair": self.pair(one, other, communes), "reason": "an appeal"}
        return self.command(messages.REVERSED, data, officer)

    def pair(
        self, one: VersionId, other: VersionId, communes: dict[str, str] | None = None
    ) -> Sequence[dict[str, str]]:
        """The two versions as a decision names them."""
        return [
            {
                "registration_id": each[0],
                "digest": each[1],
                "commune": (communes or {}).get(each[0], self.communes.get(each, COMMUNE)),
            }
            for each in ordered_pair(one, other)
        ]

    def finalise(
        self,
        epoch: int = 1,
        roll: str = "2027-commune",
        kind: str = "preliminary",
        undecided: str = "hold_later",
        day: str = "2027-06-06",
    ) -> str:
        """Finalise a roll; its ce_id."""
        election = {"kind": "commune_council", "day": day}
        data = {"roll": roll, "epoch": epoch, "election": election, "kind": kind, "undecided": undecided}
        return self.command(messages.FINALISED, data)

    def command(
        self, ce_type: str, data: Any, officer: str = "admin", approver: str | None = "approver"
    ) -> str:
        """Propose and approve; the proposal's ce_id."""
        ce_id = self.propose(ce_type, data, officer)
        if approver is not None:
            self.approve(ce_id, approver)
        return ce_id

    def approve(self, ce_id: str, officer: str = "approver", **changes: Any) -> str:
        """Approve the last message with that ce_id; the approval's own."""
        value = next(r.value for r in reversed(self.commands) if ("ce_id", ce_id.encode()) in r.headers)
        data = {"command_id": ce_id, "command_sha256": sha256_hex(value or b""), "reason": "agreed"}
        return self.propose(messages.APPROVED, {**data, **changes}, officer)

    def withdraw(self, ce_id: str, officer: str = "admin", **changes: Any) -> str:
        """Take a proposal back, or return it; the withdrawal's ce_id."""
        data = {"command_id": ce_id, "reason": "a slip", **changes}
        return self.propose(messages.WITHDRAWN, data, officer)

    def propose(
        self,
        ce_type: str,
        data: Any,
        officer: str = "admin",
        ce_id: str | None = None,
        key: Ed25519PrivateKey | None = None,
    ) -> str:
        """One signed message; its ce_id."""
        ce_id = ce_id or self.next_id("command")
        value = json_bytes(data)
        self.raw_command(value, self.signed(ce_type, ce_id, value, officer, key))
        return ce_id

    def raw_command(self, value: bytes | None, headers: Headers, key: bytes = b"subject") -> LogRecord:
        """Any record on the commands topic."""
        offset = self.commands[-1].end if self.commands else 0
        self.commands.append(LogRecord(0, offset, self.tick(), key, value, headers))
        return self.commands[-1]

    def undecodable_command_batch(self, count: int) -> LogRecord:
        """A batch of so many messages that cannot be decompressed."""
        offset = self.commands[-1].end if self.commands else 0
        last = offset + count - 1
        self.commands.append(LogRecord(0, offset, self.tick(), None, None, (), "undecodable_batch", last))
        return self.commands[-1]

    def signed(
        self, ce_type: str, ce_id: str, value: bytes, officer: str, key: Ed25519PrivateKey | None = None
    ) -> Headers:
        """All headers of a message that an officer signs."""
        signature = (key or key_of(officer)).sign(command_signing_bytes(self.register, ce_type, ce_id, value))
        return (
            *encode(f"rollstream/{officer}/{self.register}", ce_id, ce_type),
            (OFFICER_HEADER, officer.encode()),
            (SIGNATURE_HEADER, base64.b64encode(signature)),
        )

    def last_id(self, kind: str) -> int:
        """The number of the last `<kind>-<number>` that was given to a command or an event."""
        return self._ids[kind]

    def next_id(self, kind: str) -> str:
        """The next `<kind>-<number>`."""
        self._ids[kind] += 1
        return f"{kind}-{self._ids[kind]}"

    def pass_time(self, milliseconds: int) -> None:
        """Nothing happens for so long."""
        self.clock += milliseconds

    def tick(self) -> int:
        """The broker's time of the next record, a second after the one before."""
        now = self.clock
        self.clock += 1000
        return now
