"""The acts on `rollstream.operations.v1`: what people and services did to the system, not to the register.

Nothing that is read here decides what a list contains; what does is a command.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from shared.contracts.fields import FieldError, Identifier, Offset, Reason, Sha256, Strict, field_errors

MOST_LETTERS = 500
"""Dead letters that one act names: some 30 kB of JSON, so that an act stays below the limit of a command."""


class OperationType(StrEnum):
    """`ce_type` of what lies on `rollstream.operations.v1`."""

    REPLAY_BEGUN = "rollstream.operation.replay-begun.v1"
    REPLAYED = "rollstream.operation.replayed.v1"
    DROPPED = "rollstream.operation.dropped.v1"
    STARTED = "rollstream.operation.started.v1"


class By(Strict):
    """Who did it: an officer, or a process of a service."""

    officer: Identifier | None = None
    """Name in the officers' file. Of a service that signs as an officer: that name."""
    service: Identifier | None = None
    """Name of the service; missing where a person acts."""
    instance: Identifier | None = None
    """Which process of the service, as its settings name it."""
    key_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    """Id of the public key that the signature verifies against; missing where the act is not signed."""

    @model_validator(mode="after")
    def _people_sign(self) -> Self:
        if self.service is None and (self.officer is None or self.key_id is None):
            raise PydanticCustomError("unsigned", "a person's act names the officer and the key")
        return self


class Act(Strict):
    """What every act says: what its writer had read of the trail, and who that was."""

    as_of: Offset | None
    """Offset of the last record that its writer had read; null where there was none."""
    head: Sha256
    """The chain's head up to and with `as_of`: it seals all that came before."""
    by: By


class Letter(Strict):
    """A dead letter, by the record that it was."""

    partition: Annotated[int, Field(ge=0, le=2**31 - 1)]
    """Partition of the record on the events topic."""
    offset: Offset
    """Its offset there."""


class SentAgain(Letter):
    """A dead letter whose original was sent again."""

    sent_to: Offset
    """Offset of the new record, in the same partition."""


class _OnLetters(Act):
    @model_validator(mode="after")
    def _a_person_did_it(self) -> Self:
        if self.by.service is not None:
            raise PydanticCustomError("unsigned", "only a person decides about dead letters")
        return self


class ReplayBegun(_OnLetters):
    """Originals are about to be sent again; written first, so that a crash in between is no secret."""

    letters: Annotated[list[Letter], Field(min_length=1, max_length=MOST_LETTERS)]
    """Which, in the order in which they are sent."""
    ends: Annotated[list[Letter], Field(min_length=1, max_length=MOST_LETTERS)]
    """Where each of their partitions ended before: what was sent lies at or after it."""
    reason: Reason


class Replayed(_OnLetters):
    """Originals were sent again and acknowledged; they are judged anew where they lie now."""

    letters: Annotated[list[SentAgain], Field(min_length=1, max_length=MOST_LETTERS)]
    """Which, and where to."""
    reason: Reason


class Dropped(_OnLetters):
    """Somebody decided to leave dead letters as they are. Nothing is deleted."""

    letters: Annotated[list[Letter], Field(min_length=1, max_length=MOST_LETTERS)]
    """Which."""
    reason: Reason


SettingHash = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class Started(Act):
    """A process of a service started for the first time, or with other settings than at its last start."""

    version: Annotated[str, Field(min_length=1, max_length=64)]
    """Version of the software."""
    settings: dict[str, SettingHash]
    """Hash of each setting that matters, by name; of a secret only whether it is set."""
    changed: list[str]
    """Names of those that differ from the last start; empty at the first."""

    @model_validator(mode="after")
    def _a_service_did_it(self) -> Self:
        if self.by.service is None:
            raise PydanticCustomError("unsigned", "only a service starts")
        return self


Operation = ReplayBegun | Replayed | Dropped | Started

MODELS: Mapping[str, type[Operation]] = {
    OperationType.REPLAY_BEGUN: ReplayBegun,
    OperationType.REPLAYED: Replayed,
    OperationType.DROPPED: Dropped,
    OperationType.STARTED: Started,
}


class InvalidOperation(ValueError):
    """The act's data break the contract."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error['path']}: {error['rule']}" for error in errors))
        self.errors = errors


def parse(ce_type: str, data: Any) -> Operation:
    """The data of an act of a known type. Raises InvalidOperation."""
    try:
        return MODELS[ce_type].model_validate(data)
    except ValidationError as error:
        raise InvalidOperation(field_errors(error)) from None
