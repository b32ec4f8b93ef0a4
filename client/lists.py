"""What a downstream consumer does: follows lists and manifests, and takes a version when it is whole.

A version appears all at once as the folder `<out>/<roll>/<version>` with `roll.json`, `provinces/<code>.json`
and `lists/<station>.json`; `<out>/<roll>/CURRENT` names the newest. Until then its parts lie under
`<out>/.incoming`, each verified before it is written; `progress.json` there says how far it has read, and for
which register and keys: what was refused without a key is read again when that key is given.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import TopicPartition
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from client.verify import Document, NoDocument, edition_faults, faults_of, read_document
from shared.contracts.topics import Topic
from shared.crypto import signing
from shared.process.settings import Settings
from shared.runtime.clients import connection_options, reader_options
from shared.runtime.record import Record
from shared.runtime.tolerant import TolerantConsumer

_Edition = tuple[str, int]


class CannotFollow(Exception):
    """The folder belongs to other topics; the text says what to do."""


@dataclass(slots=True)
class Followed:
    """What came of the records so far: versions written, records refused (neither list nor manifest, or not
    signed by a given key, or of another register)."""

    versions: list[_Edition] = field(default_factory=list)
    refused: int = 0


class Follower:
    """`on_version` is told roll, version and folder; `on_refused` the topic, partition, offset and why."""

    def __init__(
        self,
        settings: Settings,
        out: Path,
        keys: Sequence[Ed25519PublicKey],
        on_version: Callable[[str, int, Path], None] = lambda _roll, _version, _path: None,
        on_refused: Callable[[str, str], None] = lambda _where, _why: None,
    ) -> None:
        self._settings = settings
        self._out = out
        self._incoming = out / ".incoming"
        self._keys = keys
        self._on_version = on_version
        self._on_refused = on_refused
        self._parts: dict[_Edition, dict[Path, Document]] = {}
        self.followed = Followed()

    async def follow(self, *, once: bool = False) -> Followed:
        """Follow until cancelled, or with `once` to the end that the topics have now.

        Raises CannotFollow, and aiokafka's KafkaError if no broker answers.
        """
        self._load()
        consumer = TolerantConsumer(
            **connection_options(self._settings.kafka, "rollstream-lists"),
            **reader_options(self._settings),
            group_id=None,
            enable_auto_commit=False,
        )
        try:
            await consumer.start()
            ends = await self._seek(consumer)
            while not once or any([await consumer.position(each) < end for each, end in ends.items()]):
                records = await consumer.poll(timeout_ms=500, max_records=200)
                self.take(records)
                if records:
                    self._store_progress({each: await consumer.position(each) for each in ends})
        finally:
            await consumer.stop()
        return self.followed

    def take(self, records: Sequence[Record]) -> None:
        """Verify and keep records; write the versions that they complete."""
        touched = set()
        for record in records:
            try:
                document = self._verified(record)
            except NoDocument as error:
                self.followed.refused += 1
                self._on_refused(f"{record.topic}/{record.partition}/{record.offset}", str(error))
                continue
            edition = (document.head["roll"], document.head["version"])
            if not self._final(edition).exists():
                self._keep(edition, document, record.value or b"")
                touched.add(edition)
        for edition in sorted(touched):
            self._publish_if_whole(edition)

    def _verified(self, record: Record) -> Document:
        document = read_document(record.value or b"")
        faults = faults_of(document, self._keys)
        if faults:
            raise NoDocument(faults[0])
        if document.head["register"] != self._settings.register:
            raise NoDocument("of another register")
        # What was signed names no folder above ours; a name of dots would be one.
        if any(set(str(document.head.get(name, "x"))) <= {"."} for name in ("roll", "station", "province")):
            raise NoDocument("a name that cannot be a file's")
        return document

    def _keep(self, edition: _Edition, document: Document, raw: bytes) -> None:
        path = _place(document)
        file = self._incoming / edition[0] / str(edition[1]) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        _write(file, raw)
        self._parts.setdefault(edition, {})[path] = _slim(document)

    def _publish_if_whole(self, edition: _Edition) -> None:
        parts = self._parts[edition]
        roll = parts.get(Path("roll.json"))
        if roll is None or len(parts) < 1 + len(roll.content["provinces"]) + roll.head["stations"]:
            return
        faults = edition_faults(parts.values())
        if faults:
            self._on_refused("/".join(map(str, edition)), faults[0][1])
            return
        final = self._final(edition)
        final.parent.mkdir(parents=True, exist_ok=True)
        (self._incoming / edition[0] / str(edition[1])).rename(final)
        del self._parts[edition]
        _point_to_newest(final.parent)
        self.followed.versions.append(edition)
        self._on_version(*edition, final)

    def _final(self, edition: _Edition) -> Path:
        return self._out / edition[0] / str(edition[1])

    # Resuming

    def _load(self) -> None:
        """Read what an earlier run left unfinished."""
        self._parts.clear()
        for file in self._incoming.glob("*/*/**/*.json"):
            document = read_document(file.read_bytes(), str(file))
            edition = (document.head["roll"], document.head["version"])
            self._parts.setdefault(edition, {})[_place(document)] = _slim(document)
        for edition in list(self._parts):
            self._publish_if_whole(edition)
        for roll in {version.parent for version in self._out.glob("[!.]*/*/")}:
            _point_to_newest(roll)

    async def _seek(self, consumer: TolerantConsumer) -> dict[TopicPartition, int]:
        """Go on where the last run stopped, or begin again where it refused too much; answers the ends."""
        topics = {Topic.LISTS.value: self._settings.kafka.partitions, Topic.MANIFESTS.value: 1}
        missing = set(topics) - set(await consumer.topics())
        if missing:
            raise CannotFollow(
                f"the broker has no topic {' and no '.join(sorted(missing))}: "
                "check ROLLSTREAM_KAFKA__BOOTSTRAP_SERVERS, or run `rollstream topics` first"
            )
        partitions = [
            TopicPartition(topic, each) for topic, number in topics.items() for each in range(number)
        ]
        consumer.assign(partitions)
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        stored, takes_more = self._progress()
        for partition in partitions:
            start = stored.get(f"{partition.topic}/{partition.partition}", 0)
            if start > ends[partition]:
                raise CannotFollow(f"{self._out} was filled from other topics: take an empty folder")
            consumer.seek(partition, 0 if takes_more else start)
        return ends

    def _progress(self) -> tuple[dict[str, int], bool]:
        """How far the last run read, and whether this one takes what that one refused."""
        try:
            found = json.loads((self._incoming / "progress.json").read_bytes())
        except FileNotFoundError:
            return {}, True
        more_keys = not self._key_ids() <= set(found.get("keys", ()))
        return found.get("offsets", {}), more_keys or found.get("register") != self._settings.register

    def _store_progress(self, positions: dict[TopicPartition, int]) -> None:
        self._incoming.mkdir(parents=True, exist_ok=True)
        progress = {
            "register": self._settings.register,
            "keys": sorted(self._key_ids()),
            "offsets": {f"{each.topic}/{each.partition}": offset for each, offset in positions.items()},
        }
        _write(self._incoming / "progress.json", json.dumps(progress).encode())

    def _key_ids(self) -> set[str]:
        return {signing.key_id(key) for key in self._keys}


def current_versions(out: Path) -> Iterator[tuple[str, int]]:
    """Every roll in the folder with its newest whole version."""
    for pointer in sorted(out.glob("*/CURRENT")):
        yield pointer.parent.name, int(pointer.read_text())


def _point_to_newest(roll: Path) -> None:
    newest = max(int(each.name) for each in roll.iterdir() if each.name.isdecimal())
    _write(roll / "CURRENT", f"{newest}\n".encode())


def _place(document: Document) -> Path:
    if document.kind == "list":
        return Path("lists", f"{document.head['station']}.json")
    if document.kind == "province":
        return Path("provinces", f"{document.head['province']}.json")
    return Path("roll.json")


def _slim(document: Document) -> Document:
    """The document without its entries, which were verified and need not stay in memory."""
    if document.kind != "list":
        return document
    return Document("list", {"list": document.head, "entries": []}, document.path)


def _write(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_bytes(content)
    unfinished.replace(path)
