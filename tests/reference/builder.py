"""Small logs, written by hand: a register with its officers, their signed commands, and captures.

Everything is deterministic: keys are derived from officers' names, the broker's clock ticks once a record.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.contracts.cloudevents import encode
from shared.contracts.commands import OFFICER_HEADER, SIGNATURE_HEADER, CommandType
from shared.contracts.events import EventType
from shared.contracts.identity import claim_id, command_signing_bytes, ordered_pair, sha256_hex
from shared.contracts.outputs import Claim
from shared.contracts.topics import partition_for
from tests.reference.log import Headers, Log, LogRecord, SeenClaim

REGISTER = "kh-test"
START = 1_790_000_000_000
"""Milliseconds since 1970 of the first record."""

OFFICERS: dict[str, list[str]] = {
    "admin": ["administrator", "publisher", "adjudicator"],
    "admin-2": ["administrator", "publisher", "adjudicator"],
    "approver": ["approver"],
    "approver-2": ["approver", "administrator"],
    "marker": ["marker"],
}

GAZETTEER = """code,name_km,name_latin
01,ខេត្តមួយ,Province One
0102,ស្រុកមួយ,District One
010203,ឃុំមួយ,Commune One
01020301,ភូមិមួយ,Village One
01020302,ភូមិពីរ,Village Two
010204,ឃុំពីរ,Commune Two
01020401,ភូមិបី,Village Three
02,ខេត្តពីរ,Province Two
0201,ស្រុកពីរ,District Two
020101,ឃុំបី,Commune Three
02010101,ភូមិបួន,Village Four
"""

STATIONS = """station,name_km,name_latin,commune,villages,capacity
010203-01,ក,A,010203,01020301,750
010203-02,ខ,B,010203,,750
010204-01,គ,C,010204,,750
020101-01,ឃ,D,020101,,750
"""

MODEL = json.dumps(
    {
        "name": "small",
        "version": "1",
        "normaliser": "1",
        "register_size": 2,
        "threshold": 0.5,
        "classes": [
            {"name": "again", "same_person": True, "pairs_per_record": 0.1},
            {"name": "strangers", "same_person": False, "pairs_per_record": None},
        ],
        "comparisons": [],
        "blocking": {
            "register_size": 1,
            "largest_block": 1,
            "keys": [{"name": "phone", "parts": ["phone"]}],
            "statistics": {
                part: {"values": {}, "rest": 0.1}
                for part in (
                    *("family", "given", "year", "day", "sex"),
                    *("commune", "district", "document", "phone"),
                )
            },
        },
    }
)


def key_of(name: str) -> Ed25519PrivateKey:
    """The private key of an officer, or of the lists (`lists`); always the same for a name."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def officers_file(officers: dict[str, list[str]]) -> bytes:
    """The officers file that names them."""
    return json.dumps(
        [
            {
                "name": name,
                "public_key": base64.b64encode(key_of(name).public_key().public_bytes_raw()).decode(),
                "roles": roles,
            }
            for name, roles in officers.items()
        ]
    ).encode()


def public_pem(name: str) -> bytes:
    """The public key in PEM."""
    return key_of(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def json_bytes(value: Any) -> bytes:
    """JSON as a capture system may write it."""
    return json.dumps(value, ensure_ascii=False).encode()


class LogBuilder:
    """Appends to both topics; what it wrote so far is `log()`, the reference files are in `files`."""

    def __init__(self, register: str = REGISTER, partitions: int = 2) -> None:
        self.register = register
        self.partitions = partitions
        self.files: dict[str, bytes] = {}
        self.events: list[LogRecord] = []
        self.commands: list[LogRecord] = []
        self._ids: Counter[str] = Counter()

    def log(self) -> Log:
        """The log so far."""
        return Log(self.register, self.partitions, list(self.events), list(self.commands))

    # ---- commands

    def found(
        self,
        stations: str = STATIONS,
        gazetteer: str = GAZETTEER,
        officers: dict[str, list[str]] | None = None,
        model: str = MODEL,
    ) -> "LogBuilder":
        """The first adoptions of the five kinds."""
        self.adopt("officers", officers_file(officers or OFFICERS), approver=None)
        self.adopt("gazetteer", gazetteer.encode())
        self.adopt("stations", stations.encode())
        self.adopt("model", model.encode())
        self.adopt("signing_key", public_pem("lists"))
        return self

    def adopt(self, kind: str, raw: bytes, officer: str = "admin", approver: str | None = "approver") -> str:
        """Adopt a file; its ce_id."""
        self.files[sha256_hex(raw)] = raw
        data = {"kind": kind, "version": f"v{len(self.files)}", "sha256": sha256_hex(raw)}
        return self.command(CommandType.ADOPTED, data, officer, approver)

    def cut_off(self, epoch: int, markers: bool = True) -> int:
        """Cut off an epoch, with its marker in every partition; the offset at which it took effect."""
        self.command(CommandType.CUT_OFF, {"epoch": epoch})
        offset = self.commands[-1].offset
        for partition in range(self.partitions if markers else 0):
            self.marker(epoch, offset, partition)
        return offset

    def decide(
        self, one: tuple[str, str], other: tuple[str, str], decision: str, keep: str | None = None
    ) -> str:
        """A decision on two versions; its ce_id."""
        data = {"pair": _versions(one, other), "decision": decision, "reason": "both came to the office"}
        return self.command(CommandType.DECIDED, data if keep is None else {**data, "keep": keep})

    def reverse(self, one: tuple[str, str], other: tuple[str, str]) -> str:
        """Take the decision on two versions back; its ce_id."""
        return self.command(CommandType.REVERSED, {"pair": _versions(one, other), "reason": "an appeal"})

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
        return self.command(CommandType.FINALISED, data)

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
        return self.propose(CommandType.APPROVED, {**data, **changes}, officer)

    def propose(
        self,
        ce_type: str,
        data: Any,
        officer: str = "admin",
        ce_id: str | None = None,
        key: Ed25519PrivateKey | None = None,
    ) -> str:
        """One signed message; its ce_id."""
        ce_id = ce_id or self._next_id("command")
        value = json_bytes(data)
        self.raw_command(value, self.signed(ce_type, ce_id, value, officer, key))
        return ce_id

    def raw_command(self, value: bytes | None, headers: Headers) -> LogRecord:
        """Any record on the commands topic."""
        offset = len(self.commands)
        self.commands.append(LogRecord(0, offset, self._tick(), b"subject", value, headers))
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

    # ---- events

    def marker(self, epoch: int, command_offset: int, partition: int, officer: str = "marker") -> LogRecord:
        """A signed marker."""
        value = json_bytes({"epoch": epoch, "command_offset": command_offset})
        headers = self.signed(EventType.MARKER, f"marker/{epoch}/{partition}", value, officer)
        return self.raw_event(partition, f"!marker/{epoch}".encode(), value, headers)

    def event(
        self,
        ce_type: str,
        data: Any,
        key: str | None = None,
        partition: int | None = None,
        source: str = "capture/010203",
        ce_id: str | None = None,
    ) -> LogRecord:
        """An event in binary mode, by default under the key and in the partition where it belongs."""
        if key is None:
            key = data["device" if ce_type == EventType.BATCH_CLOSED else "registration_id"]
        if partition is None:
            partition = partition_for(key.encode(), self.partitions)
        headers = encode(source, ce_id or self._next_id("event"), ce_type)
        return self.raw_event(partition, key.encode(), json_bytes(data), headers)

    def register_voter(self, registration_id: str, **changes: Any) -> LogRecord:
        """`registered`; changes as in `registration`."""
        return self.event(EventType.REGISTERED, registration(registration_id, 1, **changes))

    def correct(self, registration_id: str, revision: int, **changes: Any) -> LogRecord:
        """`corrected` to the whole registration with these changes."""
        return self.event(EventType.CORRECTED, registration(registration_id, revision, **changes))

    def transfer(self, registration_id: str, revision: int, **changes: Any) -> LogRecord:
        """`transferred` to the whole registration with these changes."""
        return self.event(EventType.TRANSFERRED, registration(registration_id, revision, **changes))

    def reinstate(self, registration_id: str, revision: int, **changes: Any) -> LogRecord:
        """`reinstated` as the whole registration with these changes."""
        return self.event(EventType.REINSTATED, registration(registration_id, revision, **changes))

    def remove(self, registration_id: str, revision: int, reason: str = "deceased") -> LogRecord:
        """`removed`."""
        return self.event(EventType.REMOVED, removal(registration_id, revision, reason))

    def close_batch(self, first: int, last: int, device: str = "D-1", batch: str = "B-1") -> LogRecord:
        """`batch-closed` of the sequences from first to last."""
        data = {
            "office": "010203",
            "device": device,
            "batch": batch,
            "first_sequence": first,
            "last_sequence": last,
            "count": last - first + 1,
            "closed_at": "2026-10-20T17:00:00+07:00",
        }
        return self.event(EventType.BATCH_CLOSED, data)

    def resend(self, record: LogRecord) -> LogRecord:
        """The same record again."""
        return self.raw_event(record.partition, record.key, record.value, record.headers)

    def raw_event(
        self, partition: int, key: bytes | None, value: bytes | None, headers: Headers
    ) -> LogRecord:
        """Any record on the events topic."""
        offset = sum(1 for record in self.events if record.partition == partition)
        self.events.append(LogRecord(partition, offset, self._tick(), key, value, headers))
        return self.events[-1]

    def last_id(self, kind: str) -> int:
        """The number of the last `<kind>-<number>` that was given to a command or an event."""
        return self._ids[kind]

    def _tick(self) -> int:
        return START + 1000 * (len(self.events) + len(self.commands))

    def _next_id(self, kind: str) -> str:
        self._ids[kind] += 1
        return f"{kind}-{self._ids[kind]}"


def registration(
    registration_id: str,
    revision: int,
    *,
    village: str = "01020301",
    station: str | None = None,
    family: dict[str, str | None] | None = None,
    given: dict[str, str | None] | None = None,
    born: str = "1990-04-12",
    precision: str = "day",
    capture: dict[str, Any] | None = None,
    **voter: Any,
) -> dict[str, Any]:
    """The data of a registration; keywords replace single members, `capture` some of the capture's."""
    data: dict[str, Any] = {
        "registration_id": registration_id,
        "revision": revision,
        "voter": {
            "family_name": family or {"km": "សុខ", "latin": "SOK"},
            "given_name": given or {"latin": f"SOVANN {registration_id}"},
            "sex": "female",
            "date_of_birth": born,
            "date_of_birth_precision": precision,
            **voter,
        },
        "residence": {"village_code": village},
        "capture": capture_data(**(capture or {})),
    }
    return data if station is None else {**data, "polling_station": station}


def removal(registration_id: str, revision: int, reason: str = "deceased", **capture: Any) -> dict[str, Any]:
    """The data of a removal."""
    return {
        "registration_id": registration_id,
        "revision": revision,
        "reason": reason,
        "capture": capture_data(**capture),
    }


def capture_data(**changes: Any) -> dict[str, Any]:
    """The data of a capture with changes."""
    return {
        "office": "010203",
        "device": "D-1",
        "operator": "OP-1",
        "batch": "B-1",
        "sequence": 0,
        "captured_at": "2026-10-20T08:15:00+07:00",
        **changes,
    }


def claim(
    one: tuple[str, str],
    other: tuple[str, str],
    epoch: int = 1,
    class_: str = "multiple_registration",
    weight: float = 12.5,
) -> SeenClaim:
    """A claim between two versions as the finder of `one` writes it."""
    told = {
        "claim_id": claim_id(*ordered_pair(one, other)),
        "other": {"registration_id": other[0], "digest": other[1]},
        "class": class_,
        "probability": 0.987654,
        "weight": weight,
        "evidence": [{"field": "date_of_birth", "level": "equal", "weight": weight}],
        "model": sha256_hex(MODEL.encode()),
        "epoch": epoch,
    }
    return SeenClaim(one[0], one[1], Claim.model_validate(told))


def _versions(one: tuple[str, str], other: tuple[str, str]) -> Sequence[dict[str, str]]:
    return [
        {"registration_id": each[0], "digest": each[1], "commune": "010203"}
        for each in ordered_pair(one, other)
    ]
