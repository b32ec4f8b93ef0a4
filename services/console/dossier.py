"""All that officers need who decide on a pair: both registrations, differences, evidence, history, others.

Personal data; `pages` shows them to those who may see them only.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from client.already import pair_key
from client.people import side_by_side
from client.places import Places
from client.status import SIDE, UnknownVersion, commune_of, side
from client.tables import clusters
from services.console.casework import Casework
from services.console.queue import ConflictQueue
from shared.commands.state import PairKey, State, Verdict
from shared.store.mongo import Mongo

MOST_OTHERS = 20
"""Other conflicts of the same people that are listed; a cluster of hundreds has a queue of its own."""


class Word(str):
    """A word of the contract, such as `female`, which pages translate."""

    __slots__ = ()


Marked = list[tuple[str, bool]]
"""A text in pieces, each with whether it differs."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the comparison; `name` is a text's key."""

    name: str
    left: Marked
    right: Marked
    differs: bool


@dataclass(frozen=True, slots=True)
class Dossier:
    """A pair of versions with all that is known of it.

    `pair` is as a decision names it, None where the commune of a version is not known any more: nobody can
    decide on it then. `earlier` are decisions on the two, on any versions; `proposal` the one that waits.
    """

    key: PairKey
    pair: list[dict[str, str]] | None
    communes: list[str]
    conflict: Mapping[str, Any] | None
    sides: Sequence[Mapping[str, Any]]
    facts: Sequence[Fact]
    history: Sequence[Sequence[Mapping[str, Any]]]
    others: Sequence[Mapping[str, Any]]
    earlier: Sequence[Verdict]
    proposal: Verdict | None

    @property
    def ids(self) -> tuple[str, str]:
        """Both registrations."""
        (one, _), (other, _) = self.key
        return one, other

    @property
    def current(self) -> bool:
        """Whether both versions are the newest."""
        return all(each["current"] for each in self.sides)


class Dossiers:
    """Reads them."""

    def __init__(self, mongo: Mongo, queue: ConflictQueue, casework: Casework) -> None:
        self._mongo = mongo
        self._queue = queue
        self._casework = casework

    async def read(
        self,
        state: State,
        places: Places,
        pair: Sequence[Mapping[str, str]],
        conflict: Mapping[str, Any] | None,
    ) -> Dossier:
        """The dossier of two versions."""
        key = pair_key({"pair": list(pair)})
        if key is None:
            raise ValueError("no pair")
        ids = [version["registration_id"] for version in pair]
        wanted = dict.fromkeys((*SIDE, "history"), 1)
        stored = {each["_id"]: each for each in await self._mongo.find_by_ids("registrations", ids, wanted)}
        sides = [side(each["registration_id"], each["digest"], stored.get(each["registration_id"], {}))
                 for each in pair]  # fmt: skip
        communes = _communes(pair, stored)
        named = [
            {"registration_id": version["registration_id"], "digest": version["digest"], "commune": commune}
            for version, commune in zip(pair, communes, strict=True)
            if commune is not None
        ]
        others = await self._queue.of_registrations(ids, MOST_OTHERS + 1)
        own = conflict["_id"] if conflict else None
        return Dossier(
            key=key,
            pair=named if len(named) == len(pair) else None,
            communes=[each for each in communes if each is not None],
            conflict=conflict,
            sides=sides,
            facts=[*facts(sides, places)],
            history=[stored.get(each, {}).get("history", []) for each in ids],
            others=[each for each in others if each["_id"] != own][:MOST_OTHERS],
            earlier=self._casework.on(state, (ids[0], ids[1])),
            proposal=self._casework.waiting_on(state, key),
        )


def _communes(pair: Sequence[Mapping[str, str]], stored: Mapping[str, Mapping[str, Any]]) -> list[str | None]:
    found: list[str | None] = []
    for version in pair:
        try:
            found.append(commune_of(version, stored.get(version["registration_id"], {})))
        except UnknownVersion:
            found.append(None)
    return found


_NOT_COMPARED = ("registration", "first accepted", "captured", "batch", "revision")
"""What differs between any two, and says nothing."""
_PLACES = ("province", "district", "commune", "village", "office")


def facts(sides: Sequence[Mapping[str, Any]], places: Places) -> Iterator[Fact]:
    """Both, fact by fact, with what differs marked."""
    for row in side_by_side(sides[0], sides[1], places):
        name = f"fact.{row.name.replace(' ', '_')}"
        differs = row.differs and row.name not in _NOT_COMPARED
        left, right = _pieces(row.name, row.left), _pieces(row.name, row.right)
        if not differs:
            yield Fact(name, [(each, False) for each in left], [(each, False) for each in right], False)
        elif row.name in ("family name", "given name", "phone", "device", "operator", "station"):
            yield Fact(name, *marked(row.left, row.right), True)
        elif len(left) == len(right) and row.name not in _PLACES:
            yield Fact(name, *_by_piece(left, right), True)
        else:
            yield Fact(name, [(each, True) for each in left], [(each, True) for each in right], True)


def _pieces(name: str, text: str) -> list[str]:
    """A fact in the parts that are compared: a date's year, month and day, a document's kind and number."""
    match name:
        case "date of birth":
            return [part for part in re.split("(-)", text) if part]
        case "document" if " " in text:
            kind, number = text.split(" ", 1)
            return [Word(kind), " ", number]
        case "sex" | "status" if text:
            word, _, reason = text.partition(" (")
            return [Word(word), *([" · ", Word(reason[:-1])] if reason else [])]
        case _:
            return [text]


def _by_piece(left: Sequence[str], right: Sequence[str]) -> tuple[Marked, Marked]:
    pairs = [(one, other, one != other) for one, other in zip(left, right, strict=True)]
    ones: Marked = []
    others: Marked = []
    for one, other, differs in pairs:
        # Of numbers that are nearly alike the digits are marked.
        if differs and one.isdigit() and len(one) > 4:
            mine, theirs = marked(one, other)
        else:
            mine, theirs = [(one, differs)], [(other, differs)]
        ones += mine
        others += theirs
    return ones, others


def marked(one: str, other: str) -> tuple[Marked, Marked]:
    """Both texts in pieces: what they share, and what they do not. A Khmer letter is never cut apart."""
    ones, others = list(clusters(one)), list(clusters(other))
    left: Marked = []
    right: Marked = []
    matcher = difflib.SequenceMatcher(None, ones, others, autojunk=False)
    for tag, from_one, to_one, from_other, to_other in matcher.get_opcodes():
        differs = tag != "equal"
        for pieces, text in (
            (left, "".join(ones[from_one:to_one])),
            (right, "".join(others[from_other:to_other])),
        ):
            if text:
                pieces.append((text, differs))
    return left, right
