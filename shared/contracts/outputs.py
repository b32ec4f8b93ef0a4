"""What Rollstream writes: accepted records, rejections, receipts, claims, lists, manifests.

Rows, lists and manifests are hashed or signed as RFC 8785 JSON of exactly these members, nulls included.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.commands import Election
from shared.contracts.events import (
    Capture,
    DocumentKind,
    EventType,
    Precision,
    RemovalReason,
    Sex,
    Voter,
)
from shared.contracts.fields import Epoch, Identifier, Offset, PlainDate, Revision, Sha256, Strict, Timestamp


class OutputType(StrEnum):
    """`ce_type` of what services write on derived topics; a marker keeps its own type."""

    ACCEPTED = "rollstream.registration.accepted.v1"
    REJECTED = "rollstream.registration.rejected.v1"
    RECEIPT = "rollstream.capture.receipt.v1"
    CHECKED = "rollstream.registration.checked.v1"
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
    offset: Offset


class TopicSource(Source):
    """A record of any topic."""

    topic: str


class NormalisedName(Strict):
    """A name as the normaliser leaves it."""

    km: str | None
    latin: str | None


class NormalisedDocument(Strict):
    """A document's kind and its number in ASCII capitals and digits."""

    kind: DocumentKind
    number: str


class NormalisedVoter(Strict):
    """What is compared: the normaliser's view of a voter."""

    family_name: NormalisedName
    given_name: NormalisedName
    sex: Sex
    date_of_birth: PlainDate
    date_of_birth_precision: Precision
    identity_document: NormalisedDocument | None
    phone: str | None


class AcceptedVoter(Voter):
    """The voter as captured and as normalised."""

    normalised: NormalisedVoter


class ResolvedResidence(Strict):
    """The codes of the places; village null for a residence known by commune only."""

    province: str
    district: str
    commune: str
    village: str | None


class Accepted(Strict):
    """An accepted version; for a removal no voter, residence or station, and the digest that it leaves."""

    registration_id: Identifier
    revision: Revision
    status: Literal["active", "removed"]
    voter: AcceptedVoter | None = None
    residence: ResolvedResidence | None = None
    polling_station: Identifier | None = None
    removal_reason: RemovalReason | None = None
    capture: Capture
    event_source: str
    event_id: str
    epoch: Epoch
    digest: Sha256
    first_accepted_at: Timestamp
    source: Source


class ErrorItem(Strict):
    """Where and which rule; never the value."""

    path: str
    rule: str


class Rejected(Strict):
    """What came of a decodable event that is wrong."""

    event_source: str
    event_id: str
    office: Identifier | None
    device: Identifier | None
    registration_id: Identifier | None
    reason: RejectionReason
    errors: list[ErrorItem]
    source: TopicSource


class Receipt(Strict):
    """What is known of a closed batch: `received` and `count` are numbers, the others sequences."""

    office: Identifier
    device: Identifier
    batch: Identifier
    count: int
    received: int
    missing: list[int]
    rejected: list[int]
    complete: bool


class Evidence(Strict):
    """One comparison of a claim: the level of agreement and its weight in bits (log2 of m/u)."""

    field: str
    level: str
    weight: float


class VersionRef(Strict):
    """A version of a registration."""

    registration_id: Identifier
    digest: Sha256


class Claim(Strict):
    """Two versions of two registrations look like one person."""

    claim_id: Sha256
    other: VersionRef
    class_: Annotated[Literal["resend", "multiple_registration"], Field(alias="class")]
    probability: Annotated[float, Field(ge=0, le=1)]
    weight: float
    evidence: list[Evidence]
    model: Annotated[str, Field(description="SHA-256 of the model file")]
    epoch: Epoch


class Checked(Accepted):
    """An accepted version with every claim that it takes part in."""

    claims: list[Claim]


class ListName(Strict):
    """A name as captured; a missing script is null."""

    km: str | None
    latin: str | None


class Entry(Strict):
    """A row of a list: who votes at the station."""

    serial: Annotated[int, Field(ge=1, le=750)]
    registration_id: Identifier
    family_name: ListName
    given_name: ListName
    sex: Sex
    date_of_birth: PlainDate
    date_of_birth_precision: Precision
    village_code: str


class RemovedEntry(Strict):
    """Who stood at this station in the version before and does not now."""

    registration_id: Identifier
    reason: RemovalReason | Literal["decided", "transferred", "reassigned", "held", "age"]
    by: str | None


Entries = list[Entry]
RemovedEntries = list[RemovedEntry]


class Reference(Strict):
    """SHA-256 of the reference data that a list was made with."""

    gazetteer: Sha256
    stations: Sha256
    model: Sha256


class ListHead(Strict):
    """What is signed of a list."""

    register: Identifier
    roll: Identifier
    kind: Literal["preliminary", "final"]
    version: Annotated[int, Field(ge=1)]
    epoch: Epoch
    command_offset: Offset
    election: Election
    station: Identifier
    commune: str
    count: Annotated[int, Field(ge=0, le=750)]
    removed_count: Annotated[int, Field(ge=0)]
    merkle_root: Sha256
    replaces: int | None
    reference: Reference


class Signature(Strict):
    """Ed25519 (RFC 8032) over the RFC 8785 JSON of what is signed."""

    algorithm: Literal["Ed25519"]
    key_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    value: Annotated[str, Field(description="base64")]


class StationList(Strict):
    """One message of `roll.lists.v1`."""

    list: ListHead
    entries: Entries
    removed: RemovedEntries
    signature: Signature


class ProvinceManifestHead(Strict):
    """What is signed of a province's manifest."""

    register: Identifier
    roll: Identifier
    kind: Literal["preliminary", "final"]
    version: int
    epoch: Epoch
    command_offset: Offset
    election: Election
    province: str
    stations: int
    entries: int
    excluded: dict[str, int]
    lists_root: Sha256


class ProvinceManifest(Strict):
    """One message of `roll.manifests.v1`: the lists of a province, [station, count, merkle_root]."""

    manifest: ProvinceManifestHead
    lists: list[tuple[str, int, str]]
    signature: Signature


class RollManifestHead(Strict):
    """What is signed of a roll's manifest."""

    register: Identifier
    roll: Identifier
    kind: Literal["preliminary", "final"]
    version: int
    epoch: Epoch
    command_offset: Offset
    election: Election
    stations: int
    entries: int
    excluded: dict[str, int]
    roll_root: Sha256
    audit_head: Sha256


class RollManifest(Strict):
    """The last message of a version: the provinces, [province, stations, entries, lists_root]."""

    manifest: RollManifestHead
    provinces: list[tuple[str, int, int, str]]
    signature: Signature
