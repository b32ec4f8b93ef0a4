"""What the commands so far amount to, and what was in force at any offset of theirs."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.commands.changes import (
    Adoption,
    Change,
    CutOffTaken,
    Decision,
    DecisionChange,
    FinaliseRequest,
    PairKey,
    Settled,
    SkipDecided,
    Verdict,
)
from shared.contracts.commands import PROPOSER_ROLE, REFERENCE_KINDS, REQUIRED_KINDS, ReferenceKind
from shared.contracts.identity import CHAIN_START
from shared.reference.officers import Officer

__all__ = [
    "Adoption",
    "CutOffTaken",
    "Decision",
    "DecisionChange",
    "FinaliseRequest",
    "PairKey",
    "Settled",
    "State",
    "Verdict",
]


@dataclass(slots=True)
class State:
    """The fold's result. It grows in place, only at its end: every answer about an offset stays as it is.

    `founding` is the SHA-256 of the only officers file that can create the register. Only an open verdict may
    still change, and what supersedes a decision; `verdict_log` says in which order verdicts were given.
    `skips` are the records to pass over where they cannot be read: topic, partition, offset, fingerprint.
    """

    register: str
    founding: str
    next_offset: int = 0
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    verdict_log: list[str] = field(default_factory=list)
    cut_offs: dict[int, int] = field(default_factory=dict)
    finalise_requests: list[FinaliseRequest] = field(default_factory=list)
    decision_log: list[DecisionChange] = field(default_factory=list)
    skips: set[tuple[str, int, int, str]] = field(default_factory=set)
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
            case SkipDecided():
                self.skips.add(change.place)
            case None:
                pass
        self._offsets.append(offset)
        self._timestamps.append(timestamp)
        self._heads.append(head)
        self.next_offset = offset + 1

    def proposal(self, ce_id: str) -> Verdict | None:
        """The command of that id that an approval or a withdrawal may name."""
        found = self.verdicts.get(ce_id)
        return found if found is not None and found.signed and found.command_type in PROPOSER_ROLE else None

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
        """SHA-256 of the file that an epoch works with. None while that is not known, and for `devices` also
        where there is none.

        For epoch 1 it is the first of its kind; of the optional `devices` only if it took effect before the
        last of the first adoptions of the other kinds. For a later epoch it is the last that was adopted
        before the cut-off of the epoch before.
        """
        if epoch > 1:
            cut_off = self.cut_offs.get(epoch - 1)
            return None if cut_off is None else self.reference_at(kind, cut_off - 1)
        adoptions = self.adoptions[kind]
        if not adoptions or (kind not in REQUIRED_KINDS and not self._from_the_start(adoptions[0])):
            return None
        return adoptions[0].sha256

    def _from_the_start(self, adoption: Adoption) -> bool:
        complete = max(
            self.adoptions[kind][0].command_offset for kind in REQUIRED_KINDS if self.adoptions[kind]
        )
        return not self.missing_kinds() and adoption.command_offset < complete

    def missing_kinds(self) -> list[ReferenceKind]:
        """The required kinds of reference data of which nothing was adopted yet."""
        return [kind for kind in REQUIRED_KINDS if not self.adoptions[kind]]

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
        return self._keys(lambda _key: True)

    def signing_keys_since(self, offset: int) -> list[bytes]:
        """The keys in force at or after `offset`, in PEM, oldest first: a version of a `finalised` that took
        effect there is published if its roll manifest verifies against one of them."""
        now = self.adoption_at("signing_key", offset)
        return self._keys(lambda key: key is now or key.command_offset > offset)

    def signing_keys_for(self, offset: int) -> list[bytes]:
        """The keys that may sign a version of a `finalised` that took effect at `offset`, in PEM, while its
        roll manifest is not on its topic: the one in force there, then each later one that was adopted
        because the one before was lost."""
        now = self.adoption_at("signing_key", offset)
        return self._keys(lambda key: key is now or (key.lost and key.command_offset > offset))

    def _keys(self, chosen: Callable[[Adoption], bool]) -> list[bytes]:
        keys = self.adoptions["signing_key"]
        return [each.signing_key for each in keys if each.signing_key is not None and chosen(each)]

    def last_change_of(self, pair: PairKey) -> DecisionChange | None:
        """The last decision or reversal of a pair."""
        changes = self._of_pair.get(pair)
        return changes[-1] if changes else None

    def decision_of(self, pair: PairKey, offset: int | None = None) -> Decision | None:
        """The decision on a pair in force at `offset` (None: now): the last counts."""
        change = self._last_change(pair, offset)
        return change.decision if change else None

    def changes_at(self, offset: int) -> dict[PairKey, list[DecisionChange]]:
        """The decisions and reversals of each pair up to and with `offset`, oldest first."""
        found: dict[PairKey, list[DecisionChange]] = {}
        for pair, changes in self._of_pair.items():
            at = bisect_right(changes, offset, key=lambda change: change.command_offset)
            if at:
                found[pair] = changes[:at]
        return found

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
