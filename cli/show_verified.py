"""How `rollstream verify` tells what it found."""

from collections.abc import Iterator
from typing import Any

from client.keys import UNKNOWN_SIGNER
from client.output import to_json
from client.proof import Proof
from client.verify import Report


def value_of(report: Report) -> dict[str, Any]:
    """For scripts."""
    return {
        "lists": report.lists,
        "manifests": report.manifests,
        "entries": report.entries,
        "faults": [{"path": path, "fault": fault} for path, fault in report.faults],
        "whole": [list(edition) for edition in report.whole],
        "parts": [list(edition) for edition in report.parts],
        "proofs": [proof.document() for _, proof in report.proofs],
        "proven": [{"path": path, **_who(proof)} for path, proof in report.proven],
    }


def lines_of(report: Report, voter: str) -> Iterator[str]:
    """For people: a key that is missing is told once, not for each file."""
    unknown = [path for path, fault in report.faults if fault == UNKNOWN_SIGNER]
    if len(unknown) > 1:
        yield (
            f"wrong: {unknown[0]} and {len(unknown) - 1} others: {UNKNOWN_SIGNER}. Name the key that signed "
            "them by another --key, if you trust it"
        )
    for path, fault in report.faults:
        if fault != UNKNOWN_SIGNER or len(unknown) == 1:
            yield f"wrong: {path}: {fault}"
    for register, roll, version in report.whole:
        yield f"{register}: roll {roll}, version {version} is whole"
    for register, roll, version in report.parts:
        yield f"{register}: roll {roll}, version {version}: without its roll manifest it may lack lists"
    for path, proof in report.proofs:
        yield f"{voter} is on the list of station {proof.station} ({path}):\n{to_json(proof.document())}"
    for path, proof in report.proven:
        who = _who(proof)
        yield (
            f"{path} verifies: {who['registration_id']} is number {who['serial']} on the list of station "
            f"{proof.station}: {who['register']}, roll {who['roll']}, version {who['version']}, {who['kind']}"
        )
    if voter and not report.proofs:
        yield f"{voter} is on none of these lists."
    if not report.lists and not report.manifests and not report.proven:
        yield "Name lists, manifests, or a folder that `rollstream lists` wrote."
    if report.lists or report.manifests:
        yield f"{report.lists} lists, {report.entries} entries, {report.manifests} manifests looked at."


def _who(proof: Proof) -> dict[str, Any]:
    head = {name: proof.head[name] for name in ("register", "roll", "version", "kind", "station")}
    return {**head, "registration_id": proof.row["registration_id"], "serial": proof.row["serial"]}
