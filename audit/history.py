"""What the commands did up to each offset: who is in force, what was adopted, cut off and decided."""

from dataclasses import dataclass, field

from audit import files, messages
from audit.files import Officer, ReferenceFiles
from audit.log import Pair


@dataclass(slots=True)
class Verdict:
    """What became of a command.

    `verdict` is open, effective, refused, withdrawn, returned or expired; `command_offset` is where it took
    effect, else None. Names of officers, times in milliseconds; `settled_by` and `settled_at` tell of the
    message that settled a proposal. `signed` is whether the message was validly signed: only then are
    `proposed_by` and what follows told. `as_of` is the offset of the message that changed any of this last.
    """

    command_type: str
    signed: bool
    verdict: str = "open"
    reason: str | None = None
    command_offset: int | None = None
    proposed_by: str | None = None
    proposed_at: int | None = None
    approved_by: str | None = None
    settled_by: str | None = None
    settled_at: int | None = None
    superseded_by: str | None = None
    as_of: int = -1
    names: list[object] = field(default_factory=list)


@dataclass(slots=True)
class Message:
    """A validly signed message; `data` None where it is not what its type asks for."""

    offset: int
    timestamp: int
    ce_type: str
    ce_id: str
    officer: Officer
    value: bytes
    data: messages.Command | None = None


@dataclass(frozen=True, slots=True)
class DecisionMade:
    """A decision, or its reversal, that took effect at `offset`."""

    offset: int
    ce_id: str
    said: messages.OnPair

    @property
    def pair(self) -> Pair:
        """The two versions that it is about."""
        return self.said.pair


@dataclass(frozen=True, slots=True)
class FinaliseRequest:
    """An approved `finalised`; whether a roll comes of it is the publisher's to say."""

    offset: int
    ce_id: str
    data: messages.Finalised
    proposer: Officer
    approver: Officer


@dataclass(frozen=True, slots=True)
class Adoption:
    """A reference file that is in force from an offset on."""

    offset: int
    kind: str
    sha256: str
    lost: bool


@dataclass(slots=True)
class CommandHistory:
    """All that the commands did, with the offsets at which they did it.

    `heads` and `timestamps` have each message of the chain by its offset; `proposals` every validly signed
    message of a type that is proposed, `last_on` the last decision or reversal on each pair of versions.
    """

    register: str
    founding: str
    files: ReferenceFiles
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    proposals: dict[str, Message] = field(default_factory=dict)
    cut_offs: dict[int, int] = field(default_factory=dict)
    adoptions: list[Adoption] = field(default_factory=list)
    decisions: list[DecisionMade] = field(default_factory=list)
    last_on: dict[Pair, DecisionMade] = field(default_factory=dict)
    finalise_requests: list[FinaliseRequest] = field(default_factory=list)
    heads: dict[int, bytes] = field(default_factory=dict)
    timestamps: dict[int, int] = field(default_factory=dict)

    def adopted(self, kind: str, before: int | None = None) -> list[str]:
        """SHA-256 of every adoption of a kind in order, those before an offset if one is given."""
        return [
            each.sha256
            for each in self.adoptions
            if each.kind == kind and (before is None or each.offset < before)
        ]

    def officers(self, before: int) -> dict[str, Officer]:
        """Who is in force for a message at the offset `before`."""
        adopted = self.adopted("officers", before)
        return files.officers(self.files[adopted[-1]]) if adopted else {}

    def has_all_kinds(self) -> bool:
        """Whether each kind that is needed has been adopted; before that nothing runs."""
        return all(self.adopted(kind) for kind in messages.FIRST_KINDS)

    def of_epoch(self, kind: str, epoch: int) -> bytes | None:
        """The reference file of a kind by which an epoch is judged; None only of devices."""
        if epoch > 1:
            adopted = self.adopted(kind, before=self.cut_offs[epoch - 1])
            return self.files[adopted[-1]] if adopted else None
        adopted = self.adopted(kind, before=self._started_at() if kind == "devices" else None)
        return self.files[adopted[0]] if adopted else None

    def file_of_epoch(self, kind: str, epoch: int) -> bytes:
        """The same of a kind that every epoch has."""
        found = self.of_epoch(kind, epoch)
        assert found is not None
        return found

    def _started_at(self) -> int:
        """Where the last of the first adoptions took effect."""
        first: dict[str, int] = {}
        for each in self.adoptions:
            first.setdefault(each.kind, each.offset)
        return max(first[kind] for kind in messages.FIRST_KINDS)
