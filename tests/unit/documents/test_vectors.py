"""The published test vectors, computed anew from the standards' own words with hashlib alone."""

import base64
import hashlib
import json
from typing import Any

import pytest
from aiokafka.partitioner import murmur2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.contracts.events import EventType
from tools.documents import generate
from tools.documents.examples import examples

VECTORS: Any = json.loads(generate.documents()["vectors.json"])


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def compact(value: Any) -> bytes:
    """RFC 8785 for what the vectors hold: ASCII names, no numbers but integers."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: pruned(member) for name, member in value.items() if member is not None}
    return value


def tree(leaves: list[bytes]) -> bytes:
    """The definition in RFC 6962, section 2.1."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + tree(leaves[:split]) + tree(leaves[split:]))


def leaf(row: bytes) -> bytes:
    return sha256(b"\x00" + row)


def public_key() -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(VECTORS["test_key"]["public_key_base64"]))


def test_the_key_of_the_vectors_is_marked_and_named_right() -> None:
    key = VECTORS["test_key"]
    assert key["warning"].startswith("TEST ONLY")
    assert key["key_id"] == sha256(base64.b64decode(key["public_key_base64"]))[:16].hex()


def test_the_digests_are_right() -> None:
    assert len(VECTORS["digest"]) >= 2
    for case in VECTORS["digest"]:
        hashed = compact(pruned({"voter": case["voter"], "residence": case["residence"]}))
        assert case["hashed"].encode() == hashed
        assert case["digest"] == sha256(hashed).hex()


def test_the_claim_ids_are_right_and_the_same_from_both_sides() -> None:
    assert len({case["claim_id"] for case in VECTORS["claim_id"]}) == 1
    assert len({str(case["of"]) for case in VECTORS["claim_id"]}) == 2
    for case in VECTORS["claim_id"]:
        assert case["claim_id"] == sha256(compact(sorted(case["of"]))).hex()


def test_the_commands_are_signed_as_described_and_the_chain_holds() -> None:
    commands = VECTORS["commands"]
    head = bytes.fromhex(commands["chain_head_before_hex"])
    assert head == bytes(32)
    for message in commands["messages"]:
        value = message["value"].encode()
        named = [message["ce_type"], message["ce_id"]]
        signed = b"".join(part.encode() + b"\0" for part in [commands["register"], *named]) + value
        assert bytes.fromhex(message["signed_bytes_hex"]) == signed
        public_key().verify(base64.b64decode(message["signature_base64"]), signed)
        assert message["command_sha256"] == sha256(value).hex()
        parts = [
            *(each.encode() for each in (*named, message["officer"], message["signature_base64"])),
            value,
        ]
        fields = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        head = sha256(head + sha256(message["timestamp_ms"].to_bytes(8, "big") + fields))
        assert message["chain_head_after_hex"] == head.hex()
    with pytest.raises(InvalidSignature):
        public_key().verify(base64.b64decode(message["signature_base64"]), signed + b" ")


def test_the_approval_names_the_bytes_that_it_approves() -> None:
    cut_off, approved, _ = VECTORS["commands"]["messages"]
    assert json.loads(approved["value"])["command_sha256"] == cut_off["command_sha256"]


def test_the_leaves_the_root_and_the_proofs_are_right() -> None:
    merkle = VECTORS["merkle"]
    rows = [case["row"].encode() for case in merkle["leaves"]]
    assert [case["leaf_hash_hex"] for case in merkle["leaves"]] == [leaf(row).hex() for row in rows]
    assert merkle["root_hex"] == tree([leaf(row) for row in rows]).hex()
    assert merkle["empty_root_hex"] == sha256(b"").hex()
    first, second, third = (leaf(row).hex() for row in rows)
    both = sha256(b"\x01" + leaf(rows[0]) + leaf(rows[1])).hex()
    assert [proof["path"] for proof in merkle["proofs"]] == [[second, third], [first, third], [both]]


def test_the_list_and_its_manifests_verify_with_the_public_key_alone() -> None:
    for name, payload in VECTORS["lists"].items():
        signed = payload["list" if name == "roll.list.v1" else "manifest"]
        public_key().verify(base64.b64decode(payload["signature"]["value"]), compact(signed))
    station = VECTORS["lists"]["roll.list.v1"]
    province, roll = (VECTORS["lists"][f"roll.{kind}.v1"] for kind in ("province-manifest", "manifest"))
    rows = [leaf(compact(row)) for row in station["entries"] + station["removed"]]
    assert station["list"]["merkle_root"] == tree(rows).hex() == province["lists"][0][2]
    assert province["manifest"]["lists_root"] == tree([leaf(compact(row)) for row in province["lists"]]).hex()
    assert roll["manifest"]["roll_root"] == tree([leaf(compact(row)) for row in roll["provinces"]]).hex()


def test_the_partitions_are_those_of_the_default_partitioner() -> None:
    for case in VECTORS["partitions"]:
        hashed = murmur2(case["key"].encode()) & 0xFFFFFFFF
        assert case["murmur2"] == hashed
        assert case["partition"] == (hashed & 0x7FFFFFFF) % case["partitions"]


def test_the_example_of_a_registration_is_that_of_the_published_interfaces() -> None:
    example = examples()[EventType.REGISTERED]
    assert example["registration_id"] == "010203-2026-0000123"
    assert VECTORS["digest"][0]["voter"] == example["voter"]
