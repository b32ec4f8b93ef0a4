"""The records of a version until it is whole: of several under one key the first that verifies counts."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from client.verify import Document, agrees, edition_faults


@dataclass(slots=True)
class Parts:
    """What was read of a version: records that verify by themselves, in the order in which they lay.

    Anyone may append records later, also signed ones: what counts is the first that its manifest names.
    """

    roll: Document | None = None
    provinces: dict[str, list[Document]] = field(default_factory=dict)
    lists: dict[str, list[Document]] = field(default_factory=dict)

    def knows(self, document: Document) -> bool:
        """Whether the same record, or a roll manifest before it, was read already."""
        if document.kind == "roll":
            return self.roll is not None
        return any(_is_same(document, each) for each in self._under_key(document))

    def add(self, document: Document) -> None:
        """Take a record that is not known."""
        if document.kind == "roll":
            self.roll = document
        else:
            self._under_key(document).append(document)

    def count(self, document: Document) -> int:
        """How many records under its key were taken."""
        return int(self.roll is not None) if document.kind == "roll" else len(self._under_key(document))

    def whole(self) -> list[Document] | None:
        """The documents of the version; None while one that a manifest names is missing."""
        if self.roll is None:
            return None
        chosen = [self.roll]
        for row in self.roll.content["provinces"]:
            province = self._first(self.provinces.get(row[0], ()), row)
            if province is None:
                return None
            chosen.append(province)
            for of_list in province.content["lists"]:
                found = self._first(self.lists.get(of_list[0], ()), of_list)
                if found is None:
                    return None
                chosen.append(found)
        return chosen

    def faults(self) -> list[tuple[str, str]]:
        """What is wrong with the version although each manifest's documents are there."""
        return edition_faults(self.whole() or ())

    def _first(self, documents: Iterable[Document], row: list[object]) -> Document | None:
        roll = self.roll
        return next((each for each in documents if roll is not None and agrees(each, row, roll)), None)

    def _under_key(self, document: Document) -> list[Document]:
        by_name = self.lists if document.kind == "list" else self.provinces
        return by_name.setdefault(document.name, [])


def _is_same(one: Document, other: Document) -> bool:
    return one.head == other.head and one.content["signature"] == other.content["signature"]
