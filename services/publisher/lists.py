"""Lists and manifests: their rows, hashes, signatures and bytes. Pure.

All bytes are RFC 8785 JSON; rows are encoded once and used for the hash and for the message.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.publisher.registrations import Registration
from shared.commands.state import FinaliseRequest
from shared.contracts.plain_json import plain_canonical
from shared.contracts.topics import Topic, partition_for
from shared.crypto import merkle, signing
from shared.runtime.record import Output


class Sign(Protocol):
    """Makes the `signature` member of a head."""

    def __call__(self, head: Mapping[str, Any], /) -> Mapping[str, str]: ...


def signer(key: Ed25519PrivateKey) -> Sign:
    """Signs with that key."""
    return lambda head: signing.sign_json(key, head)


@dataclass(frozen=True, slots=True)
class Edition:
    """One version of a roll: what every head of its lists and manifests says. `reference` is the SHA-256 of
    gazetteer, stations and model; `replaces` the version before and `replaces_token` what its
    lists are stored under, None in the first."""

    register: str
    request: FinaliseRequest
    version: int
    replaces: int | None
    replaces_token: str | None
    reference: Mapping[str, str]

    @property
    def name(self) -> str:
        """`<roll>/<version>`, by which its documents and its manifest are named."""
        return f"{self.request.data.roll}/{self.version}"

    def head(self) -> dict[str, Any]:
        """What lists and manifests have in common."""
        data = self.request.data
        return {
            "register": self.register,
            "roll": data.roll,
            "kind": data.kind,
            "version": self.version,
            "epoch": data.epoch,
            "command_offset": self.request.command_offset,
            "election": {"kind": data.election.kind, "day": data.election.day},
        }


@dataclass(frozen=True, slots=True)
class Removed:
    """Someone who was on a station's list in the version before and is not now."""

    registration_id: str
    reason: str
    by: str | None


@dataclass(frozen=True, slots=True)
class StationList:
    """A station's list: `value` is its message, `root` the Merkle root in hex."""

    station: str
    commune: str
    count: int
    root: str
    value: bytes


def station_list(
    edition: Edition,
    station: str,
    commune: str,
    voters: Iterable[Registration],
    removed: Iterable[Removed],
    sign: Sign,
) -> StationList:
    """Put the voters of a station in order, number, hash and sign them."""
    entries = [
        plain_canonical(_entry(serial, voter))
        for serial, voter in enumerate(sorted(voters, key=order), start=1)
    ]
    gone = [
        plain_canonical({"registration_id": each.registration_id, "reason": each.reason, "by": each.by})
        for each in sorted(removed, key=lambda each: each.registration_id)
    ]
    root = merkle.root([*entries, *gone]).hex()
    head = {
        **edition.head(),
        "station": station,
        "commune": commune,
        "count": len(entries),
        "removed_count": len(gone),
        "merkle_root": root,
        "replaces": edition.replaces,
        "reference": dict(edition.reference),
    }
    value = _message(
        entries=_array(entries), list=plain_canonical(head), removed=_array(gone), signature=sign(head)
    )
    return StationList(station, commune, len(entries), root, value)


def order(voter: Registration) -> tuple[str, str, str, str]:
    """By family name, given name, date of birth and id, each by code point."""
    return (*voter.captured.sort_names, voter.captured.date_of_birth, voter.registration_id)


def _entry(serial: int, voter: Registration) -> dict[str, Any]:
    captured = voter.captured
    return {
        "serial": serial,
        "registration_id": voter.registration_id,
        "family_name": dict(captured.family_name),
        "given_name": dict(captured.given_name),
        "sex": captured.sex,
        "date_of_birth": captured.date_of_birth,
        "date_of_birth_precision": captured.precision,
        "village_code": captured.village_code,
    }


@dataclass(frozen=True, slots=True)
class Totals:
    """What a province's or the roll's manifest comes to; `root` is `lists_root` or `roll_root`."""

    stations: int
    entries: int
    excluded: Mapping[str, int]
    root: str
    value: bytes


def province_manifest(
    edition: Edition,
    province: str,
    lists: Iterable[tuple[str, int, str]],
    excluded: Mapping[str, int],
    sign: Sign,
) -> Totals:
    """The manifest of a province; `lists` are (station, count, root)."""
    rows = sorted(lists)
    encoded = [plain_canonical(list(row)) for row in rows]
    entries, root = sum(count for _, count, _ in rows), merkle.root(encoded).hex()
    head = {
        **edition.head(),
        "province": province,
        "stations": len(rows),
        "entries": entries,
        "excluded": dict(excluded),
        "lists_root": root,
    }
    value = _message(lists=_array(encoded), manifest=plain_canonical(head), signature=sign(head))
    return Totals(len(rows), entries, excluded, root, value)


def roll_manifest(edition: Edition, provinces: Mapping[str, Totals], audit_head: bytes, sign: Sign) -> Totals:
    """The last message of a version, over the manifests of its provinces."""
    encoded = [
        plain_canonical([code, province.stations, province.entries, province.root])
        for code, province in sorted(provinces.items())
    ]
    stations = sum(province.stations for province in provinces.values())
    entries = sum(province.entries for province in provinces.values())
    excluded: Counter[str] = Counter()
    for province in provinces.values():
        excluded.update(province.excluded)
    root = merkle.root(encoded).hex()
    head = {
        **edition.head(),
        "stations": stations,
        "entries": entries,
        "excluded": dict(excluded),
        "roll_root": root,
        "audit_head": audit_head.hex(),
    }
    value = _message(manifest=plain_canonical(head), provinces=_array(encoded), signature=sign(head))
    return Totals(stations, entries, excluded, root, value)


def list_output(edition: Edition, station: str, province: str, value: bytes, partitions: int) -> Output:
    """A list as it is sent to `roll.lists.v1`."""
    data = edition.request.data
    key = f"{data.roll}/{station}/{edition.version}".encode()
    headers = {
        "roll": data.roll,
        "version": str(edition.version),
        "kind": data.kind,
        "province": province,
        "station": station,
    }
    return Output(
        Topic.LISTS.value,
        partition_for(key, partitions),
        key,
        value,
        tuple((name, text.encode()) for name, text in headers.items()),
    )


def manifest_output(edition: Edition, province: str | None, value: bytes) -> Output:
    """A manifest as it is sent to `roll.manifests.v1`; province None: the roll's."""
    data = edition.request.data
    key = edition.name if province is None else f"{data.roll}/{province}/{edition.version}"
    return Output(Topic.MANIFESTS.value, 0, key.encode(), value)


def _array(rows: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(rows) + b"]"


def _message(*, signature: Mapping[str, str], **members: bytes) -> bytes:
    members["signature"] = plain_canonical(dict(signature))
    return b"{" + b",".join(b'"%b":%b' % (name.encode(), members[name]) for name in sorted(members)) + b"}"
