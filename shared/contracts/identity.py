"""How things are named by their content: canonical bytes, digests, claim ids, signed bytes, the audit chain.

Canonical JSON is RFC 8785 throughout, hashes are SHA-256 in lower-case hex.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import rfc8785

from shared.contracts.plain_json import is_plain, plain_canonical

CHAIN_START = bytes(32)
"""h₀ of the audit chain over the commands topic."""

VersionId = tuple[str, str]
"""A registration's id and the digest of one of its versions."""


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value.

    Raises rfc8785.CanonicalizationError, which is a ValueError, for integers beyond ±(2⁵³ − 1) and others
    that have no canonical form.
    """
    return plain_canonical(value) if is_plain(value) else rfc8785.dumps(value)


def sha256_hex(data: bytes) -> str:
    """SHA-256 in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def without_nulls(value: Any) -> Any:
    """The same JSON value with null members left out at every depth."""
    if isinstance(value, Mapping):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]  # elements keep their places, null or not
    return value


def digest(voter: Mapping[str, Any], residence: Mapping[str, Any]) -> str:
    """What a version says of the person, as captured: no new model or mended normaliser moves it."""
    return sha256_hex(canonical(without_nulls({"residence": residence, "voter": voter})))


def data_hash(ce_type: str, data: Any) -> str | None:
    """SHA-256 of an event's type and data by value: by it a resend is known, in both CloudEvents modes.

    None for data without a canonical form; such data never equals an accepted one.
    """
    try:
        return sha256_hex(ce_type.encode() + b"\0" + canonical(data))
    except ValueError:
        return None


def event_signing_bytes(register: str, ce_type: str, ce_source: str, ce_id: str, data: Any) -> bytes:
    """What a device signs of an event, the same in both CloudEvents modes.

    Raises ValueError for data without a canonical form.
    """
    return _terminated(register, ce_type, ce_source, ce_id) + canonical(data)


def arrival_hash(register: str, ce_type: str, ce_id: str, data: Any) -> str | None:
    """What a receipt's `content` says of one capture that arrived; None for data without a canonical form."""
    try:
        return sha256_hex(_terminated(register, ce_type, ce_id) + canonical(data))
    except ValueError:
        return None


def batch_content(arrivals: Iterable[tuple[int, str]]) -> str:
    """A receipt's `content`: of the distinct pairs of sequence and `arrival_hash` that arrived, in order."""
    return sha256_hex(canonical([list(each) for each in sorted(set(arrivals))]))


def ordered_pair(one: VersionId, other: VersionId) -> tuple[VersionId, VersionId]:
    """The two versions, that of the smaller registration id first."""
    return (one, other) if one <= other else (other, one)


def claim_id(one: VersionId, other: VersionId) -> str:
    """The name of a claim; both finders of a pair write the same one."""
    return sha256_hex(canonical([list(version) for version in ordered_pair(one, other)]))


def command_signing_bytes(register: str, ce_type: str, ce_id: str, value: bytes) -> bytes:
    """What an officer signs: nothing signed for one register counts in another.

    Type and id may hold surrogate escapes: what others put into a header is signed as its bytes.
    """
    return _terminated(register, ce_type, ce_id) + value


def chain(head: bytes, timestamp: int, *fields: bytes) -> bytes:
    """The next head of the audit chain after one message of `roll.commands.v1`, as it lay there.

    `timestamp` is the broker's, in milliseconds; `fields` are `ce_type`, `ce_id`, officer, signature and
    value, a missing one empty. Each follows its length, so that no two messages share their bytes.
    """
    message = timestamp.to_bytes(8, "big", signed=True) + b"".join(
        len(each).to_bytes(4, "big") + each for each in fields
    )
    return hashlib.sha256(head + hashlib.sha256(message).digest()).digest()


def _terminated(*texts: str) -> bytes:
    return b"".join(text.encode("utf-8", "surrogateescape") + b"\0" for text in texts)
