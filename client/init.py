"""A new register: keys, officers, gazetteer, stations, model, and the commands that adopt them."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.bounded import read_bounded
from client.commands import SignedCommand, Signer, approval, sign, to_line
from matching.model import default_model_bytes
from shared.contracts.commands import CommandType, ReferenceKind, Role
from shared.crypto import signing
from shared.reference.files import MAX_CAPACITY, STATION_COLUMNS, ReferenceStore, parse_gazetteer
from shared.reference.gazetteer_export import export_gazetteer
from shared.reference.officers import Officer, officers_file

OFFICERS: Mapping[str, tuple[Role, ...]] = {
    "administrator": ("administrator",),
    "adjudicator": ("adjudicator",),
    "second-officer": ("approver",),
    "publisher": ("publisher",),
    "marker": ("marker",),
}
"""The first officers of a register and what each may do; `marker` is the registration service's own."""


MENDED = "gazetteer-mended.txt"
"""File of what the gazetteer export changed, one a line."""

SETTINGS = "register.env"
"""File of the settings that every service and officer of the register shares, for a shell and for Compose."""


CONSOLE_USERS = Path("console/users.json")
"""File of who may sign in to the console: nobody, until `rollstream user` names somebody."""


class RegisterExists(Exception):
    """The folder holds a register already; a second set of keys would shut out the first."""


@dataclass(frozen=True, slots=True)
class NewRegister:
    """What was made. `fingerprints` are key ids by name, `founding_officers` is the SHA-256 of the officers'
    file, `mended` says what the gazetteer export changed."""

    directory: Path
    reference_dir: Path
    fingerprints: Mapping[str, str]
    founding_officers: str
    mended: tuple[str, ...]
    adoptions: tuple[SignedCommand, ...]


def init_register(
    register: str, out: Path, stations: Path | None, devices: Path | None = None
) -> NewRegister:
    """Make a register's files below `out`.

    With `devices`, a devices file, events count from the first epoch on only if a device of it signed them.
    Raises RegisterExists, and InvalidReference or TooLarge for a file that breaks the contract.
    """
    keys_dir = out / "keys"
    if keys_dir.exists():
        raise RegisterExists(f"{keys_dir} is there already: choose another folder for a new register")
    store = ReferenceStore(out / "reference")
    gazetteer, mended = export_gazetteer()
    stations_csv = read_bounded(stations) if stations else _a_station_a_commune(gazetteer)
    hashes: dict[ReferenceKind, str] = {
        "gazetteer": store.put("gazetteer", gazetteer),
        "stations": store.put("stations", stations_csv),
        "model": store.put("model", default_model_bytes()),
    }
    if devices is not None:
        hashes["devices"] = store.put("devices", read_bounded(devices))

    keys_dir.mkdir(parents=True)
    keys = {name: _new_key(keys_dir, name) for name in (*OFFICERS, "signing")}
    officers = [
        Officer(name, signing.raw_public(keys[name].public_key()), frozenset(roles))
        for name, roles in OFFICERS.items()
    ]
    officers_json = json.dumps(officers_file(officers), indent=1).encode()
    hashes["officers"] = store.put("officers", officers_json)
    hashes["signing_key"] = store.put("signing_key", signing.public_pem(keys["signing"].public_key()))
    for name, content in (
        ("gazetteer.csv", gazetteer),
        ("stations.csv", stations_csv),
        ("officers.json", officers_json),
        ("model.json", default_model_bytes()),
    ):
        (out / name).write_bytes(content)

    adoptions = _first_adoptions(register, hashes, keys)
    (out / "adoptions.jsonl").write_bytes(b"".join(map(to_line, adoptions)))
    (out / MENDED).write_text("".join(f"{each}\n" for each in mended))
    shared = {"ROLLSTREAM_REGISTER": register, "ROLLSTREAM_FOUNDING_OFFICERS": hashes["officers"]}
    (out / CONSOLE_USERS).parent.mkdir()
    (out / CONSOLE_USERS).touch(mode=0o600)
    (out / CONSOLE_USERS).write_text("[]\n")
    (out / SETTINGS).write_text("".join(f"{name}={value}\n" for name, value in shared.items()))
    return NewRegister(
        directory=out,
        reference_dir=out / "reference",
        fingerprints={name: signing.key_id(key.public_key()) for name, key in keys.items()},
        founding_officers=hashes["officers"],
        mended=tuple(mended),
        adoptions=adoptions,
    )


def _new_key(directory: Path, name: str) -> Ed25519PrivateKey:
    key = signing.generate_key()
    signing.write_private_key(directory / f"{name}.pem", key)
    (directory / f"{name}.pub.pem").write_bytes(signing.public_pem(key.public_key()))
    return key


def _a_station_a_commune(gazetteer: bytes) -> bytes:
    """A plan to begin with: one station for each commune, of the most that a list may hold."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(STATION_COLUMNS)
    for code, (name_km, name_latin) in sorted(parse_gazetteer(gazetteer).names.items()):
        if len(code) == 6:
            rows.writerow((f"{code}-01", name_km, name_latin, code, "", MAX_CAPACITY))
    return text.getvalue().encode()


def _first_adoptions(
    register: str, hashes: Mapping[ReferenceKind, str], keys: Mapping[str, Ed25519PrivateKey]
) -> tuple[SignedCommand, ...]:
    """The officers create the register; all else is proposed by one of them and approved by another.

    Devices come before the last of the others: so they are in force from the first epoch on.
    """
    administrator = Signer("administrator", keys["administrator"])
    second = Signer("second-officer", keys["second-officer"])
    commands: list[SignedCommand] = []
    order: tuple[ReferenceKind, ...] = (
        "officers",
        "devices",
        "gazetteer",
        "stations",
        "model",
        "signing_key",
    )
    for kind in (each for each in order if each in hashes):
        data = {"kind": kind, "version": "1", "sha256": hashes[kind]}
        proposal = sign(register, administrator, CommandType.ADOPTED, data)
        commands.append(proposal)
        if kind != "officers":
            commands.append(approval(register, second, proposal, "first adoption"))
    return tuple(commands)
