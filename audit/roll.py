"""The rolls: each `finalised` in its order becomes a version with its lists and manifests, or is refused."""

import base64
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import files, normalised
from audit.history import CommandHistory, FinaliseRequest
from audit.log import SeenClaim
from audit.outcomes import Judged
from audit.persons import Population, Refusal, Standing, decide, population
from audit.records import Version
from audit.seating import seat
from shared.contracts import lists as contract
from shared.contracts.fields import KHMER_DIGITS
from shared.contracts.identity import canonical, sha256_hex


@dataclass(frozen=True, slots=True)
class Published:
    """A version of a roll: who stood where and as which version, and the communes of its file's stations.

    `persons` has for each registration the smallest one of the same person, `signers` the raw public keys
    that may sign the version.
    """

    number: int
    request: FinaliseRequest
    persons: dict[str, str]
    signers: Sequence[bytes]
    seats: dict[str, str]
    versions: dict[str, Version]
    communes: dict[str, str]


@dataclass(slots=True)
class Rolls:
    """What was published, by message key, and why what was not was refused (command id to refusal).

    Without private keys the lists and manifests have no member `signature`.
    """

    lists: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    versions: dict[str, list[Published]] = field(default_factory=lambda: defaultdict(list))
    refusals: dict[str, Refusal] = field(default_factory=dict)
    waiting: str | None = None


def publish(
    history: CommandHistory,
    judged: Judged,
    claims: Sequence[SeenClaim],
    keys: Iterable[Ed25519PrivateKey] | None = None,
) -> Rolls:
    """Judge every `finalised` and write its verdict into `history`. One that must wait holds up the rest.

    Raises LookupError if keys are given, and none that may sign among them.
    """
    rolls = Rolls()
    complete = min(judged.marked.values(), default=0)  # the highest epoch whose marker is in every partition
    newest = 0
    for request in history.finalise_requests:
        verdict = history.verdicts[request.ce_id]
        try:
            if history.cut_offs.get(request.data.epoch, request.offset) >= request.offset:
                raise Refusal("no_cut_off")
            if request.data.epoch < newest:
                raise Refusal("older_epoch")
            if request.data.epoch > complete:
                rolls.waiting = request.ce_id
                break
            _publish_version(history, judged, claims, keys, request, rolls)
        except Refusal as refusal:
            rolls.refusals[request.ce_id] = refusal
            verdict.verdict, verdict.reason, verdict.names = "refused", refusal.reason, refusal.names
            continue
        verdict.verdict, verdict.command_offset = "effective", request.offset
        newest = request.data.epoch
    return rolls


def _publish_version(
    history: CommandHistory,
    judged: Judged,
    claims: Sequence[SeenClaim],
    keys: Iterable[Ed25519PrivateKey] | None,
    request: FinaliseRequest,
    rolls: Rolls,
) -> None:
    data = request.data
    signers = _signers(history, request)
    key = None if keys is None else _key_of(signers, keys)
    people = population(judged.registrations, data.epoch)
    standing = decide(people, claims, history.decisions, request)
    earlier = rolls.versions[data.roll]
    before = earlier[-1] if earlier else None
    stations_sha = history.adopted("stations", before=request.offset)[-1]
    stations = files.stations(history.files[stations_sha])
    seats = seat(standing.ids, people, stations, before.seats if before else {})
    communes = {code: station.commune for code, station in stations.items()}
    version = Published(
        number=len(earlier) + 1,
        request=request,
        persons=standing.persons,
        signers=signers,
        seats=seats,
        versions={registration_id: people[registration_id].captured for registration_id in seats},
        communes=communes,
    )
    common: dict[str, Any] = {
        "register": history.register,
        "roll": data.roll,
        "kind": data.kind,
        "version": version.number,
        "epoch": data.epoch,
        "command_offset": request.offset,
        "election": dict(data.election),
    }
    reference = {
        "gazetteer": sha256_hex(history.file_of_epoch("gazetteer", data.epoch)),
        "stations": stations_sha,
        "model": sha256_hex(history.file_of_epoch("model", data.epoch)),
    }
    closed = {code: at for code, at in (before.communes if before else {}).items() if code not in communes}
    rows: dict[str, list[tuple[str, int, str]]] = defaultdict(list)
    seated, stood = _by_station(seats), _by_station(before.seats if before else {})
    for code, commune in {**communes, **closed}.items():
        entries = _entries(seated.get(code, ()), people)
        removed = _removed(code, stood.get(code, ()), before, version, people, standing)
        root = merkle_root([canonical(row) for row in [*entries, *removed]])
        head = {
            **common,
            "station": code,
            "commune": commune,
            "count": len(entries),
            "removed_count": len(removed),
            "merkle_root": root,
            "replaces": before.number if before else None,
            "reference": reference,
        }
        rows[commune[:2]].append((code, len(entries), root))
        whole = {"list": head, "entries": entries, "removed": removed, **_signed(key, head)}
        if key is not None:
            contract.StationList.model_validate_json(canonical(whole))
        rolls.lists[f"{data.roll}/{code}/{version.number}"] = canonical(whole)
    audit_head = history.heads[request.offset]
    _manifests(rolls, common, rows, _excluded(people, standing), key, audit_head)
    earlier.append(version)


def _signers(history: CommandHistory, request: FinaliseRequest) -> list[bytes]:
    """The public keys that may sign: the one in force, and later ones after it was lost."""
    of_lists = [each for each in history.adoptions if each.kind == "signing_key"]
    then = [each for each in of_lists if each.offset < request.offset][-1]
    may_sign = [then, *(each for each in of_lists if each.offset > request.offset and each.lost)]
    return [files.signing_key(history.files[each.sha256]).public_bytes_raw() for each in may_sign]


def _key_of(signers: Iterable[bytes], keys: Iterable[Ed25519PrivateKey]) -> Ed25519PrivateKey:
    """The first of the private keys that may sign. Raises LookupError where none is given."""
    for public in signers:
        for key in keys:
            if key.public_key().public_bytes_raw() == public:
                return key
    raise LookupError("no signing key that may sign is among the given ones")


def _entries(ids: Iterable[str], people: Population) -> list[dict[str, Any]]:
    ordered = sorted(ids, key=lambda registration_id: _place_in_list(registration_id, people))
    entries = []
    for serial, registration_id in enumerate(ordered, start=1):
        voter = people[registration_id].voter
        entries.append(
            {
                "serial": serial,
                "registration_id": registration_id,
                "family_name": voter.family_name.model_dump(),
                "given_name": voter.given_name.model_dump(),
                "sex": voter.sex,
                "date_of_birth": voter.date_of_birth.translate(KHMER_DIGITS),
                "date_of_birth_precision": voter.date_of_birth_precision,
                "village_code": people[registration_id].place,
            }
        )
    return entries


def _place_in_list(registration_id: str, people: Population) -> tuple[str, ...]:
    voter = people[registration_id].voter
    family, given = normalised.name(voter.family_name), normalised.name(voter.given_name)
    return (
        family["km"] or family["latin"] or "",
        given["km"] or given["latin"] or "",
        voter.date_of_birth.translate(KHMER_DIGITS),
        registration_id,
    )


def _by_station(seats: Mapping[str, str]) -> Mapping[str, list[str]]:
    """Who votes at each station."""
    found: dict[str, list[str]] = defaultdict(list)
    for registration_id, code in seats.items():
        found[code].append(registration_id)
    return found


def _removed(
    code: str,
    stood: Iterable[str],
    before: Published | None,
    now: Published,
    people: Population,
    standing: Standing,
) -> list[dict[str, Any]]:
    """Who stood at the station in the version before and does not now, and why."""
    rows = []
    for registration_id in sorted(stood):
        if now.seats.get(registration_id) == code:
            continue
        assert before is not None
        if registration_id in standing.absent:
            reason, by = standing.absent[registration_id]
        else:
            then, current = before.versions[registration_id], people[registration_id].captured
            moved = (then.place, then.record.polling_station) != (
                current.place,
                current.record.polling_station,
            )
            reason, by = ("transferred" if moved else "reassigned"), None
        rows.append({"registration_id": registration_id, "reason": reason, "by": by})
    return rows


def _excluded(people: Population, standing: Standing) -> dict[str, Counter[str]]:
    """Per province of the last residence, how many do not stand for which reason."""
    excluded: dict[str, Counter[str]] = defaultdict(Counter)
    for registration_id, (reason, _) in standing.absent.items():
        excluded[people[registration_id].place[:2]][reason] += 1
    return excluded


def _manifests(
    rolls: Rolls,
    common: dict[str, Any],
    rows: dict[str, list[tuple[str, int, str]]],
    excluded: dict[str, Counter[str]],
    key: Ed25519PrivateKey | None,
    audit_head: bytes,
) -> None:
    provinces = []
    for province in sorted({*rows, *excluded}):
        lists = sorted(rows[province])
        head = {
            **common,
            "province": province,
            "stations": len(lists),
            "entries": sum(count for _, count, _ in lists),
            "excluded": dict(excluded[province]),
            "lists_root": merkle_root([canonical(list(row)) for row in lists]),
        }
        whole = {"manifest": head, "lists": [list(row) for row in lists], **_signed(key, head)}
        rolls.manifests[f"{common['roll']}/{province}/{common['version']}"] = canonical(whole)
        provinces.append([province, head["stations"], head["entries"], head["lists_root"]])
    head = {
        **common,
        "stations": sum(row[1] for row in provinces),
        "entries": sum(row[2] for row in provinces),
        "excluded": dict(sum(excluded.values(), Counter())),
        "roll_root": merkle_root([canonical(row) for row in provinces]),
        "audit_head": audit_head.hex(),
    }
    whole = {"manifest": head, "provinces": provinces, **_signed(key, head)}
    rolls.manifests[f"{common['roll']}/{common['version']}"] = canonical(whole)


def _signed(key: Ed25519PrivateKey | None, head: dict[str, Any]) -> dict[str, Any]:
    """The member `signature`, none without a key."""
    if key is None:
        return {}
    public = key.public_key().public_bytes_raw()
    value = base64.b64encode(key.sign(canonical(head))).decode()
    return {
        "signature": {
            "algorithm": "Ed25519",
            "key_id": hashlib.sha256(public).digest()[:16].hex(),
            "value": value,
        }
    }


def merkle_root(rows: Sequence[bytes]) -> str:
    """RFC 6962, section 2.1: the Merkle tree hash of the rows, in hex."""
    return _tree(rows).hex()


def _tree(rows: Sequence[bytes]) -> bytes:
    if not rows:
        return hashlib.sha256().digest()
    if len(rows) == 1:
        return hashlib.sha256(b"\0" + rows[0]).digest()
    split = 1 << ((len(rows) - 1).bit_length() - 1)
    return hashlib.sha256(b"\1" + _tree(rows[:split]) + _tree(rows[split:])).digest()
