"""What commands come to: verdicts, decisions, adoptions, cut-offs, requests to finalise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.contracts.commands import Finalised, ReferenceKind
from shared.contracts.identity import VersionId
from shared.reference.officers import Officer

PairKey = tuple[VersionId, VersionId]
"""Two versions, the smaller registration id first: what a decision is about."""


Outcome = Literal["open", "effective", "refused", "withdrawn", "returned", "expired"]


@dataclass(frozen=True, slots=True)
class Settled:
    """The message that settled another one, or itself: its officer, its offset, its time stamp in ms."""

    by: str
    offset: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one message of the commands topic.

    `offset` and `timestamp` (ms) are its own, `as_of` is the offset of the message that changed the verdict
    last, `command_offset` the one at which it took effect. An approved `finalised` is settled and stays open
    until the publisher has judged it. `data` are as they were sent, None where they were not read. What is
    not `signed` is nobody's: its id is still free.
    """

    ce_id: str
    command_type: str
    verdict: Outcome
    reason: str | None
    offset: int
    timestamp: int
    as_of: int
    proposed_by: str
    value_sha256: str
    signed: bool = False
    data: Mapping[str, Any] | None = None
    settled: Settled | None = None
    approved_by: str | None = None
    command_offset: int | None = None
    superseded_by: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What two officers said of a pair: `officers` are who proposed and who approved.

    `communes` are those that they named, in the order of the pair. Where one is not that of the version's
    residence, the decision counts as not made.
    """

    pair: PairKey
    decision: Literal["same_person", "different_persons"]
    keep: str | None
    ce_id: str
    command_offset: int
    officers: tuple[str, str]
    reason: str
    communes: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Adoption:
    """Reference data in force from `command_offset` on; officers and keys come with their content.

    `lost`: the signing key also signs what the one before it left unpublished.
    """

    kind: ReferenceKind
    version: str
    sha256: str
    command_offset: int
    officers: Mapping[str, Officer] | None = None
    signing_key: bytes | None = None
    lost: bool = False


@dataclass(frozen=True, slots=True)
class CutOffTaken:
    """An epoch's cut-off took effect."""

    epoch: int
    command_offset: int


@dataclass(frozen=True, slots=True)
class DecisionChange:
    """From this offset on the pair has this decision, or none after a reversal.

    `ce_id` is that of the decision or reversal, `communes` are those that it names, in the order of the pair:
    where one is not that of the version's residence, it counts as not made.
    """

    pair: PairKey
    decision: Decision | None
    command_offset: int
    ce_id: str
    communes: tuple[str, str]


@dataclass(frozen=True, slots=True)
class FinaliseRequest:
    """An approved `finalised`, which the publisher judges in the order of `command_offset`."""

    command_id: str
    data: Finalised
    command_offset: int
    proposed_by: str
    approved_by: str


@dataclass(frozen=True, slots=True)
class SkipDecided:
    """A record of our own topic is passed over where it cannot be read: its topic, partition, offset and
    fingerprint."""

    place: tuple[str, int, int, str]


Change = Adoption | CutOffTaken | DecisionChange | FinaliseRequest | SkipDecided
