"""Test vectors: what another implementation must come to, byte for byte."""

import base64
from typing import Any

from shared.contracts import identity
from shared.contracts.commands import CommandType
from shared.contracts.events import EventType
from shared.contracts.topics import murmur2, partition_for
from shared.crypto import merkle, signing
from tools.documents.examples import (
    DIGEST,
    OTHER_DIGEST,
    OTHER_ID,
    REGISTER,
    REGISTERED,
    TEST_SEED,
    examples,
    rows,
    test_key,
)

_KEYS = ("21", "foobar", "a-little-bit-long-string", "010203-2026-0000123", "D-0042", "!marker/1", "")


def vectors() -> dict[str, Any]:
    """All test vectors. Texts are UTF-8; `hex` and `base64` name what bytes are written in."""
    return {
        "about": (
            "Test vectors of Rollstream's published interfaces. Canonical JSON is RFC 8785, hashes are "
            "SHA-256, signatures Ed25519 (RFC 8032), trees RFC 6962."
        ),
        "test_key": _key(),
        "digest": _digests(),
        "claim_id": _claims(),
        "events": _events(),
        "commands": _commands(),
        "merkle": _tree(),
        "lists": {name: payload for name, payload in examples().items() if name.startswith("roll.")},
        "partitions": [_partition(key) for key in _KEYS],
    }


def _key() -> dict[str, str]:
    public = signing.raw_public(test_key().public_key())
    return {
        "warning": "TEST ONLY: this private key is published, whatever it signs proves nothing",
        "private_key_seed_hex": TEST_SEED.hex(),
        "public_key_base64": base64.b64encode(public).decode(),
        "key_id": signing.key_id(test_key().public_key()),
    }


def _digests() -> list[dict[str, Any]]:
    voter = {
        "family_name": {"latin": "CHAN"},
        "given_name": {"km": None, "latin": "DARA"},
        "sex": "male",
        "date_of_birth": "១៩៨០-០១-០១",
        "date_of_birth_precision": "year",
    }
    cases = [(REGISTERED["voter"], REGISTERED["residence"]), (voter, {"village_code": "010203"})]
    return [
        {
            "voter": person,
            "residence": place,
            "hashed": identity.canonical(
                identity.without_nulls({"residence": place, "voter": person})
            ).decode(),
            "digest": identity.digest(person, place),
        }
        for person, place in cases
    ]


def _claims() -> list[dict[str, Any]]:
    one, other = (REGISTERED["registration_id"], DIGEST), (OTHER_ID, OTHER_DIGEST)
    pair = identity.canonical([list(version) for version in identity.ordered_pair(one, other)])
    return [
        {"of": [first, second], "hashed": pair.decode(), "claim_id": identity.claim_id(first, second)}
        for first, second in ((one, other), (other, one))
    ]


def _events() -> dict[str, Any]:
    """Two captures as a device sends them, and the content of a receipt for both."""
    source = "capture/D-0042"
    events: list[dict[str, Any]] = []
    arrivals: list[tuple[int, str]] = []
    for ce_type, ce_id, sequence in (
        (EventType.REGISTERED, "D-0042-17", 17),
        (EventType.REMOVED, "D-0042-18", 18),
    ):
        data = examples()[ce_type]
        signed = identity.event_signing_bytes(REGISTER, ce_type, source, ce_id, data)
        content = identity.arrival_hash(REGISTER, ce_type, ce_id, data) or ""
        arrivals.append((sequence, content))
        events.append(
            {
                "ce_type": ce_type.value,
                "ce_source": source,
                "ce_id": ce_id,
                "data": data,
                "data_sha256": identity.data_hash(ce_type, data),
                "signed_bytes_hex": signed.hex(),
                "signature_base64": signing.encode_signature(test_key().sign(signed)),
                "sequence": sequence,
                "arrival_sha256": content,
            }
        )
    return {
        "about": (
            "Signed with the test key, as if it were the device's. By data_sha256 a resend is known; "
            "arrival_sha256 is what a receipt's content is made of."
        ),
        "register": REGISTER,
        "events": events,
        "receipt_content": identity.batch_content(arrivals),
    }


def _commands() -> dict[str, Any]:
    """Three messages as they would lie on `roll.commands.v1`, and the audit chain over them."""
    payloads = examples()
    messages: list[dict[str, Any]] = []
    head = identity.CHAIN_START
    for ce_type, ce_id, officer in (
        (CommandType.CUT_OFF, "c-0001", "publisher-1"),
        (CommandType.APPROVED, "c-0002", "approver-1"),
        (CommandType.DECIDED, "c-0003", "adjudicator-1"),
    ):
        value = identity.canonical(payloads[ce_type])
        signed = identity.command_signing_bytes(REGISTER, ce_type, ce_id, value)
        signature = signing.encode_signature(test_key().sign(signed))
        timestamp = 1_792_000_000_000 + 1_000 * len(messages)
        head = identity.chain(
            head, timestamp, ce_type.encode(), ce_id.encode(), officer.encode(), signature.encode(), value
        )
        messages.append(
            {
                "ce_type": ce_type.value,
                "ce_id": ce_id,
                "timestamp_ms": timestamp,
                "officer": officer,
                "value": value.decode(),
                "command_sha256": identity.sha256_hex(value),
                "signed_bytes_hex": signed.hex(),
                "signature_base64": signature,
                "chain_head_after_hex": head.hex(),
            }
        )
    return {
        "about": (
            "All signed with the test key. The chain takes ce_type, ce_id, officer and signature as the "
            "bytes of their headers, the signature therefore in base64."
        ),
        "register": REGISTER,
        "chain_head_before_hex": identity.CHAIN_START.hex(),
        "messages": messages,
    }


def _tree() -> dict[str, Any]:
    leaves = [identity.canonical(row) for row in rows()]
    root = merkle.root(leaves).hex()
    return {
        "empty_root_hex": merkle.root([]).hex(),
        "leaves": [{"row": leaf.decode(), "leaf_hash_hex": merkle.leaf_hash(leaf).hex()} for leaf in leaves],
        "root_hex": root,
        "proofs": [
            {
                "row": leaf.decode(),
                "index": index,
                "size": len(leaves),
                "path": [step.hex() for step in merkle.inclusion_path(leaves, index)],
                "root": root,
            }
            for index, leaf in enumerate(leaves)
        ],
    }


def _partition(key: str) -> dict[str, Any]:
    return {
        "key": key,
        "murmur2": murmur2(key.encode()),
        "partitions": 12,
        "partition": partition_for(key.encode(), 12),
    }
