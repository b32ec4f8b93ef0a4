"""The reference files of small registers, and the keys behind them, derived from names."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

OFFICERS: dict[str, list[str]] = {
    "admin": ["administrator", "publisher", "adjudicator"],
    "admin-2": ["administrator", "publisher", "adjudicator"],
    "approver": ["approver"],
    "approver-2": ["approver", "administrator"],
    "marker": ["marker"],
    "local": ["adjudicator", "publisher"],
    "local-approver": ["approver"],
}

AREAS = {"local": ["010203", "02"], "local-approver": ["010203", "02"]}
"""Of the officers who have some."""

DEVICES: dict[str, tuple[str, Sequence[str]]] = {
    "D-1": ("010203", ["0102"]),
    "D-2": ("010203", ["0102"]),
    "D-3": ("020101", ["02"]),
}

GAZETTEER = """code,name_km,name_latin
01,ខេត្តមួយ,Province One
0102,ស្រុកមួយ,District One
010203,ឃុំមួយ,Commune One
01020301,ភូមិមួយ,Village One
01020302,ភូមិពីរ,Village Two
010204,ឃុំពីរ,Commune Two
01020401,ភូមិបី,Village Three
02,ខេត្តពីរ,Province Two
0201,ស្រុកពីរ,District Two
020101,ឃុំបី,Commune Three
02010101,ភូមិបួន,Village Four
"""

STATIONS = """station,name_km,name_latin,commune,villages,capacity
010203-01,ក,A,010203,01020301,750
010203-02,ខ,B,010203,,750
010204-01,គ,C,010204,,750
020101-01,ឃ,D,020101,,750
"""

MODEL = json.dumps(
    {
        "name": "small",
        "version": "1",
        "normaliser": "1",
        "register_size": 2,
        "threshold": 0.5,
        "classes": [
            {"name": "again", "same_person": True, "pairs_per_record": 0.1},
            {"name": "strangers", "same_person": False, "pairs_per_record": None},
        ],
        "comparisons": [],
        "blocking": {
            "register_size": 1,
            "largest_block": 1,
            "keys": [{"name": "phone", "parts": ["phone"]}],
            "statistics": {
                part: {"values": {}, "rest": 0.1}
                for part in (
                    *("family", "given", "year", "day", "sex"),
                    *("commune", "district", "document", "phone"),
                )
            },
        },
    }
)


def key_of(name: str) -> Ed25519PrivateKey:
    """The private key of an officer, a device, or the lists (`lists`); always the same for a name."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def public_key(name: str) -> str:
    """The raw public key in base64."""
    return base64.b64encode(key_of(name).public_key().public_bytes_raw()).decode()


def officers_file(officers: Mapping[str, list[str]], areas: Mapping[str, list[str]] = AREAS) -> bytes:
    """The officers file that names them, those in `areas` with these."""
    return json.dumps(
        [
            {
                "name": name,
                "public_key": public_key(name),
                "roles": roles,
                **({"areas": areas[name]} if name in areas else {}),
            }
            for name, roles in officers.items()
        ]
    ).encode()


def devices_file(devices: Mapping[str, tuple[str, Sequence[str]]] = DEVICES) -> bytes:
    """The devices file: each device with its office and that office's areas."""
    return json.dumps(
        [
            {"device": name, "public_key": public_key(name), "office": office, "areas": list(areas)}
            for name, (office, areas) in devices.items()
        ]
    ).encode()


def public_pem(name: str) -> bytes:
    """The public key in PEM."""
    return key_of(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
