"""What the commands so far amount to, and what was in force at any offset of theirs."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.contracts.commands import REFERENCE_KINDS, Finalised, ReferenceKind
from shared.contracts.identity import CHAIN_START, VersionId
from shared.reference.officers import Officer

PairKey = tuple[VersionId, VersionId]
"""Two versions, the smaller registration id first: what a decision is about."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one message of the commands topic.

    `offset` is its own, `settled_at` that of the message that settled it (None while it is open),
    `command_offset` the one at which it took effect. An approved `finalised` stays open, with `approved_by`
    set, until the publisher has judged it. `data` is None where it was not read.
    """

    ce_id: str
    command_type: str
    verdict: Literal["open", "effective", "refused"]
    reason: str | None
    offset: int
    settled_at: int | None
    command_offset: int | None
    proposed_by: str
    approved_by: str | None
    data: Mapping[str, Any] | None
    value_sha256: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What two officers said of a pair: `officers` are who proposed and who approved."""

    pair: PairKey
    decision: Literal["same_person", "different_persons"]
    keep: str | None
    ce_id: str
    command_offset: int
    officers: tuple[str, str]
    reason: str


@dataclass(frozen=True, slots=True)
class Adoption:
    """Reference data in force from `command_offset` on; officers and keys come with their content."""

    kind: ReferenceKind
    version: str
    sha256: str
    command_offset: int
    officers: Mapping[str, Officer] | None = None
    signing_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class CutOffTaken:
    """An epoch's cut-off took effect."""

    epoch: int
    command_offset: int


@dataclass(frozen=True, slots=True)
class DecisionChange:
    """From this offset on the pair has this decision, or none after a reversal."""

    pair: PairKey
    decision: Decision | None
    command_offset: int


@dataclass(frozen=True, slots=True)
class FinaliseRequest:
    """An approved `finalised`, which the publisher judges in the order of `command_offset`."""

    command_id: str
    data: Finalised
    command_offset: int
    proposed_by: str
    approved_by: str


Change = Adoption | CutOffTaken | DecisionChange | FinaliseRequest


@dataclass(slots=True)
class State:
    """The fold's result. It grows in place, only at its end: every answer about an offset stays as it is.

    Only a verdict may still change, from `open`; `verdict_log` says in which order they were given.
    """

    register: str
    next_offset: int = 0
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    verdict_log: list[str] = field(default_factory=list)
    cut_offs: dict[int, int] = field(default_factory=dict)
    finalise_requests: list[FinaliseRequest] = field(default_factory=list)
    decision_log: list[DecisionChange] = field(default_factory=list)
    adoptions: dict[ReferenceKind, list[Adoption]] = field(
        default_factory=lambda: {kind: [] for kind in REFERENCE_KINDS}
    )
    _offsets: list[int] = field(default_factory=list)
    _timestamps: list[int] = field(default_factory=list)
    _heads: list[bytes] = field(default_factory=list)
    _of_pair: dict[PairKey, list[DecisionChange]] = field(default_factory=dict)

    def record(
        self, offset: int, timestamp: int, head: bytes, verdicts: Sequence[Verdict], change: Change | None
    ) -> None:
        """Append what one message did; only the fold calls this."""
        for verdict in verdicts:
            self.verdicts[verdict.ce_id] = verdict
            self.verdict_log.append(verdict.ce_id)
        match change:
            case Adoption():
                self.adoptions[change.kind].append(change)
            case CutOffTaken():
                self.cut_offs[change.epoch] = change.command_offset
            case DecisionChange():
                self.decision_log.append(change)
                self._of_pair.setdefault(change.pair, []).append(change)
            case FinaliseRequest():
                self.finalise_requests.append(change)
            case None:
                pass
        self._offsets.append(offset)
        self._timestamps.append(timestamp)
        self._heads.append(head)
        self.next_offset = offset + 1

    @property
    def last_cut_off(self) -> int:
        """The newest epoch whose cut-off took effect; 0 before the first."""
        return len(self.cut_offs)

    @property
    def audit_head(self) -> bytes:
        """The audit chain's head after every message so far."""
        return self._heads[-1] if self._heads else CHAIN_START

    def audit_head_at(self, offset: int) -> bytes:
        """The chain's head after the messages up to and with `offset`."""
        at = bisect_right(self._offsets, offset)
        return self._heads[at - 1] if at else CHAIN_START

    def timestamp_of(self, offset: int) -> int | None:
        """The broker's time stamp of the message at `offset`, in ms; None where there is no message."""
        at = bisect_left(self._offsets, offset)
        return self._timestamps[at] if self._offsets[at : at + 1] == [offset] else None

    def adoption_at(self, kind: ReferenceKind, offset: int) -> Adoption | None:
        """The adoption of that kind in force at `offset`, its own offset included."""
        adoptions = self.adoptions[kind]
        at = bisect_right(adoptions, offset, key=lambda adoption: adoption.command_offset)
        return adoptions[at - 1] if at else None

    def reference_at(self, kind: ReferenceKind, offset: int) -> str | None:
        """SHA-256 of the file of that kind in force at `offset`."""
        adoption = self.adoption_at(kind, offset)
        return adoption.sha256 if adoption else None

    def reference_for_epoch(self, kind: ReferenceKind, epoch: int) -> str | None:
        """SHA-256 of the file that an epoch works with: the first of its kind, or for a later epoch the
        last adopted before the cut-off of the epoch before. None while that is not known yet."""
        if epoch == 1:
            adoptions = self.adoptions[kind]
            return adoptions[0].sha256 if adoptions else None
        cut_off = self.cut_offs.get(epoch - 1)
        return None if cut_off is None else self.reference_at(kind, cut_off - 1)

    def missing_kinds(self) -> list[ReferenceKind]:
        """The kinds of reference data of which nothing was adopted yet."""
        return [kind for kind in REFERENCE_KINDS if not self.adoptions[kind]]

    def ready_for_epoch(self, epoch: int) -> bool:
        """Whether the reference data of an epoch are known."""
        if epoch == 1:
            return not self.missing_kinds()
        return epoch - 1 in self.cut_offs

    def officers_at(self, offset: int) -> Mapping[str, Officer]:
        """The officers in force at `offset`, by name."""
        adoption = self.adoption_at("officers", offset)
        return adoption.officers or {} if adoption else {}

    def signing_key_at(self, offset: int) -> bytes | None:
        """The public key in PEM that signs lists of a `finalised` which takes effect at `offset`."""
        adoption = self.adoption_at("signing_key", offset)
        return adoption.signing_key if adoption else None

    def signing_keys(self) -> list[bytes]:
        """Every signing key ever adopted, in PEM, oldest first."""
        return [key.signing_key for key in self.adoptions["signing_key"] if key.signing_key]

    def last_change_of(self, pair: PairKey) -> DecisionChange | None:
        """The last decision or reversal of a pair."""
        changes = self._of_pair.get(pair)
        return changes[-1] if changes else None

    def decision_of(self, pair: PairKey, offset: int | None = None) -> Decision | None:
        """The decision on a pair in force at `offset` (None: now): the last counts."""
        change = self._last_change(pair, offset)
        return change.decision if change else None

    def decisions_at(self, offset: int) -> dict[PairKey, Decision]:
        """Every decision in force at `offset`, by pair."""
        return {pair: each for pair, each in self.rulings_at(offset).items() if each is not None}

    def rulings_at(self, offset: int) -> dict[PairKey, Decision | None]:
        """The same with the pairs whose decision was reversed, each with None."""
        found = {pair: self._last_change(pair, offset) for pair in self._of_pair}
        return {pair: change.decision for pair, change in found.items() if change is not None}

    def _last_change(self, pair: PairKey, offset: int | None) -> DecisionChange | None:
        changes = self._of_pair.get(pair, [])
        at = len(changes)
        if offset is not None:
            at = bisect_right(changes, offset, key=lambda change: change.command_offset)
        return changes[at - 1] if at else None
