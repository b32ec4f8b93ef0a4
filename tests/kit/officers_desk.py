"""The officers' terminal: a commands topic and a store in memory, everybody's keys, and what is sent."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import reviewing
from cli.__main__ import app
from client import commands, review, status
from client.commands import SignedCommand
from shared.contracts.identity import claim_id
from shared.crypto import signing
from shared.process.settings import Settings
from shared.runtime.record import Record
from tests.kit.command_log import REGISTER, CommandLog, key_of, officer
from tests.kit.memory_mongo import MemoryMongo
from tests.kit.registration_kit import registration

OFFICERS = (
    officer("admin", ["administrator"]),
    officer("one", ["administrator", "adjudicator", "publisher"]),
    officer("two", ["approver"]),
    officer("approver", ["approver"]),
    officer("north", ["adjudicator"], areas=["02"]),
    officer("both", ["adjudicator", "approver"]),
)


class DeskStore(MemoryMongo):
    """The store, which nobody closes."""

    def close(self) -> None:
        """Nothing to do."""


@dataclass
class Desk:
    """Two registrations are stored, `a` in commune 010203 and `b` in 020304, without a conflict."""

    folder: Path
    topic: CommandLog = field(default_factory=lambda: CommandLog(OFFICERS).found())
    store: DeskStore = field(default_factory=DeskStore)
    sent: list[SignedCommand] = field(default_factory=list)
    age_ms: int = 0

    def run(self, *words: str, by: str = "one", key: str | None = None, typed: str = "") -> Result:
        for sha256, raw in self.topic.files.items():
            (self.folder / "reference" / sha256).write_bytes(raw)
        signed = ("--officer", by, "--key", str(self.folder / f"{key or by}.pem"))
        return CliRunner().invoke(app, [*words, *signed], input=typed)

    def decide(self, *words: str) -> Result:
        return self.run("decide", *words, "--reason", "met both")

    def approve(self, command_id: str, *words: str, by: str = "two", key: str | None = None) -> Result:
        """As a script does, without being asked."""
        return self.run("approve", command_id, "--yes", *words, by=by, key=key)

    def register(self, name: str, digest: str, commune: str, **changes: Any) -> None:
        """Store a registration in its first revision."""
        captured = registration(**changes)
        residence = {"village": None, "commune": commune, "district": commune[:4], "province": commune[:2]}
        self.store.collection("registrations").documents[name] = {
            "_id": name,
            "digest": digest * 64,
            "revision": 1,
            "status": "active",
            "removal_reason": None,
            "epoch": 1,
            "residence": residence,
            "history": [{"digest": digest * 64, "commune": commune}],
            **{part: captured[part] for part in ("voter", "capture")},
        }

    def conflict(self, one: str, other: str, **members: Any) -> str:
        """Store an open conflict of the newest versions of two registrations; answers its id."""
        stored = self.store.collection("registrations").documents
        pair = [{"registration_id": each, "digest": stored[each]["digest"]} for each in sorted((one, other))]
        keys = [(each["registration_id"], each["digest"]) for each in pair]
        name = claim_id(keys[0], keys[1])
        evidence = [{"field": "birth_date", "level": "same", "weight": 9.5}]
        facts = {"class": "multiple_registration", "probability": 0.98, "evidence": evidence}
        document = {"_id": name, "pair": pair, "status": "open", "found_at": "2026-10-20T01:00:00.000Z"}
        self.store.collection("conflicts").documents[name] = {**document, **facts, **members}
        return name

    async def read(self, _settings: Settings) -> list[Record]:
        """What lies on the topic, the last message `age_ms` ago."""
        told = zip(self.topic.headers, self.topic.messages, strict=True)
        now = round(time.time() * 1000) - self.age_ms
        later = now - self.topic.messages[-1].timestamp if self.topic.messages else 0
        return [
            Record("roll.commands.v1", 0, each.offset, each.timestamp + later, None, each.value, headers)
            for headers, each in told
        ]

    async def send(self, _settings: Settings, messages: Sequence[SignedCommand]) -> list[int]:
        """Take what is sent."""
        self.sent += messages
        for each in messages:
            self.topic.append(each.headers, each.value)
        return [7 for _ in messages]


def make_desk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk at which commands are typed."""
    made = Desk(folder)
    (folder / "reference").mkdir()
    for name in ("one", "two", "approver", "north", "both"):
        signing.write_private_key(folder / f"{name}.pem", key_of(name))
    made.register("a", "1", "010203")
    made.register("b", "2", "020304")
    made.store.collection("registrations").documents["a"]["revision"] = 3
    for module in (status, review, reviewing):
        monkeypatch.setattr(module, "Mongo", lambda *_: made.store)
    monkeypatch.setattr(commands, "read", made.read)
    monkeypatch.setattr(commands, "send", made.send)
    for name, value in (
        ("REGISTER", REGISTER),
        ("FOUNDING_OFFICERS", made.topic.officers_sha),
        ("REFERENCE_DIR", str(folder / "reference")),
        ("KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1"),
        ("MONGO__URI", "mongodb://127.0.0.1:1"),
    ):
        monkeypatch.setenv(f"ROLLSTREAM_{name}", value)
    return made
