"""What a downstream consumer does: follows lists and manifests, and takes a version when it is whole.

A version appears all at once as the folder `<out>/<roll>/<version>` with `roll.json`, `provinces/<code>.json`
and `lists/<station>.json`; `<out>/<roll>/CURRENT` names the newest. Until then its parts lie under
`<out>/.incoming/<roll>/<version>/<n>`, each verified before it is written; n counts the records under a key.
`progress.json` says how far it has read, and for which register and keys: what was refused without a key is
read again when that key is given.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import TopicPartition

from client.keys import ListKey
from client.parts import Parts
from client.verify import Document, NoDocument, faults_of, read_document
from shared.contracts.topics import Topic
from shared.process.settings import Settings
from shared.runtime.clients import connection_options, reader_options
from shared.runtime.record import Record
from shared.runtime.tolerant import TolerantConsumer

_Edition = tuple[str, int]

_WHOLE = "whole"
"""The folder in which a version is put together."""


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
        keys: Sequence[ListKey],
        on_version: Callable[[str, int, Path], None] = lambda _roll, _version, _path: None,
        on_refused: Callable[[str, str], None] = lambda _where, _why: None,
    ) -> None:
        self._settings = settings
        self._out = out
        self._incoming = out / ".incoming"
        self._keys = keys
        self._on_version = on_version
        self._on_refused = on_refused
        self._parts: dict[_Edition, Parts] = {}
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
            if self._keep(edition, document, record.value or b""):
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
        if record.key != document.key.encode():
            raise NoDocument("not what its key names")
        # What was signed names no folder above ours; a name of dots would be one.
        if any(set(str(document.head.get(name, "x"))) <= {"."} for name in ("roll", "station", "province")):
            raise NoDocument("a name that cannot be a file's")
        return document

    def _keep(self, edition: _Edition, document: Document, raw: bytes) -> bool:
        """Keep a record, if it says anything new of a version that is not whole yet."""
        parts = self._parts.setdefault(edition, Parts())
        if self._final(edition).exists() or parts.knows(document):
            return False
        number = str(parts.count(document) + 1)
        file = self._incoming / edition[0] / str(edition[1]) / number / _place(document)
        file.parent.mkdir(parents=True, exist_ok=True)
        _write(file, raw)
        parts.add(_slim(document, file))
        return True

    def _publish_if_whole(self, edition: _Edition) -> None:
        parts = self._parts[edition]
        documents = parts.whole()
        if documents is None:
            return
        if faults := parts.faults():
            self._on_refused("/".join(map(str, edition)), faults[0][1])
            return
        incoming, final = self._incoming / edition[0] / str(edition[1]), self._final(edition)
        whole = incoming / _WHOLE
        for document in documents:
            place = whole / _place(document)
            place.parent.mkdir(parents=True, exist_ok=True)
            Path(document.path).rename(place)
        final.parent.mkdir(parents=True, exist_ok=True)
        whole.rename(final)
        shutil.rmtree(incoming)
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
        # What a run was about to publish comes first: it was chosen.
        files = sorted(self._incoming.glob("*/*/*/**/*.json"), key=_number)
        for file in files:
            document = read_document(file.read_bytes(), str(file))
            edition = (document.head["roll"], document.head["version"])
            if self._final(edition).exists():
                file.unlink()  # the run ended before it tidied up
            else:
                self._parts.setdefault(edition, Parts()).add(_slim(document, file))
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
        if takes_more:  # what comes first under a key may be another now
            shutil.rmtree(self._incoming, ignore_errors=True)
            self._parts.clear()
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
        return {key.id for key in self._keys}


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


def _slim(document: Document, file: Path) -> Document:
    """The document without its entries, which were verified and need not stay in memory."""
    content = document.content
    if document.kind == "list":
        content = {"list": document.head, "entries": [], "signature": content["signature"]}
    return Document(document.kind, content, str(file))


def _number(file: Path) -> int:
    """Which of the records under its key a file below `.incoming/<roll>/<version>/<n>` was."""
    name = file.parent.name if file.name == "roll.json" else file.parent.parent.name
    return 0 if name == _WHOLE else int(name)


def _write(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_bytes(content)
    unfinished.replace(path)
