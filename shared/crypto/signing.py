"""Ed25519 keys and signatures (RFC 8032): of lists, manifests and commands.

Private keys are files in PEM (PKCS 8) that only their owner can read; a key that others could have read is
refused, since what it signs proves nothing.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.contracts.identity import canonical

ALGORITHM = "Ed25519"
SIGNATURE_BYTES = 64
KEY_FILE_BYTES = 16 * 1024
PUBLISHED_KEYS = frozenset(
    {
        "7e2f08744a5b88710fd43eff6293cca5",
        "21fe31dfa154a261626bf854046fd227",
        "39f713d0a644253f04529421b9f51b9b",
        "dac073e0123bdea59dd9b3bda9cf6037",
    }
)
"""Ids of keys whose private half is published: that of our test vectors, and those of RFC 8032."""


class UnusableKey(ValueError):
    """A key file that cannot be used; the text says why and holds nothing of the key."""


def generate_key() -> Ed25519PrivateKey:
    """A new private key."""
    return Ed25519PrivateKey.generate()


def write_private_key(path: Path, key: Ed25519PrivateKey) -> None:
    """Write the key for its owner only. Raises FileExistsError: an old key is never overwritten."""
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key. Raises UnusableKey; FileNotFoundError where there is none."""
    with path.open("rb") as file:
        # Of the file that is read, not of what may lie there a moment later.
        mode = os.fstat(file.fileno()).st_mode
        pem = file.read(KEY_FILE_BYTES + 1)
    if b"-----BEGIN PUBLIC KEY-----" in pem:
        raise UnusableKey(
            f"{path}: this is a public key, which everybody may have; the private one is asked for"
        )
    if mode & 0o077:
        raise UnusableKey(
            f"{path}: others than its owner can read it, so what it signs proves nothing. If nobody did, "
            "chmod 600 it; else make a new key and have it adopted"
        )
    if len(pem) > KEY_FILE_BYTES:
        raise UnusableKey(f"{path}: no key, it has more than {KEY_FILE_BYTES} bytes")
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UnusableKey(f"{path}: no unencrypted private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UnusableKey(f"{path}: not an Ed25519 key")
    if key_id(key.public_key()) in PUBLISHED_KEYS:
        raise UnusableKey(f"{path}: this private key is published, everybody has it. Make a new one")
    return key


def public_pem(key: Ed25519PublicKey) -> bytes:
    """The public key in PEM, as it is adopted and given away."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def load_public_pem(pem: bytes) -> Ed25519PublicKey:
    """Read a public key. Raises UnusableKey."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise UnusableKey("no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise UnusableKey("not an Ed25519 key")
    return key


def raw_public(key: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes_raw()


RAW_PUBLIC = r"^[A-Za-z0-9+/]{43}=$"
"""What `decode_raw_public` takes, for schemas."""


def decode_raw_public(text: str) -> bytes:
    """The 32 bytes of a public key behind base64 text. Raises UnusableKey with `base64` or `length`."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UnusableKey("base64") from None
    if len(raw) != 32:
        raise UnusableKey("length")
    return raw


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 bytes of SHA-256 of the raw public key, in hex."""
    return raw_key_id(raw_public(key))


def raw_key_id(raw_key: bytes) -> str:
    """The same of a key's 32 bytes."""
    return hashlib.sha256(raw_key).digest()[:16].hex()


def verify(raw_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether `signature` (64 bytes) over `message` was made with the key whose public half is `raw_key`."""
    try:
        Ed25519PublicKey.from_public_bytes(raw_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def encode_signature(signature: bytes) -> str:
    """Base64 with padding."""
    return base64.b64encode(signature).decode()


def decode_signature(text: bytes) -> bytes | None:
    """The 64 bytes behind base64 text; None for any other text than the one that encodes them.

    Base64 leaves four bits of its last character unused: without this check a changed byte could still pass.
    """
    try:
        signature = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(signature) != SIGNATURE_BYTES or base64.b64encode(signature) != text:
        return None
    return signature


def sign_json(key: Ed25519PrivateKey, value: Any) -> dict[str, str]:
    """The `signature` member over the RFC 8785 bytes of a JSON value."""
    return {
        "algorithm": ALGORITHM,
        "key_id": key_id(key.public_key()),
        "value": encode_signature(key.sign(canonical(value))),
    }


def verify_json(key: Ed25519PublicKey, value: Any, signature: Mapping[str, Any]) -> bool:
    """Whether the `signature` member is this key's over `value`."""
    text = signature.get("value")
    if signature.get("algorithm") != ALGORITHM or signature.get("key_id") != key_id(key):
        return False
    if not isinstance(text, str) or set(signature) != {"algorithm", "key_id", "value"}:
        return False
    decoded = decode_signature(text.encode("utf-8", "surrogatepass"))
    return decoded is not None and verify(raw_public(key), decoded, canonical(value))
