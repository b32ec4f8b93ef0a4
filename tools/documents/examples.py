"""One true example of everything published: schemas show them, vectors and tests are made of them.

Hashes and signatures in them are real, made with `TEST_KEY`, so a reader's verifier can be tried on them.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.contracts import identity
from shared.contracts.commands import CommandType
from shared.contracts.events import EventType
from shared.contracts.operations import OperationType
from shared.contracts.outputs import OutputType
from shared.crypto import merkle, signing

REGISTER = "kh-2026"
TEST_SEED = hashlib.sha256(b"rollstream test vectors; never a key of a register").digest()
"""Published, so worthless: for test vectors only."""

REGISTERED: Mapping[str, Any] = {
    "registration_id": "010203-2026-0000123",
    "revision": 1,
    "voter": {
        "family_name": {"km": "សុខ", "latin": "SOK"},
        "given_name": {"km": "សុវណ្ណ", "latin": "SOVANN"},
        "sex": "female",
        "date_of_birth": "1990-04-12",
        "date_of_birth_precision": "day",
        "identity_document": {"kind": "national_id", "number": "010203040"},
        "phone": None,
    },
    "residence": {"village_code": "01020304"},
    "polling_station": "010203-01",
    "capture": {
        "office": "010203",
        "device": "D-0042",
        "operator": "OP-17",
        "batch": "D-0042-20261020-1",
        "sequence": 17,
        "captured_at": "2026-10-20T08:15:00+07:00",
    },
}
"""The example of the published interfaces."""

DIGEST = identity.digest(REGISTERED["voter"], REGISTERED["residence"])
OTHER_ID = "010203-2026-0000777"
OTHER_DIGEST = hashlib.sha256(b"some other version").hexdigest()
PAIR = [
    {"registration_id": REGISTERED["registration_id"], "digest": DIGEST, "commune": "010203"},
    {"registration_id": OTHER_ID, "digest": OTHER_DIGEST, "commune": "010204"},
]
CLAIM_ID = identity.claim_id((REGISTERED["registration_id"], DIGEST), (OTHER_ID, OTHER_DIGEST))
FILES = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("gazetteer", "stations", "model")}
ELECTION = {"kind": "commune_council", "day": "2027-06-06"}


def test_key() -> Ed25519PrivateKey:
    """The key of the vectors, for tests only."""
    return Ed25519PrivateKey.from_private_bytes(TEST_SEED)


def examples() -> dict[str, dict[str, Any]]:
    """One payload by the name of its schema: the `ce_type`, or what the message is where it has none."""
    return {**_events(), **_commands(), **_outputs(), **_operations(), **_published()}


def _events() -> dict[str, dict[str, Any]]:
    again = {**REGISTERED, "revision": 2}
    return {
        EventType.REGISTERED: dict(REGISTERED),
        EventType.CORRECTED: again,
        EventType.TRANSFERRED: {**again, "residence": {"village_code": "010204"}, "polling_station": None},
        EventType.REINSTATED: {**again, "revision": 4},
        EventType.REMOVED: {
            "registration_id": REGISTERED["registration_id"],
            "revision": 3,
            "reason": "moved",
            "capture": {**REGISTERED["capture"], "sequence": 18},
        },
        EventType.BATCH_CLOSED: {
            "office": "010203",
            "device": "D-0042",
            "batch": "D-0042-20261020-1",
            "first_sequence": 0,
            "last_sequence": 18,
            "count": 19,
            "closed_at": "2026-10-20T17:02:11+07:00",
        },
        EventType.MARKER: {"epoch": 1, "command_offset": 9, "as_of": 9, "audit_head": "0" * 64},
    }


def _commands() -> dict[str, dict[str, Any]]:
    cut_off = {"epoch": 1}
    return {
        CommandType.APPROVED: {
            "command_id": "c-0001",
            "command_sha256": identity.sha256_hex(identity.canonical(cut_off)),
            "reason": "all offices have reported",
        },
        CommandType.WITHDRAWN: {"command_id": "c-0002", "reason": "the file names a closed station"},
        CommandType.ADOPTED: {"kind": "model", "version": "2026.1", "sha256": FILES["model"]},
        CommandType.CUT_OFF: cut_off,
        CommandType.DECIDED: {
            "pair": PAIR,
            "decision": "same_person",
            "keep": REGISTERED["registration_id"],
            "reason": "same document, seen by both",
        },
        CommandType.REVERSED: {"pair": PAIR, "reason": "two sisters after all"},
        CommandType.FINALISED: {
            "roll": "2027-commune",
            "epoch": 1,
            "election": ELECTION,
            "kind": "final",
            "undecided": "refuse",
        },
        CommandType.SKIPPED: {
            "topic": "registration.accepted.v1",
            "partition": 3,
            "offset": 4711,
            "record_sha256": hashlib.sha256(b"a foreign record").hexdigest(),
            "reason": "a test tool of the data centre wrote it",
        },
    }


def _outputs() -> dict[str, dict[str, Any]]:
    voter = REGISTERED["voter"]
    accepted = {
        "registration_id": REGISTERED["registration_id"],
        "revision": 1,
        "status": "active",
        "voter": {
            **voter,
            "normalised": {
                "family_name": {"km": "សុខ", "latin": "sok"},
                "given_name": {"km": "សុវណ្ណ", "latin": "sovann"},
                "sex": "female",
                "date_of_birth": "1990-04-12",
                "date_of_birth_precision": "day",
                "identity_document": voter["identity_document"],
                "phone": None,
            },
        },
        "residence": {"province": "01", "district": "0102", "commune": "010203", "village": "01020304"},
        "polling_station": "010203-01",
        "capture": REGISTERED["capture"],
        "event_source": "capture/D-0042",
        "event_id": "D-0042-17",
        "epoch": 1,
        "digest": DIGEST,
        "first_accepted_at": "2026-10-20T08:15:00.123Z",
        "source": {"partition": 3, "offset": 41},
    }
    claim = {
        "claim_id": CLAIM_ID,
        "other": {"registration_id": OTHER_ID, "digest": OTHER_DIGEST},
        "class": "multiple_registration",
        "probability": 0.998877,
        "weight": 21.5,
        "evidence": [{"field": "date_of_birth", "level": "exact", "weight": 12.25}],
        "model": FILES["model"],
        "epoch": 1,
    }
    return {
        OutputType.ACCEPTED: accepted,
        OutputType.CHECKED: {**accepted, "claims": [claim]},
        OutputType.CLAIMS: {
            **{name: accepted[name] for name in ("registration_id", "digest", "source")},
            "claims": [claim],
        },
        OutputType.REJECTED: {
            "event_source": "capture/D-0042",
            "event_id": "D-0042-18",
            "office": "010203",
            "device": "D-0042",
            "registration_id": "010203-2026-0000124",
            "reason": "invalid",
            "errors": [{"path": "voter.identity_document.number", "rule": "pattern"}],
            "errors_total": 1,
            "source": {"topic": "registration.events.v1", "partition": 3, "offset": 42},
        },
        OutputType.RECEIPT: {
            "office": "010203",
            "device": "D-0042",
            "batch": "D-0042-20261020-1",
            "count": 19,
            "received": 16,
            "missing_count": 3,
            "missing": [[4, 5], [11, 11]],
            "rejected_count": 1,
            "rejected": [[18, 18]],
            "content": identity.batch_content(
                (sequence, identity.sha256_hex(f"capture {sequence}".encode()))
                for sequence in range(19)
                if sequence not in (4, 5, 11)
            ),
            "complete": False,
        },
    }


def _operations() -> dict[str, dict[str, Any]]:
    key_id = signing.key_id(test_key().public_key())
    sealed = {"as_of": 6, "head": hashlib.sha256(b"some trail").hexdigest()}
    person = {**sealed, "by": {"officer": "operator-1", "key_id": key_id}}
    letter = {"partition": 3, "offset": 41}
    return {
        OperationType.REPLAY_BEGUN: {
            **person,
            "letters": [letter],
            "ends": [{"partition": 3, "offset": 90}],
            "reason": "release 2 reads them",
        },
        OperationType.REPLAYED: {
            **person,
            "letters": [{**letter, "sent_to": 90}],
            "reason": "release 2 reads them",
        },
        OperationType.DROPPED: {**person, "letters": [letter], "reason": "a vendor's test"},
        OperationType.STARTED: {
            "as_of": None,
            "head": "0" * 64,
            "by": {"service": "registration", "instance": "a", "officer": "marker", "key_id": key_id},
            "version": "1.0",
            "settings": {"kafka.partitions": "0f" * 8, "register": "a1" * 8},
            "changed": ["kafka.partitions"],
        },
    }


def rows() -> list[dict[str, Any]]:
    """The rows of the example list, entries and then `removed`."""
    voter = REGISTERED["voter"]
    entry = {
        "serial": 1,
        "registration_id": REGISTERED["registration_id"],
        **{name: voter[name] for name in ("family_name", "given_name", "sex")},
        **{name: voter[name] for name in ("date_of_birth", "date_of_birth_precision")},
        "village_code": "01020304",
    }
    only_latin = {
        **entry,
        "serial": 2,
        "registration_id": "010203-2026-0000124",
        "given_name": {"km": None, "latin": "DARA"},
        "sex": "male",
    }
    removed = {"registration_id": OTHER_ID, "reason": "decided", "by": "c-0007"}
    return [entry, only_latin, removed]


def _published() -> dict[str, dict[str, Any]]:
    """A station's list, its province's manifest and the roll's, as they lie on their topics."""
    key = test_key()
    entry, only_latin, removed = rows()
    about = {
        "register": REGISTER,
        "roll": "2027-commune",
        "kind": "final",
        "version": 2,
        "epoch": 1,
        "command_offset": 12,
        "election": ELECTION,
    }
    head = {
        **about,
        "station": "010203-01",
        "commune": "010203",
        "count": 2,
        "removed_count": 1,
        "merkle_root": merkle.root([identity.canonical(row) for row in rows()]).hex(),
        "replaces": 1,
        "reference": FILES,
    }
    lists = [["010203-01", 2, head["merkle_root"]]]
    province = {
        **about,
        "province": "01",
        "stations": 1,
        "entries": 2,
        "excluded": {"decided": 1},
        "lists_root": merkle.root([identity.canonical(row) for row in lists]).hex(),
    }
    provinces = [["01", 1, 2, province["lists_root"]]]
    roll = {
        **about,
        "stations": 1,
        "entries": 2,
        "excluded": {"decided": 1},
        "roll_root": merkle.root([identity.canonical(row) for row in provinces]).hex(),
        "audit_head": hashlib.sha256(b"some chain").hexdigest(),
    }
    return {
        "roll.list.v1": {
            "list": head,
            "entries": [entry, only_latin],
            "removed": [removed],
            "signature": signing.sign_json(key, head),
        },
        "roll.province-manifest.v1": {
            "manifest": province,
            "lists": lists,
            "signature": signing.sign_json(key, province),
        },
        "roll.manifest.v1": {
            "manifest": roll,
            "provinces": provinces,
            "signature": signing.sign_json(key, roll),
        },
    }
