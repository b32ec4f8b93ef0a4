"""What downstream systems read: the list of each station, and the manifests that make lists a roll.

Rows, lists and manifests are hashed or signed as RFC 8785 JSON of exactly these members, nulls included.
"""

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.commands import Election
from shared.contracts.events import Precision, RemovalReason, Sex
from shared.contracts.fields import Epoch, Identifier, Offset, PlainDate, Sha256, Strict

# Beyond 2^53 a number has no RFC 8785 form, and whoever may write to a topic could stop its readers with one.
Number = Annotated[int, Field(ge=0, le=2**53 - 1)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


class ListName(Strict):
    """A name as captured; a missing script is null."""

    km: str | None
    """In Khmer script."""
    latin: str | None
    """In Latin script."""


class Entry(Strict):
    """A row of a list: who votes at the station."""

    serial: Annotated[int, Field(ge=1, le=750)]
    """Place in the list, from 1."""
    registration_id: Identifier
    """The registration."""
    family_name: ListName
    given_name: ListName
    sex: Sex
    """As captured."""
    date_of_birth: PlainDate
    """YYYY-MM-DD in ASCII digits."""
    date_of_birth_precision: Precision
    """What of the date is known."""
    village_code: str
    """As captured: eight digits, or six."""


class RemovedEntry(Strict):
    """Someone who was on this station's list in the version before and is not now."""

    registration_id: Identifier
    """The registration."""
    reason: RemovalReason | Literal["decided", "transferred", "reassigned", "held", "age"]
    """Why it is no longer on this list."""
    by: str | None
    """`ce_id` of the removal or of the last decision that drops it, else null."""


Entries = list[Entry]
RemovedEntries = list[RemovedEntry]


class Reference(Strict):
    """SHA-256 of the reference data that a list was made with."""

    gazetteer: Sha256
    """Of the gazetteer."""
    stations: Sha256
    """Of the stations."""
    model: Sha256
    """Of the model."""


class _Head(Strict):
    # Its own name would hide ABCMeta.register, which pydantic then takes for the default.
    register_: Annotated[Identifier, Field(alias="register")]
    """The register."""
    roll: Identifier
    """The roll."""
    kind: Literal["preliminary", "final"]
    """Whether later versions are expected."""
    version: Version
    """Counts the publications of the roll, from 1."""
    epoch: Epoch
    """The epoch that the roll is made of."""
    command_offset: Offset
    """Where on `roll.commands.v1` its `finalised` took effect."""
    election: Election


class ListHead(_Head):
    """What is signed of a list."""

    station: Identifier
    """The polling station."""
    commune: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    """Code of the station's commune."""
    count: Annotated[int, Field(ge=0, le=750)]
    """Entries."""
    removed_count: Number
    """Rows of `removed`."""
    merkle_root: Sha256
    """RFC 6962 root over the entries and then the rows of `removed`, in hex."""
    replaces: Version | None
    """The version before; null in the first."""
    reference: Reference


class Signature(Strict):
    """Ed25519 (RFC 8032) over the RFC 8785 JSON of what is signed."""

    algorithm: Literal["Ed25519"]
    """RFC 8032."""
    key_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    """First 16 bytes of SHA-256 of the raw public key, in hex."""
    value: str
    """64 bytes in base64."""


class StationList(Strict):
    """One message of `roll.lists.v1`."""

    list: ListHead
    entries: Entries
    """In the order of the list."""
    removed: RemovedEntries
    """In order of id."""
    signature: Signature


class ProvinceManifestHead(_Head):
    """What is signed of a province's manifest."""

    province: Annotated[str, Field(pattern=r"^[0-9]{2}$")]
    """Code of the province."""
    stations: Number
    """Lists of the province."""
    entries: Number
    """Entries of all of them."""
    excluded: dict[str, Number]
    """The epoch's registrations that are on no list, by reason, in the province of their last residence."""
    lists_root: Sha256
    """RFC 6962 root over the canonical rows of `lists`, in hex."""


class ProvinceManifest(Strict):
    """One message of `roll.manifests.v1`: the lists of a province, [station, count, merkle_root]."""

    manifest: ProvinceManifestHead
    lists: list[Annotated[tuple[str, Number, str], Field(strict=False)]]
    """[station, count, merkle_root] in order of station code."""
    signature: Signature


class RollManifestHead(_Head):
    """What is signed of a roll's manifest."""

    stations: Number
    """Lists of the roll."""
    entries: Number
    """Entries of all of them."""
    excluded: dict[str, Number]
    """The epoch's registrations that are on no list, by reason."""
    roll_root: Sha256
    """RFC 6962 root over the canonical rows of `provinces`, in hex."""
    audit_head: Sha256
    """Head of the audit chain at `command_offset`, in hex."""


class RollManifest(Strict):
    """The last message of a version: the provinces, [province, stations, entries, lists_root]."""

    manifest: RollManifestHead
    provinces: list[Annotated[tuple[str, Number, Number, str], Field(strict=False)]]
    """[province, stations, entries, lists_root] in order of code."""
    signature: Signature
