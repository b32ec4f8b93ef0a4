"""The events that capture systems send, and what is asked of each field."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from shared.contracts.fields import (
    KHMER_DIGITS,
    MOST_SEQUENCES,
    CapturedDate,
    Epoch,
    FieldError,
    Identifier,
    NameText,
    Offset,
    Revision,
    Sequence,
    Sha256,
    Strict,
    Timestamp,
    field_errors,
)


class EventType(StrEnum):
    """`ce_type` of what lies on `registration.events.v1`."""

    REGISTERED = "rollstream.registration.registered.v1"
    CORRECTED = "rollstream.registration.corrected.v1"
    TRANSFERRED = "rollstream.registration.transferred.v1"
    REINSTATED = "rollstream.registration.reinstated.v1"
    REMOVED = "rollstream.registration.removed.v1"
    BATCH_CLOSED = "rollstream.capture.batch-closed.v1"
    MARKER = "rollstream.register.marker.v1"


Precision = Literal["day", "month", "year"]
Sex = Literal["female", "male"]
DocumentKind = Literal["national_id", "election_identity", "passport"]
RemovalReason = Literal["moved", "deceased", "duplicate", "disenfranchised", "erroneous"]


# What `_one_script` asks, for readers of the JSON Schema.
_ONE_SCRIPT: Any = {
    "anyOf": [{"required": [name], "properties": {name: {"type": "string"}}} for name in ("km", "latin")]
}


class Name(Strict):
    """A name in Khmer, in Latin, or in both; at least one is given, the other may be missing or null."""

    model_config = ConfigDict(json_schema_extra=_ONE_SCRIPT)

    km: NameText | None = None
    """In Khmer script."""
    latin: NameText | None = None
    """In Latin script."""

    @model_validator(mode="after")
    def _one_script(self) -> Self:
        if self.km is None and self.latin is None:
            raise PydanticCustomError("name_in_no_script", "a name needs at least one script")
        return self


class IdentityDocument(Strict):
    """What the voter showed."""

    kind: DocumentKind
    """Which document."""
    number: Annotated[str, Field(pattern=r"^[0-9A-Za-z\u17e0-\u17e9 ./-]{1,32}$")]
    """Its number as written; digits of either script."""


class Voter(Strict):
    """The person, as captured."""

    family_name: Name
    given_name: Name
    sex: Sex
    """As on the document."""
    date_of_birth: CapturedDate
    """As captured, in digits of either script; parts beyond the precision are written 01."""
    date_of_birth_precision: Precision
    """What of the date is known: the day, the month, or only the year."""
    identity_document: IdentityDocument | None = None
    phone: Annotated[str, Field(pattern=r"^\+?[0-9\u17e0-\u17e9 ()./-]{6,24}$")] | None = None
    """A telephone number as written; digits of either script."""

    @model_validator(mode="after")
    def _missing_parts_are_01(self) -> Self:
        known = {"day": 3, "month": 2, "year": 1}[self.date_of_birth_precision]
        if any(part != "01" for part in self.date_of_birth.translate(KHMER_DIGITS).split("-")[known:]):
            raise PydanticCustomError("date_of_birth_precision", "parts beyond the precision are written 01")
        return self


class Residence(Strict):
    """Where the voter lives: a village's eight digits or a commune's six."""

    village_code: Annotated[str, Field(pattern=r"^[0-9]{6}([0-9]{2})?$")]
    """Code of the gazetteer: a village's eight digits, or a commune's six where no more is known."""


class Capture(Strict):
    """Where, by whom, on what and when it was captured."""

    office: Identifier
    """The office, such as its commune's code."""
    device: Identifier
    """The device; unique in the register."""
    operator: Identifier
    """Who captured it."""
    batch: Identifier
    """The device's batch that this capture belongs to."""
    sequence: Sequence
    """Place in the batch, 0 to 9,999, without gaps: a missing one is told in the receipt."""
    captured_at: Timestamp
    """When, by the device's clock and its own offset."""


class Registration(Strict):
    """The whole registration, as it is from this revision on."""

    registration_id: Identifier
    """The registration; also the record's key."""
    revision: Revision
    voter: Voter
    residence: Residence
    polling_station: Identifier | None = None
    """A station of the residence's commune, if one was asked for."""
    capture: Capture


class Registered(Registration):
    """A first registration."""

    # Not Literal[1], which takes true and 1.0 for it.
    revision: Annotated[int, Field(ge=1, le=1)]
    """The first revision is 1."""


class Removal(Strict):
    """The registration ends."""

    registration_id: Identifier
    """The registration; also the record's key."""
    revision: Revision
    reason: RemovalReason
    """Why it ends."""
    capture: Capture


class BatchClosed(Strict):
    """A device says what it captured in a batch: `count` sequences from first to last, both included."""

    office: Identifier
    """The office that the device belongs to."""
    device: Identifier
    """The device; also the record's key."""
    batch: Identifier
    """The batch that is closed."""
    first_sequence: Sequence
    """The first sequence of the batch."""
    last_sequence: Sequence
    """The last sequence; first_sequence - 1 for an empty batch."""
    count: Annotated[int, Field(ge=0, le=MOST_SEQUENCES)]
    """How many: last_sequence - first_sequence + 1."""
    closed_at: Timestamp
    """When, by the device's clock and its own offset."""

    @model_validator(mode="after")
    def _count_adds_up(self) -> Self:
        if self.count != self.last_sequence - self.first_sequence + 1:
            raise PydanticCustomError("count", "count is not last_sequence - first_sequence + 1")
        return self


class Marker(Strict):
    """The end of an epoch in one partition; internal, signed by an officer with the role `marker`."""

    epoch: Epoch
    """The epoch that ends here."""
    command_offset: Offset
    """Where on `roll.commands.v1` its cut-off took effect."""
    as_of: Offset
    """A message of that topic, this one or a later: the signer is in force there."""
    audit_head: Sha256
    """Head of the audit chain up to and with `as_of`, in hex."""


EventData = Registration | Removal | BatchClosed

MODELS: Mapping[str, type[Registration] | type[Removal] | type[BatchClosed]] = {
    EventType.REGISTERED: Registered,
    EventType.CORRECTED: Registration,
    EventType.TRANSFERRED: Registration,
    EventType.REINSTATED: Registration,
    EventType.REMOVED: Removal,
    EventType.BATCH_CLOSED: BatchClosed,
}
"""The model of each type that capture systems send."""

# Rules that belong to one field of the object that breaks them.
_FIELD_OF_RULE = {"date_of_birth_precision": "date_of_birth", "count": "count"}


class InvalidData(ValueError):
    """The data break the contract; `errors` says where and which rule, never the value.

    Each is there once, in order of path and rule by code point.
    """

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("invalid")
        self.errors = errors


def parse(event_type: str, data: Any) -> EventData:
    """The data of an event of a known type. Raises InvalidData; KeyError for a type that is not in MODELS."""
    if not isinstance(data, dict):
        raise InvalidData([{"path": "", "rule": "type"}])
    try:
        return MODELS[event_type].model_validate(data)
    except ValidationError as error:
        distinct = {(each["path"], each["rule"]) for each in map(_at_field, field_errors(error))}
        raise InvalidData([{"path": path, "rule": rule} for path, rule in sorted(distinct)]) from None


def _at_field(item: FieldError) -> FieldError:
    field = _FIELD_OF_RULE.get(item["rule"])
    if field is None:
        return item
    return {"path": f"{item['path']}.{field}".lstrip("."), "rule": item["rule"]}
