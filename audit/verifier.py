"""An independent verifier of lists and manifests: whoever has the contract can write it in an hour.

It uses Python's own library, cryptography and rfc8785, and nothing of Rollstream.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

Records = Mapping[str, Sequence[bytes]]
"""Message key to every record under it, in the order of the topic."""

COMMON = ("register", "roll", "kind", "version", "epoch", "command_offset", "election")
"""What the manifests and lists of one version have in common."""


class NotVerified(Exception):
    """The list or manifest is not what its signer signed, or not what its manifest says."""


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


def content_of(message: bytes, members: set[str], public_key_pem: bytes) -> dict[str, Any]:
    """A message with these members, if its head (the first of them by name) is signed."""
    content = json.loads(message, object_pairs_hook=no_duplicates, parse_float=no_fractions)
    if not isinstance(content, dict) or set(content) != members | {"signature"}:
        raise NotVerified("members")
    head = content["list" if "list" in members else "manifest"]
    check_signature(head, content["signature"], public_key_pem)
    return content


def check_root(rows: list[Any], root: str) -> None:
    """RFC 6962 over the canonical rows."""
    if tree_hash([rfc8785.dumps(row) for row in rows]).hex() != root:
        raise NotVerified("root")


def verify_list(message: bytes, public_key_pem: bytes) -> dict[str, Any]:
    """The list, if it verifies by itself. Raises NotVerified, ValueError or LookupError."""
    content = content_of(message, {"list", "entries", "removed"}, public_key_pem)
    head, entries, removed = content["list"], content["entries"], content["removed"]
    if (len(entries), len(removed)) != (head["count"], head["removed_count"]):
        raise NotVerified("count")
    check_root(entries + removed, head["merkle_root"])
    return content


def verify_roll_manifest(message: bytes, public_key_pem: bytes, key: str) -> dict[str, Any]:
    """The manifest of a roll that lay under `key`. Raises NotVerified, ValueError or LookupError."""
    content = content_of(message, {"manifest", "provinces"}, public_key_pem)
    head, rows = content["manifest"], content["provinces"]
    if key != f"{head['roll']}/{head['version']}":
        raise NotVerified("another key of the message")
    check_root(rows, head["roll_root"])
    if (head["stations"], head["entries"]) != (sum(row[1] for row in rows), sum(row[2] for row in rows)):
        raise NotVerified("sums")
    return content


def verify_province_manifest(message: bytes, public_key_pem: bytes, roll: Any, row: list[Any]) -> Any:
    """The manifest of a province, as the row of the roll's manifest has it. Raises as the others."""
    content = content_of(message, {"manifest", "lists"}, public_key_pem)
    head, rows = content["manifest"], content["lists"]
    check_root(rows, head["lists_root"])
    if [head["province"], len(rows), sum(each[1] for each in rows), head["lists_root"]] != row:
        raise NotVerified("not that of the roll")
    if (head["stations"], head["entries"]) != (row[1], row[2]) or common(head) != common(roll):
        raise NotVerified("not of this version")
    return content


def verify_listed(message: bytes, public_key_pem: bytes, province: Any, row: list[Any]) -> Any:
    """A list, as the row of its province's manifest has it. Raises as the others."""
    content = verify_list(message, public_key_pem)
    head = content["list"]
    if [head["station"], head["count"], head["merkle_root"]] != row or common(head) != common(province):
        raise NotVerified("not that of the province")
    return content


def common(head: dict[str, Any]) -> list[Any]:
    """What ties a list or manifest to its version."""
    return [head[name] for name in COMMON]


def first(
    records: Sequence[bytes], keys: Sequence[bytes], verify: Callable[..., Any], *context: Any
) -> tuple[bytes, Any] | None:
    """The first record under a key that verifies against one of the public keys, with its content."""
    for message in records:
        for key in keys:
            try:
                return message, verify(message, key, *context)
            except (NotVerified, ValueError, LookupError, TypeError):
                continue
    return None


def published(manifests: Records, lists: Records, keys: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """Every list and manifest that counts, by message key; `keys` are public keys in PEM.

    A roll without its manifest is not published; what its manifests name and nobody has is left out.
    """
    for key, records in manifests.items():
        found = first(records, keys, verify_roll_manifest, key)
        if found is not None:
            yield key, found[0]
            roll = found[1]["manifest"]
            for row in found[1]["provinces"]:
                yield from _province(row, roll, manifests, lists, keys)


def _province(
    row: list[Any], roll: Any, manifests: Records, lists: Records, keys: Sequence[bytes]
) -> Iterator[tuple[str, bytes]]:
    """A province's manifest with the lists that it names."""
    key = f"{roll['roll']}/{row[0]}/{roll['version']}"
    found = first(manifests.get(key, ()), keys, verify_province_manifest, roll, row)
    if found is None:
        return
    yield key, found[0]
    province = found[1]["manifest"]
    for of_station in found[1]["lists"]:
        its_key = f"{roll['roll']}/{of_station[0]}/{roll['version']}"
        listed = first(lists.get(its_key, ()), keys, verify_listed, province, of_station)
        if listed is not None:
            yield its_key, listed[0]
