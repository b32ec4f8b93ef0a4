"""What officers look at one after the other: open conflicts to decide on, and others' proposals to approve.

Of the store no more than a page is in memory; of the commands there is the fold, as in every service.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from client.already import is_open, pair_key
from client.status import SIDE, UnknownVersion, commune_of, side
from shared.commands.state import PairKey, State, Verdict
from shared.contracts.commands import CommandType
from shared.contracts.identity import claim_id
from shared.contracts.timestamps import rfc3339
from shared.process.settings import Settings
from shared.reference.officers import Officer
from shared.store.mongo import Mongo

PAGE = 20
"""Conflicts or proposals that are in memory at once."""

ON_PAIRS = (CommandType.DECIDED.value, CommandType.REVERSED.value)
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which are wanted: of a class, with a residence in a province (or district, or commune), found or
    proposed before a time; what is empty chooses nothing."""

    kind: str = ""
    area: str = ""
    before: datetime | None = None

    @classmethod
    def of(cls, kind: str, area: str, older_than_days: float) -> "Filters":
        """As people type them."""
        before = datetime.now(UTC) - timedelta(days=older_than_days) if older_than_days else None
        return cls(kind, area, before)


@dataclass(frozen=True, slots=True)
class Question:
    """A pair of versions with all that is known of it.

    `key` are the two versions; `pair` is as a decision names them, None where the commune of a version is not
    known any more: nobody can decide on it then. `sides` are both registrations as stored, `earlier` the
    commands on the two, on any versions, `proposal` the one that waits for approval, if this is about one.
    """

    key: PairKey
    pair: list[dict[str, str]] | None
    sides: list[dict[str, Any]]
    conflict: Mapping[str, Any] | None
    earlier: Sequence[Verdict]
    proposal: Verdict | None = None

    @property
    def communes(self) -> list[str]:
        """Of both residences, as far as they are known."""
        return [each["commune"] for each in self.pair or ()]


class Desk:
    """An officer's desk. `waiting` counts the conflicts that are passed over: a proposal on them is open."""

    def __init__(self, mongo: Mongo, state: State, officer: Officer, filters: Filters) -> None:
        self._mongo = mongo
        self._state = state
        self._officer = officer
        self._filters = filters
        self.waiting = 0

    async def conflicts(self) -> AsyncIterator[Question]:
        """Open conflicts within the officer's areas, in order of their ids, each once."""
        query: dict[str, Any] = {"status": "open"}
        if self._filters.kind:
            query["class"] = self._filters.kind
        if self._filters.before:
            query["found_at"] = {"$lt": rfc3339(round(self._filters.before.timestamp() * 1000))}
        after = ""
        while True:
            beyond = {**query, "_id": {"$gt": after}}
            found = self._mongo.collection("conflicts").find(beyond).sort("_id", 1).limit(PAGE)
            page = await found.to_list(PAGE)
            if not page:
                return
            after = page[-1]["_id"]
            for question in await questions(
                self._mongo, self._state, [(each["pair"], each, None) for each in page]
            ):
                if any(is_open(each) and pair_key(each.data) == question.key for each in question.earlier):
                    self.waiting += 1
                elif self._is_wanted(question):
                    yield question

    async def proposals(self) -> AsyncIterator[Question]:
        """Open decisions and reversals of others within the officer's areas, the oldest first."""
        page: list[Asked] = []
        for verdict in [*self._open_proposals(), None]:
            if verdict is not None:
                page.append((_pair_of(verdict), None, verdict))
            if page and (verdict is None or len(page) == PAGE):
                for question in await questions(self._mongo, self._state, page):
                    if self._is_wanted(question):
                        yield question
                page = []

    def _open_proposals(self) -> Iterator[Verdict]:
        before = self._filters.before
        for verdict in list(self._state.verdicts.values()):
            others = verdict.proposed_by != self._officer.name
            old = before is None or verdict.timestamp < before.timestamp() * 1000
            if is_open(verdict) and verdict.command_type in ON_PAIRS and others and old:
                yield verdict

    def _is_wanted(self, question: Question) -> bool:
        kind = question.conflict.get("class") if question.conflict else ""
        of_area = any(each.startswith(self._filters.area) for each in question.communes)
        return (
            (not self._filters.kind or kind == self._filters.kind)
            and (not self._filters.area or of_area)
            and (question.pair is None or self._officer.reaches(question.communes))
        )


Asked = tuple[Sequence[Mapping[str, str]], Mapping[str, Any] | None, Verdict | None]
"""A pair, its conflict and a proposal on it, as far as there are any."""


async def questions(mongo: Mongo, state: State, asked: Sequence[Asked]) -> list[Question]:
    """A page of pairs, each with what is stored of it and with the commands on it."""
    ids = {version["registration_id"] for pair, _, _ in asked for version in pair}
    wanted = dict.fromkeys((*SIDE, "history"), 1)
    stored = {each["_id"]: each for each in await mongo.find_by_ids("registrations", sorted(ids), wanted)}
    claims = [_claim(pair) for pair, conflict, _ in asked if conflict is None]
    conflicts = {each["_id"]: each for each in await mongo.find_by_ids("conflicts", claims)}
    earlier: dict[Pair, list[Verdict]] = {_ids(pair): [] for pair, _, _ in asked}
    for verdict in state.verdicts.values():
        if verdict.command_type in ON_PAIRS and verdict.data is not None:
            earlier.get(_ids(_pair_of(verdict)), []).append(verdict)
    return [
        Question(
            key=_key(pair),
            pair=_with_communes(pair, stored),
            sides=[
                side(each["registration_id"], each["digest"], stored.get(each["registration_id"], {}))
                for each in pair
            ],
            conflict=conflict or conflicts.get(_claim(pair)),
            earlier=[each for each in earlier[_ids(pair)] if each is not proposal],
            proposal=proposal,
        )
        for pair, conflict, proposal in asked
    ]


async def read_question(settings: Settings, state: State, proposal: Verdict) -> Question:
    """All that approving a decision or a reversal needs."""
    mongo = Mongo(settings.mongo, "rollstream-approve")
    try:
        [found] = await questions(mongo, state, [(_pair_of(proposal), None, proposal)])
        return found
    finally:
        mongo.close()


def _pair_of(verdict: Verdict) -> Sequence[Mapping[str, str]]:
    pair: Sequence[Mapping[str, str]] = (verdict.data or {}).get("pair") or ()
    return pair


def _ids(pair: Sequence[Mapping[str, str]]) -> Pair:
    one, other = (version["registration_id"] for version in pair)
    return one, other


def _key(pair: Sequence[Mapping[str, str]]) -> PairKey:
    one, other = ((version["registration_id"], version["digest"]) for version in pair)
    return one, other


def _claim(pair: Sequence[Mapping[str, str]]) -> str:
    return claim_id(*_key(pair))


def _with_communes(
    pair: Sequence[Mapping[str, str]], stored: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, str]] | None:
    try:
        return [
            {
                "registration_id": version["registration_id"],
                "digest": version["digest"],
                "commune": commune_of(version, stored.get(version["registration_id"], {})),
            }
            for version in pair
        ]
    except UnknownVersion:
        return None
