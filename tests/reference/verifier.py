"""An independent verifier of a list: whoever has the contract can write it in an hour.

It uses Python's own library, cryptography and rfc8785, and nothing of Rollstream.
"""

import base64
import hashlib
import json
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_public_key


class NotVerified(Exception):
    """The list is not what its signer signed."""


def tree_hash(rows: list[bytes]) -> bytes:
    """RFC 6962, section 2.1."""
    if not rows:
        return hashlib.sha256(b"").digest()
    if len(rows) == 1:
        return hashlib.sha256(b"\x00" + rows[0]).digest()
    k = 1
    while 2 * k < len(rows):
        k *= 2
    return hashlib.sha256(b"\x01" + tree_hash(rows[:k]) + tree_hash(rows[k:])).digest()


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON with two members of one name means two things."""
    if len(dict(pairs)) != len(pairs):
        raise NotVerified("a member twice")
    return dict(pairs)


def no_fractions(_: str) -> float:
    """1.0 hashes like 1, and no number of a list is written so."""
    raise NotVerified("a fraction")


def check_signature(head: Any, signature: dict[str, str], public_key_pem: bytes) -> None:
    """Ed25519 over RFC 8785 of the head."""
    key: Any = load_pem_public_key(public_key_pem)
    key_id = hashlib.sha256(key.public_bytes_raw()).digest()[:16].hex()
    if signature != {"algorithm": "Ed25519", "key_id": key_id, "value": signature.get("value")}:
        raise NotVerified("another key or algorithm")
    raw = base64.b64decode(signature["value"], validate=True)
    if base64.b64encode(raw).decode() != signature["value"]:
        raise NotVerified("the signature is written in another way")
    try:
        key.verify(raw, rfc8785.dumps(head))
    except InvalidSignature:
        raise NotVerified("signature") from None


def verify_list(message: bytes, public_key_pem: bytes) -> dict[str, Any]:
    """The list, if it verifies. Raises NotVerified, ValueError or LookupError."""
    content: dict[str, Any] = json.loads(message, object_pairs_hook=no_duplicates, parse_float=no_fractions)
    if set(content) != {"list", "entries", "removed", "signature"}:
        raise NotVerified("members")
    head, entries, removed = content["list"], content["entries"], content["removed"]
    check_signature(head, content["signature"], public_key_pem)
    if (len(entries), len(removed)) != (head["count"], head["removed_count"]):
        raise NotVerified("count")
    if tree_hash([rfc8785.dumps(row) for row in entries + removed]).hex() != head["merkle_root"]:
        raise NotVerified("merkle_root")
    return content
