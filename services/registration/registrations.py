"""A registration while a batch is folded into it: what is stored of it, and what the batch adds. Pure."""

from collections.abc import Mapping
from typing import Any, Self

from services.registration.domain import Accepted
from services.registration.history import Version
from shared.process.errors import StopService


class Registration:
    """The history of one registration in order of offset, and its current state.

    `stored_offset` is the offset of the last version that the store holds, None where it holds none: the
    guard of the next write.
    """

    __slots__ = ("_facts", "changed", "id", "stored_offset", "versions")

    def __init__(self, registration_id: str) -> None:
        self.id = registration_id
        self.versions: list[Version] = []
        self.stored_offset: int | None = None
        self.changed = False
        self._facts: dict[str, Any] = {}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """As it was stored."""
        registration = cls(document["_id"])
        registration.versions = [Version.of(each) for each in document["history"]]
        registration.stored_offset = document["last_offset"]
        registration._facts = {
            name: value
            for name, value in document.items()
            if name not in ("_id", "partition", "last_offset", "history")
        }
        return registration

    def take(self, accepted: Accepted) -> None:
        """Add an accepted version; one that is there already changes nothing.

        Raises StopService if later versions are there and this one is not: then the store is no projection
        of this log.
        """
        version = accepted.version
        if self.versions and self.versions[-1].offset >= version.offset:
            if any(each.offset == version.offset for each in self.versions):
                return
            raise StopService(
                f"a registration lacks its version {version.partition}/{version.offset} and has later ones: "
                "the store does not belong to this log; drop the database, it is built anew",
                cause="foreign_store",
            )
        self.versions.append(version)
        self._facts = self._after(accepted)
        self.changed = True

    def _after(self, accepted: Accepted) -> dict[str, Any]:
        record = accepted.record
        facts = {
            **self._facts,
            **{name: record[name] for name in _FACTS},
            "removal_reason": record.get("removal_reason"),
        }
        if accepted.voter is not None:
            # What a removed one was stays readable, for those who decide on a pair.
            facts["voter"] = accepted.voter
            facts["residence"] = {"village_code": accepted.village_code, **record["residence"]}
            facts["polling_station"] = record["polling_station"]
        return facts

    def document(self) -> dict[str, Any]:
        """The whole document: a write that replaces all of it never leaves half of a history."""
        last = self.versions[-1]
        return {
            "_id": self.id,
            **self._facts,
            "partition": last.partition,
            "last_offset": last.offset,
            "history": [version.document() for version in self.versions],
        }


_FACTS = ("revision", "status", "digest", "epoch", "capture", "first_accepted_at")
