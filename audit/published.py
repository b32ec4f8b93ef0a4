"""Lists and manifests as they lie on their topics: signed by whom, equal to the fold, fair to everyone."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit import files
from audit.differences import first_difference
from audit.log import LogRecord
from audit.look import Look, place
from audit.report import Check
from audit.roll import Published, Rolls
from audit.source import Source as Reader
from audit.verifier import NotVerified, check_signature, no_duplicates, no_fractions
from shared.contracts.identity import canonical
from shared.contracts.topics import Topic

CAPACITY = 750

Edition = tuple[str, int]
"""A roll and its version."""


@dataclass(slots=True)
class Seen:
    """What counts of the topics: keys of lists and manifests that verify, and where everyone stands."""

    keys: set[str] = field(default_factory=set)
    seats: dict[Edition, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """A list or manifest that verifies; `head` is what is signed, `signer` the raw public key."""

    content: Mapping[str, Any]
    head: Mapping[str, Any]
    signer: bytes

    @property
    def edition(self) -> Edition:
        """Which version of which roll."""
        return str(self.head.get("roll")), int(self.head.get("version", 0))

    @property
    def key(self) -> str:
        """The message key under which it belongs."""
        name = self.head.get("station") or self.head.get("province")
        roll, version = self.edition
        return f"{roll}/{name}/{version}" if name else f"{roll}/{version}"


async def check_published(look: Look, reader: Reader, rolls: Rolls, in_store: frozenset[str]) -> None:
    """`roll.lists.v1` and `roll.manifests.v1`; `in_store` are the versions that the store calls published."""
    keys = _adopted_keys(look)
    editions = {
        (roll, version.number): version for roll, versions in rolls.versions.items() for version in versions
    }
    seen = Seen()
    of_topic: tuple[tuple[Topic, Check, Mapping[str, bytes]], ...] = (
        (Topic.LISTS, "lists", rolls.lists),
        (Topic.MANIFESTS, "manifests", rolls.manifests),
    )
    for topic, check, expected in of_topic:
        async for record in reader.records(topic, look.spans[topic]):
            document = _verified(record, keys)
            where = place(topic, record)
            if document is None:
                _unverified(look, topic, record, expected)
                continue
            look.report.look("signatures")
            _compare(look, check, where, record, document, expected)
            edition = editions.get(document.edition)
            if edition is not None and document.signer not in edition.signers:
                look.report.break_("signatures", where, "signed by a key that was not in force for it")
            _two_officers(look, where, document)
            if topic == Topic.LISTS:
                _fair(look, where, document, edition, seen)
            elif "audit_head" in document.head:
                _chain(look, where, document)
            seen.keys.add((record.key or b"").decode("utf-8", "replace"))
    _all_there(look, rolls, seen, in_store)


def _adopted_keys(look: Look) -> Mapping[str, tuple[bytes, bytes]]:
    """Every signing key that was ever adopted, by its id: raw and in PEM."""
    found = {}
    for sha256 in look.history.adopted("signing_key"):
        key = files.signing_key(look.history.files[sha256])
        found[files.key_id(key)] = key.public_bytes_raw(), _pem(key)
    return found


def _pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _verified(record: LogRecord, keys: Mapping[str, tuple[bytes, bytes]]) -> Document | None:
    """The list or manifest, if it is one and an adopted key signed it."""
    try:
        content = json.loads(record.value or b"", object_pairs_hook=no_duplicates, parse_float=no_fractions)
        head = content["list" if "list" in content else "manifest"]
        raw, pem = keys[content["signature"]["key_id"]]
        check_signature(head, content["signature"], pem)
        document = Document(content, head, raw)
        document.edition  # noqa: B018  # a head without them is none
    except (NotVerified, ValueError, LookupError, TypeError, RecursionError, AttributeError):
        return None
    return document


def _unverified(look: Look, topic: Topic, record: LogRecord, expected: Mapping[str, bytes]) -> None:
    """Readers pass it over. Under a key that counts somebody meant it to be taken for a list."""
    key = (record.key or b"").decode("utf-8", "replace")
    if key in expected:
        what = f"{key}: no adopted key signed it as it is"
        look.report.break_("signatures", place(topic, record), what)
    else:
        look.foreign(topic, record, "no list or manifest that an adopted key signed")


def _compare(
    look: Look,
    check: Check,
    where: str,
    record: LogRecord,
    document: Document,
    expected: Mapping[str, bytes],
) -> None:
    look.report.look(check)
    key = (record.key or b"").decode("utf-8", "replace")
    wanted = expected.get(document.key)
    if wanted is None:
        look.report.break_(check, where, f"{document.key}: published, and should not be")
        return
    if key != document.key:
        look.report.break_(check, where, f"{document.key}: under another key")
        return
    unsigned = canonical({name: value for name, value in document.content.items() if name != "signature"})
    if unsigned != wanted:
        look.report.break_(check, where, f"{key}: differs at {first_difference(wanted, unsigned)}")
    elif record.value != canonical(document.content):
        look.report.break_(check, where, f"{key}: it is not written as RFC 8785 says")


def _two_officers(look: Look, where: str, document: Document) -> None:
    """Who proposed what took effect where the head says, and who approved it: two people."""
    look.report.look("two_officers")
    head = document.head
    requests = [each for each in look.history.finalise_requests if each.offset == head.get("command_offset")]
    if not requests or requests[0].data.roll != head.get("roll"):
        what = f"{document.key}: no approved finalised lies at the command offset that it names"
        look.report.break_("two_officers", where, what)
        return
    proposer, approver = requests[0].proposer, requests[0].approver
    if proposer.name == approver.name or proposer.key == approver.key or "approver" not in approver.roles:
        look.report.break_("two_officers", where, f"{document.key}: one officer proposed and approved it")


def _chain(look: Look, where: str, document: Document) -> None:
    look.report.look("chain")
    offset = document.head.get("command_offset")
    head = look.history.heads.get(offset) if type(offset) is int else None
    if head is None or document.head.get("audit_head") != head.hex():
        what = f"{document.key}: audit_head is not that of the commands up to {offset}"
        look.report.break_("chain", where, what)


def _fair(look: Look, where: str, document: Document, edition: Published | None, seen: Seen) -> None:
    """Nobody twice, and no more than there is room for."""
    entries = document.content.get("entries")
    if not isinstance(entries, list):
        return
    look.report.look("capacity")
    look.report.look("one_list", len(entries))
    if len(entries) > CAPACITY:
        look.report.break_("capacity", where, f"{document.key}: {len(entries)} entries")
    seats = seen.seats.setdefault(document.edition, {})
    here: set[str] = set()
    for registration_id in _ids(entries):
        person = edition.persons.get(registration_id, registration_id) if edition else registration_id
        if person in here:
            look.report.break_("one_list", where, f"registration {registration_id} is on it twice")
        elif seats.setdefault(person, document.key) != document.key:
            other = seats[person]
            look.report.break_("one_list", where, f"registration {registration_id} stands on {other} too")
        here.add(person)


def _ids(entries: Iterable[Any]) -> Iterator[str]:
    return (str(each.get("registration_id")) for each in entries if isinstance(each, dict))


def _all_there(look: Look, rolls: Rolls, seen: Seen, in_store: frozenset[str]) -> None:
    """Of a published version every list and manifest is there; the last versions may yet be published."""
    names = [
        (version.request.offset, f"{roll}/{version.number}", roll, version)
        for roll, versions in rolls.versions.items()
        for version in versions
    ]
    later_published = False
    for _, name, roll, version in sorted(names, key=lambda each: each[0], reverse=True):
        published = name in seen.keys or name in in_store or later_published
        later_published = published
        if name not in seen.keys:
            what = "its roll manifest is not on the topic"
            look.report.miss("manifests", f"version {name}", what, due=published)
        if not published:
            continue
        for key in rolls.lists:
            if _is_of(key, roll, version) and key not in seen.keys:
                look.report.break_("lists", f"version {name}", f"{key} is not on the topic")
        for key in rolls.manifests:
            if _is_of(key, roll, version) and key != name and key not in seen.keys:
                look.report.break_("manifests", f"version {name}", f"{key} is not on the topic")


def _is_of(key: str, roll: str, version: Published) -> bool:
    """Whether a message key is one of a version."""
    return key.startswith(f"{roll}/") and key.endswith(f"/{version.number}")
