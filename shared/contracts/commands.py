"""The commands on `roll.commands.v1`: every human act, proposed by one officer and approved by another."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from shared.contracts.command_types import OFFICER_HEADER as OFFICER_HEADER
from shared.contracts.command_types import SIGNATURE_HEADER as SIGNATURE_HEADER
from shared.contracts.command_types import CommandType as CommandType
from shared.contracts.fields import (
    Epoch,
    FieldError,
    Identifier,
    Offset,
    PlainDate,
    Reason,
    Sha256,
    Strict,
    field_errors,
)

ReferenceKind = Literal["gazetteer", "stations", "model", "officers", "signing_key", "devices"]
REQUIRED_KINDS: tuple[ReferenceKind, ...] = ("gazetteer", "stations", "model", "officers", "signing_key")
"""What a register cannot begin without."""
REFERENCE_KINDS: tuple[ReferenceKind, ...] = (*REQUIRED_KINDS, "devices")

Role = Literal["adjudicator", "approver", "publisher", "administrator", "marker"]


class Approved(Strict):
    """Another officer agrees to exactly these bytes."""

    command_id: Annotated[str, Field(min_length=1, max_length=256)]
    """`ce_id` of the command."""
    command_sha256: Sha256
    """SHA-256 of the approved command's value, in lower-case hex."""
    reason: Reason


class Withdrawn(Strict):
    """The proposer takes an open proposal back, or an approver returns it."""

    command_id: Annotated[str, Field(min_length=1, max_length=256)]
    """`ce_id` of the command."""
    reason: Reason


class Adopted(Strict):
    """Reference data are in force."""

    kind: ReferenceKind
    """What the file is."""
    version: Identifier
    """The administrator's name for this version."""
    sha256: Sha256
    """SHA-256 of the file, in lower-case hex."""
    lost: bool = False
    """Of a signing key only: the one before is lost, and this one also signs what that left unpublished."""

    @model_validator(mode="after")
    def _only_a_signing_key_is_lost(self) -> Self:
        if "lost" in self.model_fields_set and self.kind != "signing_key":
            raise PydanticCustomError("lost", "only a signing key can replace a lost one")
        return self


class CutOff(Strict):
    """An epoch ends: 1, 2, …"""

    epoch: Epoch
    """The epoch that ends: one more than the last."""


class Version(Strict):
    """One version of one registration."""

    registration_id: Identifier
    """The registration."""
    digest: Sha256
    """Digest of the version, in lower-case hex."""
    commune: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    """Code of the commune of that version's residence."""


class _OnPair(Strict):
    pair: Annotated[list[Version], Field(min_length=2, max_length=2)]
    """Two versions of two registrations, the smaller id first."""
    reason: Reason

    @model_validator(mode="after")
    def _smaller_id_first(self) -> Self:
        if self.pair[0].registration_id >= self.pair[1].registration_id:
            raise PydanticCustomError("pair_order", "two registrations, the smaller id first")
        return self


class Decided(_OnPair):
    """What two people say of a pair of versions; `keep` is the registration that stays."""

    decision: Literal["same_person", "different_persons"]
    """What the officers found."""
    keep: Identifier | None = None
    """The registration that stays, for `same_person`; otherwise missing or null."""

    @model_validator(mode="after")
    def _keeps_one_of_them(self) -> Self:
        if self.decision == "different_persons":
            if self.keep is not None:
                raise PydanticCustomError("keep", "different persons both stay")
        elif self.keep not in [version.registration_id for version in self.pair]:
            raise PydanticCustomError("keep", "keep is one of the pair")
        return self


class Reversed(_OnPair):
    """The decision on a pair no longer counts."""


class Election(Strict):
    """The election that a roll is for."""

    kind: Literal["national", "commune_council"]
    """What is elected."""
    day: PlainDate
    """Election day; voters are 18 by then."""


class Finalised(Strict):
    """A roll is made of an epoch and published."""

    roll: Identifier
    """Name of the roll."""
    epoch: Epoch
    """The epoch that it is made of."""
    election: Election
    kind: Literal["preliminary", "final"]
    """Whether later versions are expected."""
    undecided: Literal["refuse", "hold_later"]
    """What undecided conflicts do: refuse the roll, or hold the later registration."""


class Skipped(Strict):
    """A record of our own topic that cannot be read is passed over by every service; one that can be read is
    not, whatever a command says."""

    topic: Literal["registration.accepted.v1", "registration.checked.v1"]
    """The topic on which it lies."""
    partition: Annotated[int, Field(ge=0, le=2**31 - 1)]
    """Its partition."""
    offset: Offset
    """Its offset; of a batch that cannot be read, the first."""
    record_sha256: Sha256
    """SHA-256 in lower-case hex over what the record holds: `rollstream skip` tells it."""
    reason: Reason


Command = Approved | Withdrawn | Adopted | CutOff | Decided | Reversed | Finalised | Skipped

MODELS: Mapping[str, type[Command]] = {
    CommandType.APPROVED: Approved,
    CommandType.WITHDRAWN: Withdrawn,
    CommandType.ADOPTED: Adopted,
    CommandType.CUT_OFF: CutOff,
    CommandType.DECIDED: Decided,
    CommandType.REVERSED: Reversed,
    CommandType.FINALISED: Finalised,
    CommandType.SKIPPED: Skipped,
}

PROPOSER_ROLE: Mapping[str, Role] = {
    CommandType.ADOPTED: "administrator",
    CommandType.CUT_OFF: "publisher",
    CommandType.DECIDED: "adjudicator",
    CommandType.REVERSED: "adjudicator",
    CommandType.FINALISED: "publisher",
    CommandType.SKIPPED: "administrator",
}
"""Who may propose what; an approval needs the role `approver`. A withdrawal needs it unless it is by the
proposer."""


class InvalidCommand(ValueError):
    """The command's data break the contract."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error['path']}: {error['rule']}" for error in errors))
        self.errors = errors


def parse(ce_type: str, data: Any) -> Command:
    """The data of a command. Raises InvalidCommand."""
    model = MODELS.get(ce_type)
    if model is None:
        raise InvalidCommand([{"path": "", "rule": "unknown_type"}])
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InvalidCommand(field_errors(error)) from None
