"""What a roll would be if it were finalised now: who would be in and out by province, and why, or why not.

Computed by the publisher's own code, and nothing is stored or sent. It reads the whole roll of the epoch, a
district at a time, so it runs in the background, one at a time; its result is kept until the next one.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from services.publisher.compile import Compiler
from services.publisher.editions import Attempt, EditionStore
from services.publisher.finalise import edition_of
from services.publisher.roll import Refusal
from services.publisher.store import RollStore
from shared.commands.state import FinaliseRequest, State
from shared.contracts.commands import Finalised
from shared.contracts.topics import Topic
from shared.process.errors import StopService, TransientError
from shared.process.logging import describe
from shared.reference.files import InvalidReference, MissingReference, ReferenceStore
from shared.store.mongo import Mongo, StoreError
from shared.store.progress import ProgressStore

MOST_NAMED = 100
"""Pairs or stations that a refusal names on the page."""


@dataclass(slots=True)
class Preview:
    """Of one request. `refused` and `named` say why there could be no roll; `failed` that it was not found
    out."""

    data: Finalised
    as_of: int
    done: bool = False
    failed: bool = False
    refused: str | None = None
    names: list[Any] = field(default_factory=list)
    named: int = 0
    provinces: list[tuple[str, int, int, Mapping[str, int]]] = field(default_factory=list)
    """Code, stations, voters who would be in, and how many would be out for each reason."""

    @property
    def entries(self) -> int:
        """Who would be in."""
        return sum(each[2] for each in self.provinces)

    @property
    def excluded(self) -> Counter[str]:
        """Who would be out, by reason."""
        found: Counter[str] = Counter()
        for _, _, _, out in self.provinces:
            found.update(out)
        return found


class Previews:
    """The last preview, and the one that runs."""

    def __init__(self, mongo: Mongo, references: ReferenceStore, partitions: int) -> None:
        self._roll = RollStore(mongo)
        self._editions = EditionStore(mongo)
        self._progress = ProgressStore(mongo, "publisher", Topic.CHECKED.value, _nothing_first)
        self._references = references
        self._partitions = partitions
        self._task: asyncio.Task[None] | None = None
        self.last: Preview | None = None

    async def complete(self) -> list[int]:
        """The newest epoch that ended in each partition of the publisher."""
        return await self._roll.ended_epochs(self._partitions, self._progress)

    def begin(self, state: State, data: Finalised) -> bool:
        """Start one; whether none was running."""
        if self._task is not None and not self._task.done():
            return False
        preview = self.last = Preview(data, state.next_offset)
        self._task = asyncio.create_task(self._run(state, preview))
        return True

    async def _run(self, state: State, preview: Preview) -> None:
        try:
            await self._compute(state, preview)
        except Refusal as refusal:
            preview.refused = refusal.reason
            preview.names, preview.named = refusal.names[:MOST_NAMED], refusal.named
        except (StoreError, TransientError, StopService, MissingReference, InvalidReference) as error:
            preview.failed = True
            structlog.get_logger().warning("preview failed", **describe(error))
        except Exception as error:
            preview.failed = True
            structlog.get_logger().error("preview failed", **describe(error))
        preview.done = True

    async def _compute(self, state: State, preview: Preview) -> None:
        data = preview.data
        if min(await self.complete()) < data.epoch:
            raise Refusal("incomplete")
        before = await self._editions.versions()
        if any(each["epoch"] > data.epoch for each in before):
            raise Refusal("older_epoch")
        request = FinaliseRequest("preview", data, preview.as_of, "", "")
        edition = edition_of(state, request, before)
        stations = self._references.stations(edition.reference["stations"])
        attempt = Attempt(edition, "")
        compiler = Compiler(self._roll, self._editions, attempt, stations, _unsigned)
        compiled = await compiler.compile(state, store=False)
        preview.provinces = [
            (
                code,
                len(compiled.lists.get(code, ())),
                sum(count for _, count, _ in compiled.lists.get(code, ())),
                dict(compiled.excluded.get(code, {})),
            )
            for code in compiled.provinces
        ]


def _unsigned(_head: Mapping[str, Any], /) -> Mapping[str, str]:
    return {}


async def _nothing_first(partitions: Iterable[int]) -> dict[int, str | None]:
    return dict.fromkeys(partitions)
