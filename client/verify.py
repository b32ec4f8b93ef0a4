"""Offline verification of lists, manifests and proofs: nothing but the files and public keys."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from client.bounded import TooLarge, read_bounded
from client.keys import ListKey, signature_fault
from client.proof import NoProof, Proof, inclusion_proof, proof_faults, read_proof
from shared.contracts import strict_json
from shared.contracts.fields import field_errors
from shared.contracts.identity import canonical
from shared.contracts.lists import ProvinceManifest, RollManifest, StationList
from shared.crypto import merkle

Kind = Literal["list", "province", "roll"]
EditionName = tuple[str, str, int]
"""Register, roll, version."""

_MODELS: Mapping[Kind, type[BaseModel]] = {
    "list": StationList,
    "province": ProvinceManifest,
    "roll": RollManifest,
}


class NoDocument(ValueError):
    """The bytes are no list or manifest; the text says why."""


@dataclass(frozen=True, slots=True)
class Document:
    """A list or a manifest; `content` is its JSON, `path` where it came from."""

    kind: Kind
    content: Mapping[str, Any]
    path: str = ""

    @property
    def head(self) -> Mapping[str, Any]:
        """The signed part."""
        found: Mapping[str, Any] = self.content["list" if self.kind == "list" else "manifest"]
        return found

    @property
    def edition(self) -> EditionName:
        """Which version of which roll it belongs to."""
        return self.head["register"], self.head["roll"], self.head["version"]

    @property
    def name(self) -> str:
        """The station or province that it is about; empty for a roll manifest."""
        return str(self.head.get("station") or self.head.get("province") or "")

    @property
    def key(self) -> str:
        """The key under which it lies on its topic."""
        return "/".join(filter(None, (self.head["roll"], self.name, str(self.head["version"]))))

    @property
    def row(self) -> list[Any]:
        """What the manifest above it says of it."""
        names = (
            ("station", "count", "merkle_root")
            if self.kind == "list"
            else ("province", "stations", "entries", "lists_root")
        )
        return [self.head[each] for each in names]


@dataclass(slots=True)
class Report:
    """What was looked at, and what is wrong: (path, fault).

    `whole` are the versions found complete with nothing wrong in them; of those in `parts` the roll manifest
    was not among what was looked at, so that nobody can say whether they are. `proofs` were made for the
    voter who was asked about; `proven` were among what was looked at, and verify.
    """

    lists: int = 0
    manifests: int = 0
    entries: int = 0
    faults: list[tuple[str, str]] = field(default_factory=list)
    whole: list[EditionName] = field(default_factory=list)
    parts: list[EditionName] = field(default_factory=list)
    proofs: list[tuple[str, Proof]] = field(default_factory=list)
    proven: list[tuple[str, Proof]] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether there was something and nothing is wrong with it."""
        return bool(self.lists or self.manifests or self.proven) and not self.faults


def read_document(raw: bytes, path: str = "") -> Document:
    """Tell by its members what a message or file is. Raises NoDocument."""
    try:
        content = strict_json.loads(raw)
    except strict_json.RefusedJSON as refused:
        raise NoDocument(f"no JSON that can be read: {refused.code}") from None
    members = set(content) if isinstance(content, dict) else set()
    kind: Kind = "list" if "list" in members else "province" if "lists" in members else "roll"
    try:
        _MODELS[kind].model_validate(content)
    except ValidationError as error:
        first = field_errors(error)[0]
        raise NoDocument(f"no list or manifest: {first['path']}: {first['rule']}") from None
    return Document(kind, content, path)


def faults_of(document: Document, keys: Sequence[ListKey]) -> list[str]:
    """What is wrong with one document by itself; empty if it verifies with one of the keys."""
    fault = signature_fault(document.head, document.content["signature"], keys)
    faults = [] if fault is None else [fault]
    return faults + (_list_faults(document) if document.kind == "list" else _manifest_faults(document))


def agrees(document: Document, row: Sequence[Any], roll: Document) -> bool:
    """Whether a list or a province's manifest is what the manifest above it names, of that roll manifest."""
    return document.row == list(row) and _of_one_version(document, roll)


def edition_faults(documents: Iterable[Document]) -> list[tuple[str, str]]:
    """What does not fit together in the documents of one version with its roll manifest: (path, fault)."""
    by_kind: dict[Kind, dict[str, Document]] = {"list": {}, "province": {}, "roll": {}}
    faults: list[tuple[str, str]] = []
    for document in documents:
        other = by_kind[document.kind].setdefault(document.name, document)
        if other.head != document.head:  # what another key signed too is the same
            faults.append((document.path, f"differs from {other.path}"))
    roll = by_kind["roll"].get("")
    if roll is None:
        return [*faults, ("", "there is no roll manifest: the version is not published")]
    faults += _compare_rows(
        roll,
        by_kind["province"],
        {row[0]: row for row in roll.content["provinces"]},
    )
    rows: dict[str, Any] = {}
    for province, each in by_kind["province"].items():
        for row in each.content["lists"]:
            if row[0] in rows:
                faults.append((each.path, f"{row[0]} is named in another province's manifest too"))
            rows[row[0]] = row
            made = by_kind["list"].get(row[0])
            if made is not None and made.head["commune"][:2] != province:
                faults.append((each.path, f"{row[0]} lies in another province"))
    faults += _compare_rows(roll, by_kind["list"], rows)
    excluded: dict[str, int] = {}
    for each in by_kind["province"].values():
        for reason, number in each.head["excluded"].items():
            excluded[reason] = excluded.get(reason, 0) + number
    if not faults and excluded != roll.head["excluded"]:
        faults.append((roll.path, "excluded is not the provinces' sum"))
    return faults + _on_two_lists(by_kind["list"].values())


def verify_paths(paths: Iterable[Path], keys: Sequence[ListKey], voter: str | None = None) -> Report:
    """Verify files, and all JSON files of folders; documents of one version also against each other.

    With `voter`, a registration id, also prove that it is on its list.
    """
    report = Report()
    editions: dict[EditionName, list[Document]] = {}
    broken: set[EditionName] = set()
    for path in _files(paths):
        try:
            raw = read_bounded(path)
            if (found := read_proof(raw)) is not None:
                wrong = [(str(path), fault) for fault in proof_faults(found, keys)]
                report.faults += wrong
                report.proven += [] if wrong else [(str(path), found)]
                continue
            document = read_document(raw, str(path))
        except (NoDocument, NoProof, TooLarge) as error:
            report.faults.append((str(path), str(error)))
            continue
        faults = faults_of(document, keys)
        report.faults += [(str(path), fault) for fault in faults]
        editions.setdefault(document.edition, []).append(document)
        if faults:
            broken.add(document.edition)
        if document.kind != "list":
            report.manifests += 1
            continue
        report.lists += 1
        report.entries += document.head["count"]
        # A proof from a list that does not verify would prove nothing.
        proof = inclusion_proof(document.content, voter) if voter and not faults else None
        if proof is not None:
            report.proofs.append((str(path), proof))
    for name, documents in sorted(editions.items()):
        if not any(document.kind == "roll" for document in documents):
            report.parts.append(name)
            continue
        misfits = edition_faults(documents)
        report.faults += misfits
        if not misfits and name not in broken:
            report.whole.append(name)
    return report


def _list_faults(document: Document) -> list[str]:
    head, entries, removed = document.head, document.content["entries"], document.content["removed"]
    faults = []
    if (head["count"], head["removed_count"]) != (len(entries), len(removed)):
        faults.append("count or removed_count is not the number of rows")
    if merkle.root(canonical(row) for row in (*entries, *removed)).hex() != head["merkle_root"]:
        faults.append("merkle_root is not that of the rows")
    if [entry["serial"] for entry in entries] != list(range(1, len(entries) + 1)):
        faults.append("serial numbers do not count from 1")
    ids = [row["registration_id"] for row in (*entries, *removed)]
    if len(set(ids)) != len(ids):
        faults.append("a registration is on the list twice")
    return faults


def _manifest_faults(document: Document) -> list[str]:
    head = document.head
    name, root = ("lists", "lists_root") if document.kind == "province" else ("provinces", "roll_root")
    rows = document.content[name]
    faults = []
    if merkle.root(canonical(list(row)) for row in rows).hex() != head[root]:
        faults.append(f"{root} is not that of the rows")
    if [row[0] for row in rows] != sorted({row[0] for row in rows}):
        faults.append("the rows are not in order, each once")
    if document.kind == "province":
        stations, entries = len(rows), sum(row[1] for row in rows)
    else:
        stations, entries = sum(row[1] for row in rows), sum(row[2] for row in rows)
    if (stations, entries) != (head["stations"], head["entries"]):
        faults.append("stations or entries are not the rows' sum")
    return faults


_COMMON = ("register", "roll", "kind", "version", "epoch", "command_offset", "election")


def _compare_rows(
    roll: Document, documents: Mapping[str, Document], rows: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Whether there is exactly one document a row, and says the same."""
    faults = []
    for name in sorted({*documents, *rows}):
        document = documents.get(name)
        if document is None:
            faults.append((roll.path, f"{name} is named in a manifest but is not there"))
        elif name not in rows:
            faults.append((document.path, f"{name} is named in no manifest"))
        elif document.row != list(rows[name]):
            faults.append((document.path, f"{name} is not what its manifest says"))
        elif not _of_one_version(document, roll):
            faults.append((document.path, f"{name} is of another version than the roll manifest"))
    return faults


def _of_one_version(document: Document, roll: Document) -> bool:
    return all(document.head[each] == roll.head[each] for each in _COMMON)


def newest_proof(report: Report) -> Proof | None:
    """The proof of the newest version that a voter is on, for the voter to keep.

    None where the proofs are of several rolls, or there is none.
    """
    proofs = [proof for _, proof in report.proofs]
    if len({(proof.head["register"], proof.head["roll"]) for proof in proofs}) != 1:
        return None
    return max(proofs, key=lambda proof: int(proof.head["version"]))


def _on_two_lists(documents: Iterable[Document]) -> list[tuple[str, str]]:
    first: dict[str, str] = {}
    faults = []
    for document in documents:
        for entry in document.content["entries"]:
            station = first.setdefault(entry["registration_id"], document.head["station"])
            if station != document.head["station"]:
                faults.append((document.path, f"a registration stands at {station} too"))
    return faults


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for file in sorted(path.rglob("*.json")):
            # Hidden folders hold what a follower has not yet got whole.
            if not any(part.startswith(".") for part in file.relative_to(path).parts):
                yield file
