"""Verifies the trail of operational acts, record by record. Pure.

Each record names the last record that its writer had read and the chain's head there. So it seals everything
up to that record: taking one out, putting one in or changing one shows in the next record that seals it. What
nobody has sealed yet is told, too. Two writers at once name the same record; that is no fault.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from shared.commands.message import Message
from shared.commands.state import State
from shared.contracts import strict_json
from shared.contracts.identity import CHAIN_START, command_signing_bytes
from shared.contracts.operations import MODELS, InvalidOperation, Operation, parse
from shared.crypto import signing
from shared.reference.officers import Officer

FAULTS: Mapping[str, str] = {
    "gap": "a record before it is missing, or cannot be read; or a stranger's transaction ended there",
    "timestamp": "the broker did not give its time stamp",
    "unknown_type": "no act that this version knows",
    "invalid": "the data break the contract, or are too large",
    "as_of": "names a record that does not lie before it",
    "head": "what lies before it is not what its writer read: something there was changed, added or removed",
    "repeated": "an earlier record has this id; the first one counts",
    "unknown_signer": "no key of that id was in force under that name at its time",
    "signature": "the signature is not that key's over this record, or there is one and no key is named",
}
"""Why a record does not hold, the first that applies in this order."""

CLOCKS_MS = 2_000
"""How far the brokers' clocks may be apart: an adoption and an act lie on two topics."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Who may have signed: officers from their adoption on, and every signing key that was ever adopted."""

    officers: tuple[tuple[int, Mapping[str, Officer]], ...]
    signing: Mapping[str, bytes]

    @classmethod
    def of(cls, state: State) -> "Keys":
        """Those of a register, by its commands."""
        officers = tuple(
            (state.timestamp_of(each.command_offset) or 0, each.officers or {})
            for each in state.adoptions["officers"]
        )
        publics = [signing.load_public_pem(pem) for pem in state.signing_keys()]
        return cls(officers, {signing.key_id(each): signing.raw_public(each) for each in publics})

    def find(self, officer: str | None, key_id: str, timestamp: int) -> bytes | None:
        """The raw public key of that id, if it was in force under that name at that time; None otherwise."""
        if officer is None:
            return self.signing.get(key_id)
        for at, (begin, officers) in enumerate(self.officers):
            over = self.officers[at + 1][0] if at + 1 < len(self.officers) else timestamp
            if begin - CLOCKS_MS <= timestamp <= over + CLOCKS_MS and officer in officers:
                key = officers[officer].public_key
                if signing.raw_key_id(key) == key_id:
                    return key
        return None


@dataclass(frozen=True, slots=True)
class Entry:
    """One record. `act` is None where it cannot be read; `fault` is one of FAULTS, or None where it holds.

    `authentic`: its signature was checked and is right. An act without a signature is none, and is no fault
    of a service that has no key.
    """

    offset: int
    timestamp: int
    ce_type: str
    ce_id: str
    act: Operation | None
    fault: str | None
    authentic: bool


@dataclass(slots=True)
class Trail:
    """The trail so far. `checked` is whether signatures were looked at; `sealed` the highest offset that a
    record which holds has sealed, None before the first."""

    checked: bool
    entries: list[Entry] = field(default_factory=list)
    sealed: int | None = None
    _heads: dict[int, bytes] = field(default_factory=dict)

    @property
    def as_of(self) -> int | None:
        """Offset of the last record."""
        return self.entries[-1].offset if self.entries else None

    @property
    def head(self) -> bytes:
        """The chain's head after the last record."""
        return self._heads[self.entries[-1].offset] if self.entries else CHAIN_START

    @property
    def faults(self) -> list[Entry]:
        """The records that do not hold; the first of them is where to look."""
        return [each for each in self.entries if each.fault is not None]

    @property
    def unsealed(self) -> int:
        """How many records at the end no other has sealed yet."""
        return sum(self.sealed is None or each.offset > self.sealed for each in self.entries)

    def head_at(self, offset: int | None) -> bytes | None:
        """The head after the record at `offset`, of nothing for None; None where no such record lies."""
        return CHAIN_START if offset is None else self._heads.get(offset)

    def append(self, entry: Entry, head: bytes) -> None:
        """Take the next record; only the fold calls this."""
        self.entries.append(entry)
        self._heads[entry.offset] = head


def fold_trail(register: str, messages: Iterable[Message], keys: Keys | None) -> Trail:
    """Verify all records of the topic, which lie in this order.

    Without `keys` no signature is checked: then no entry is authentic, and `checked` is False.
    """
    trail = Trail(checked=keys is not None)
    ids: set[str] = set()
    for message in messages:
        due = 0 if trail.as_of is None else trail.as_of + 1
        act, fault = _read(message)
        authentic = False
        if act is not None:
            fault = _unchained(trail, act)
            if fault is None and message.ce_id in ids:
                fault = "repeated"
            # What an officer signed is theirs, also where something before it was changed.
            unsigned = _unsigned(register, message, act, keys)
            authentic = unsigned is None and keys is not None and act.by.key_id is not None
            authentic = authentic and fault != "repeated"
            fault = fault or unsigned
            if fault is None and act.as_of is not None:
                trail.sealed = max(act.as_of, trail.sealed or 0)
        if message.offset != due:
            fault = "gap"
        ids.add(message.ce_id)
        entry = Entry(
            message.offset, message.timestamp, message.ce_type, message.ce_id, act, fault, authentic
        )
        trail.append(entry, message.chained(trail.head))
    return trail


def _read(message: Message) -> tuple[Operation | None, str | None]:
    if not message.append_time:
        return None, "timestamp"
    if message.ce_type not in MODELS:
        return None, "unknown_type"
    if not message.can_count:
        return None, "invalid"
    try:
        return parse(message.ce_type, strict_json.loads(message.value)), None
    except (strict_json.RefusedJSON, InvalidOperation):
        return None, "invalid"


def _unchained(trail: Trail, act: Operation) -> str | None:
    """Why the act does not fit what lies before it."""
    head = trail.head_at(act.as_of)
    if head is None:
        return "as_of"
    return None if head.hex() == act.head else "head"


def _unsigned(register: str, message: Message, act: Operation, keys: Keys | None) -> str | None:
    """Why nobody answers for the act, who says so; without keys only what needs none is looked at."""
    if (act.by.officer or "") != message.officer:
        return "unknown_signer"
    if act.by.key_id is None:
        return "signature" if message.signature else None
    if keys is None:
        return None
    key = keys.find(act.by.officer, act.by.key_id, message.timestamp)
    if key is None:
        return "unknown_signer"
    signature = signing.decode_signature(message.signature)
    signed = command_signing_bytes(register, message.ce_type, message.ce_id, message.value)
    return None if signature is not None and signing.verify(key, signature, signed) else "signature"
