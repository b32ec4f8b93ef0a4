"""The proof that one row is on a signed list: RFC 6962 inclusion with the signed head, verifiable alone.

A voter keeps the proof; whoever has the register's public key can verify it without the list and without us.
That the list's version was published, only its roll manifest tells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, ValidationError

from client.keys import ListKey, signature_fault
from shared.contracts import strict_json
from shared.contracts.fields import Sha256, Strict, field_errors
from shared.contracts.identity import canonical
from shared.contracts.lists import Entry, ListHead, Number, Signature
from shared.crypto import merkle


class ProofFile(Strict):
    """That one row is on a signed list: an inclusion proof of RFC 6962 with the list's signed head."""

    row: Entry
    index: Number
    """Of the row among the list's entries and then its removed rows, from 0: one less than its serial."""
    size: Number
    """Of the tree: the head's `count` and `removed_count` together."""
    path: Annotated[list[Sha256], Field(max_length=64)]
    """Hashes beside the way from the leaf up to the root, in hex."""
    root: Sha256
    """The head's `merkle_root`."""
    list: ListHead
    signature: Signature


class NoProof(ValueError):
    """The bytes are no inclusion proof; the text says why."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A row (an entry of a list, as published), its place among the list's rows, the hashes that lead to the
    root (hex, from the leaf up), and the list's signed head with its signature."""

    row: Mapping[str, Any]
    index: int
    size: int
    path: tuple[str, ...]
    root: str
    head: Mapping[str, Any]
    signature: Mapping[str, Any]

    @property
    def station(self) -> str:
        """Where the voter is on the list."""
        return str(self.head["station"])

    def document(self) -> dict[str, Any]:
        """As it is handed to a voter."""
        return {
            "row": self.row,
            "index": self.index,
            "size": self.size,
            "path": list(self.path),
            "root": self.root,
            "list": self.head,
            "signature": self.signature,
        }


def inclusion_proof(content: Mapping[str, Any], registration_id: str) -> Proof | None:
    """The proof that a registration is among a list's entries; None if it is not.

    `content` is the list's JSON: `list`, `entries`, `removed`, `signature`.
    """
    head, entries = content["list"], content["entries"]
    for index, entry in enumerate(entries):
        if entry["registration_id"] == registration_id:
            rows = [canonical(row) for row in (*entries, *content["removed"])]
            path = tuple(step.hex() for step in merkle.inclusion_path(rows, index))
            return Proof(entry, index, len(rows), path, head["merkle_root"], head, content["signature"])
    return None


def read_proof(raw: bytes) -> Proof | None:
    """The proof in a file; None if the file is something else. Raises NoProof for one that is damaged."""
    if b'"row"' not in raw:  # the one member that no list and no manifest has
        return None
    try:
        content = strict_json.loads(raw)
    except strict_json.RefusedJSON as refused:
        raise NoProof(f"no JSON that can be read: {refused.code}") from None
    if not isinstance(content, dict) or "row" not in content:
        return None
    try:
        ProofFile.model_validate(content)
    except ValidationError as error:
        first = field_errors(error)[0]
        raise NoProof(f"no inclusion proof: {first['path']}: {first['rule']}") from None
    path = tuple(content["path"])
    place = (content["index"], content["size"], path, content["root"])
    return Proof(content["row"], *place, content["list"], content["signature"])


def proof_faults(proof: Proof, keys: Sequence[ListKey]) -> list[str]:
    """What is wrong with a proof; empty if it verifies with one of the keys."""
    head = proof.head
    fault = signature_fault(head, proof.signature, keys)
    faults = [] if fault is None else [fault]
    if (proof.root, proof.size) != (head["merkle_root"], head["count"] + head["removed_count"]):
        faults.append("root or size is not what the list's head says")
    steps = [bytes.fromhex(step) for step in proof.path]
    if not merkle.includes(canonical(proof.row), proof.index, proof.size, steps, bytes.fromhex(proof.root)):
        faults.append("the path does not lead from the row to the root")
    if proof.index >= head["count"] or proof.row["serial"] != proof.index + 1:
        faults.append("the row is not an entry at its place")
    return faults
