"""What services write to each other and back to capture systems; `lists` has what downstream systems read."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.events import (
    Capture,
    DocumentKind,
    EventType,
    Precision,
    RemovalReason,
    Sex,
    Voter,
)
from shared.contracts.fields import (
    MOST_SEQUENCES,
    RULES,
    Epoch,
    Identifier,
    Offset,
    PlainDate,
    Revision,
    Sequence,
    Sha256,
    Strict,
    Timestamp,
)


class OutputType(StrEnum):
    """`ce_type` of what services write on derived topics; a marker keeps its own type."""

    ACCEPTED = "rollstream.registration.accepted.v1"
    REJECTED = "rollstream.registration.rejected.v1"
    RECEIPT = "rollstream.capture.receipt.v1"
    CHECKED = "rollstream.registration.checked.v1"
    CLAIMS = "rollstream.registration.claims.v1"
    MARKER = EventType.MARKER.value


class Outcome(StrEnum):
    """What became of an event; each input offset has exactly one."""

    ACCEPTED = "accepted"
    IGNORED = "ignored"
    REJECTED = "rejected"
    DEAD_LETTERED = "dead_lettered"
    MARKER = "marker"
    VOID_MARKER = "void_marker"


class RejectionReason(StrEnum):
    """Why an event is rejected: the first that applies, in this order.

    A resend is looked for after the second.
    """

    KEY_MISMATCH = "key_mismatch"
    WRONG_PARTITION = "wrong_partition"
    ID_REUSED = "id_reused"
    UNKNOWN_TYPE = "unknown_type"
    INVALID = "invalid"
    NOT_AUTHORISED = "not_authorised"
    TOO_MANY_VERSIONS = "too_many_versions"
    UNKNOWN_REGISTRATION = "unknown_registration"
    STATE = "state"
    STALE_REVISION = "stale_revision"
    UNKNOWN_PLACE = "unknown_place"
    UNKNOWN_STATION = "unknown_station"
    IMPLAUSIBLE_BIRTH_DATE = "implausible_birth_date"


class Source(Strict):
    """A record of `registration.events.v1`."""

    partition: Annotated[int, Field(ge=0)]
    """Its partition."""
    offset: Offset
    """Its offset."""


class TopicSource(Source):
    """A record of any topic."""

    topic: str
    """Its topic."""


class NormalisedName(Strict):
    """A name as the normaliser leaves it."""

    km: str | None
    """In Khmer script, in canonical encoding order; null if there is none."""
    latin: str | None
    """In Latin script, folded; null if there is none."""


class NormalisedDocument(Strict):
    """A document's kind and its number in ASCII capitals and digits."""

    kind: DocumentKind
    """Which document."""
    number: str
    """Its number."""


class NormalisedVoter(Strict):
    """What is compared: the normaliser's view of a voter."""

    family_name: NormalisedName
    given_name: NormalisedName
    sex: Sex
    """As captured."""
    date_of_birth: PlainDate
    """YYYY-MM-DD in ASCII digits."""
    date_of_birth_precision: Precision
    """What of the date is known."""
    identity_document: NormalisedDocument | None
    phone: str | None
    """Its digits; null if there is none."""


class AcceptedVoter(Voter):
    """The voter as captured and as normalised."""

    normalised: NormalisedVoter


class ResolvedResidence(Strict):
    """The codes of the places; village null for a residence known by commune only."""

    province: str
    """Two digits."""
    district: str
    """Four digits."""
    commune: str
    """Six digits."""
    village: str | None
    """Eight digits; null where only the commune is known."""


class Accepted(Strict):
    """An accepted version; for a removal no voter, residence or station, and the digest that it leaves."""

    registration_id: Identifier
    """The registration; also the record's key."""
    revision: Revision
    status: Literal["active", "removed"]
    """Whether the registration is in force."""
    voter: AcceptedVoter | None = None
    """Missing or null for a removal."""
    residence: ResolvedResidence | None = None
    """Missing or null for a removal."""
    polling_station: Identifier | None = None
    """The station asked for, if any."""
    removal_reason: RemovalReason | None = None
    """Why it ended; missing or null if it did not."""
    capture: Capture
    event_source: str
    """`ce_source` of the event."""
    event_id: str
    """`ce_id` of the event."""
    epoch: Epoch
    """The epoch of the event's offset."""
    digest: Sha256
    """What this version says of the person, as captured, in lower-case hex; see the vectors."""
    first_accepted_at: Timestamp
    """Kafka timestamp of the registration's first accepted event, in UTC with milliseconds."""
    source: Source
    """The event."""


MOST_ERRORS = 20
"""Errors that a rejection names; `errors_total` counts all."""

MOST_RANGES = 100
"""Ranges of sequences that a receipt names; the counts beside them are of all."""


class ErrorItem(Strict):
    """Where and which rule; never the value."""

    path: str
    """Dotted path of the field; empty for the whole event."""
    rule: Annotated[
        str,
        Field(
            description="the broken rule: "
            + "; ".join(f"`{rule}`: {meaning}" for rule, meaning in RULES.items())
            + "; or a reason other than `invalid`",
            json_schema_extra={"enum": [*RULES, *(each.value for each in RejectionReason)]},
        ),
    ]


class Rejected(Strict):
    """What came of a decodable event that is wrong."""

    event_source: str
    """`ce_source` of the event."""
    event_id: str
    """`ce_id` of the event."""
    office: Identifier | None
    """As far as it could be read."""
    device: Identifier | None
    """As far as it could be read."""
    registration_id: Identifier | None
    """As far as it could be read; null for a batch-closed."""
    reason: Annotated[RejectionReason, Field(strict=False)]
    """The first that applies."""
    errors: Annotated[list[ErrorItem], Field(min_length=1, max_length=MOST_ERRORS)]
    """What is wrong where: of the distinct ones the first 20 by code point of path, then rule."""
    errors_total: Annotated[int, Field(ge=1)]
    """How many distinct ones there are."""
    source: TopicSource
    """The event."""


Ranges = Annotated[
    list[Annotated[list[Sequence], Field(min_length=2, max_length=2)]], Field(max_length=MOST_RANGES)
]
"""Ranges of sequences, both ends included, ascending; the lowest 100."""


class Receipt(Strict):
    """What is known of a closed batch, within the sequences of its last accepted close."""

    office: Identifier
    """The office, as the close says."""
    device: Identifier
    """The device."""
    batch: Identifier
    """The batch."""
    count: Annotated[int, Field(ge=0, le=MOST_SEQUENCES)]
    """Sequences that the device counts."""
    received: Annotated[int, Field(ge=0, le=MOST_SEQUENCES)] | None
    """Distinct sequences of events that name the batch, whatever their outcome; null if it is overfull."""
    missing_count: Annotated[int, Field(ge=0, le=MOST_SEQUENCES)]
    """How many sequences were not received."""
    missing: Ranges
    """Which; the lowest 100 ranges."""
    rejected_count: Annotated[int, Field(ge=0, le=MOST_SEQUENCES)]
    """Of how many received sequences every event was rejected."""
    rejected: Ranges
    """Which; the lowest 100 ranges."""
    content: Sha256 | None
    """What was received, by value, see the vectors; null if the batch is overfull."""
    complete: bool
    """Nothing is missing: the device may wipe the batch if count and content are what it reckons itself."""


class Evidence(Strict):
    """One comparison of a claim: the level of agreement and its weight in bits (log2 of m/u)."""

    field: str
    """The real-world fact compared."""
    level: str
    """Level of agreement."""
    weight: float
    """log2(m/u), in bits."""


class VersionRef(Strict):
    """A version of a registration."""

    registration_id: Identifier
    """The registration."""
    digest: Sha256
    """Digest of the version, in lower-case hex."""


class Claim(Strict):
    """Two versions of two registrations look like one person."""

    claim_id: Sha256
    """SHA-256 in hex of the pair; see the vectors."""
    other: VersionRef
    class_: Annotated[Literal["resend", "multiple_registration"], Field(alias="class")]
    """Whether one capture was sent twice, or a person registered twice."""
    probability: Annotated[float, Field(ge=0, le=1)]
    """That the two are one person."""
    weight: float
    """Sum of the evidence and the prior, in bits."""
    evidence: list[Evidence]
    """One item a comparison."""
    model: Sha256
    """SHA-256 of the model file."""
    epoch: Epoch
    """The later of the epochs in which the two versions first appeared."""


MOST_CLAIMS = 500
"""Claims that one record carries at most: some 350 kB, whatever a name or number is shared by."""

Claims = Annotated[list[Claim], Field(max_length=MOST_CLAIMS)]


class Checked(Accepted):
    """An accepted version with the claims that it takes part in, or the first 500 of them."""

    claims: Claims
    """By `claim_id`; more may follow in records of type `rollstream.registration.claims.v1`."""


class FurtherClaims(Strict):
    """Claims of a version that its checked record had no room for; they lie before the next marker."""

    registration_id: Identifier
    """The registration; also the record's key."""
    digest: Sha256
    """Digest of the version, in lower-case hex."""
    claims: Annotated[Claims, Field(min_length=1)]
    """By `claim_id`."""
    source: Source
    """The event of the version."""
