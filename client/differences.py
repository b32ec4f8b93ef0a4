"""What an adopted file changes of the one in force, in words. Pure.

Officers sign a SHA-256; this shows what that means.
"""

from collections.abc import Iterable, Iterator, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.contracts.model_file import parse_model
from shared.crypto import signing
from shared.reference.devices import Device, parse_devices
from shared.reference.files import Station, parse_gazetteer, parse_stations
from shared.reference.officers import Officer, parse_officers

MOST = 10
"""Places or stations of one kind of change that are named; the others are counted."""


def differences(kind: str, old: bytes | None, new: bytes) -> list[str]:
    """One change a line; `old` is None where nothing of the kind is in force.

    Raises a ValueError for a file that breaks its own rules: InvalidReference, InvalidOfficers and so on.
    """
    match kind:
        case "officers":
            found = _officers(parse_officers(old) if old else {}, parse_officers(new))
        case "devices":
            found = _devices(parse_devices(old) if old else {}, parse_devices(new))
        case "stations":
            found = _stations(parse_stations(old).by_code if old else {}, parse_stations(new).by_code)
        case "gazetteer":
            found = _places(parse_gazetteer(old).names if old else {}, parse_gazetteer(new).names)
        case "model":
            found = _model(old, new)
        case _:
            found = _key(old, new)
    return list(found) or ["nothing changes: it is the file in force"]


def _officers(old: Mapping[str, Officer], new: Mapping[str, Officer]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if after is None:
            yield f"{name} is no longer an officer"
        elif before is None:
            yield f"{name} is new: {_may(after)}, key {_key_id(after.public_key)}"
        else:
            if before.public_key != after.public_key:
                yield f"{name} has another key: {_key_id(after.public_key)}"
            if _may(before) != _may(after):
                yield f"{name} is now {_may(after)}; was {_may(before)}"


def _may(officer: Officer) -> str:
    roles = ", ".join(sorted(officer.roles)) or "without a role"
    return roles if officer.areas is None else f"{roles} in {', '.join(sorted(officer.areas)) or 'no area'}"


def _key_id(raw: bytes) -> str:
    return signing.key_id(Ed25519PublicKey.from_public_bytes(raw))


def _devices(old: Mapping[str, Device], new: Mapping[str, Device]) -> Iterator[str]:
    yield from _counted("device", old, new)
    both = old.keys() & new.keys()
    yield from _named(
        "has another key", [each for each in both if old[each].public_key != new[each].public_key]
    )
    yield from _named(
        "moves to another office", [each for each in both if old[each].office != new[each].office]
    )
    areas = ({each.office: each.area for each in devices.values()} for devices in (old, new))
    before, after = areas
    for office in sorted(before.keys() & after.keys()):
        if before[office] != after[office]:
            was, now = (", ".join(sorted(area)) for area in (before[office], after[office]))
            yield f"office {office} may now register into {now}; was {was}"


def _stations(old: Mapping[str, Station], new: Mapping[str, Station]) -> Iterator[str]:
    yield from _counted("station", old, new)
    both = old.keys() & new.keys()
    yield from _named("is renamed", [each for each in both if _name(old[each]) != _name(new[each])])
    moved = [each for each in both if old[each].commune != new[each].commune]
    yield from _named("moves to another commune", moved)
    served = [each for each in both if set(old[each].villages) != set(new[each].villages)]
    yield from _named("serves other villages", served)
    seats = [each for each in both if old[each].capacity != new[each].capacity]
    told = [f"{each} ({old[each].capacity} → {new[each].capacity})" for each in sorted(seats)]
    yield from _named("has other seats", told)
    before, after = (sum(each.capacity for each in stations.values()) for stations in (old, new))
    if before != after:
        yield f"seats in all: {before:,} → {after:,}"
    order = [each for each in old if each in both] != [each for each in new if each in both]
    if order:
        yield "stations are in another order, by which voters are seated"


def _name(station: Station) -> tuple[str, str]:
    return station.name_km, station.name_latin


def _places(old: Mapping[str, tuple[str, str]], new: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    yield from _counted("place", old, new)
    yield from _named("is renamed", [each for each in old.keys() & new.keys() if old[each] != new[each]])


def _model(old: bytes | None, new: bytes) -> Iterator[str]:
    after = parse_model(new)
    if old is None:
        yield f"{after.name} {after.version}: claims from probability {after.threshold} on"
    elif old != new:
        before = parse_model(old)
        yield f"{after.name} {after.version} instead of {before.name} {before.version}"
        yield f"claims from probability {after.threshold} on; was {before.threshold}"


def _key(old: bytes | None, new: bytes) -> Iterator[str]:
    before, after = (signing.key_id(signing.load_public_pem(pem)) if pem else None for pem in (old, new))
    if before != after:
        yield f"lists are signed with key {after}" + (f" instead of {before}" if before else "")


def _counted(what: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    """How many there are, and which come and go."""
    if len(old) != len(new):
        yield f"{len(old):,} {what}s → {len(new):,}"
    yield from _named("is new", [each for each in new if each not in old] if old else [])
    yield from _named("is gone", [each for each in old if each not in new])


def _named(what: str, names: Iterable[str]) -> Iterator[str]:
    """Some of the names, and how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - MOST:,} more" if len(ordered) > MOST else ""
    if ordered:
        yield f"{what}: {', '.join(ordered[:MOST])}{more}"
