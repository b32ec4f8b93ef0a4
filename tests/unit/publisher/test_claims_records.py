"""Claims reach the store from checked records and from the records that follow them, bounded and joined."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import pytest

from services.publisher.editions import EditionStore
from services.publisher.finalise import Finaliser
from services.publisher.handler import PublisherHandler
from services.publisher.store import CLAIMS, EPOCHS, ROLL, RollStore
from shared.commands.feed import CommandFeed
from shared.commands.marker_reader import MarkerReader
from shared.commands.markers import passed_marker
from shared.commands.skips import Skips
from shared.contracts.events import Marker
from shared.contracts.identity import claim_id
from shared.contracts.outputs import MOST_CLAIMS
from shared.contracts.topics import Topic
from shared.process.budget import Budget
from shared.process.errors import StopService
from shared.process.metrics import Metrics
from shared.runtime.record import Output, Record
from shared.store.progress import ProgressStore
from tests.kit.checked_records import checked_output, claims_output, digest_of
from tests.kit.command_log import CommandLog
from tests.kit.memory_mongo import MemoryMongo

LOG = CommandLog().found().adopt_all()
LOG.cut_off(1)

BUDGET = Budget()


class Desk:
    """The publisher's handler over a store in memory, with all that it writes, in order."""

    def __init__(self) -> None:
        self.mongo = MemoryMongo()
        self.written: list[tuple[str, int]] = []
        mongo = self.mongo.as_mongo()
        write = mongo.write

        async def noted(collection: str, writes: Any) -> Any:
            self.written.append((collection, len(writes)))
            return await write(collection, writes)

        mongo.write = noted  # type: ignore[method-assign]
        progress = ProgressStore(mongo, "publisher", Topic.CHECKED.value, _first_records)
        finaliser = cast(Finaliser, _Nobody())
        self.handler = PublisherHandler(
            RollStore(mongo),
            EditionStore(mongo),
            finaliser,
            cast(MarkerReader, _EveryMarker()),
            Skips(cast(CommandFeed, _NoCommands())),
            progress,
            Metrics("publisher"),
            BUDGET,
        )

    async def read(self, *outputs: Output) -> None:
        await self.handler.assigned({0: None})
        await self.handler.handle(
            [
                Record(each.topic, each.partition, offset, 0, each.key, each.value, each.headers)
                for offset, each in enumerate(outputs)
            ]
        )

    def claims(self) -> dict[str, int]:
        return {each["_id"]: each["epoch"] for each in self.mongo.dump().get(CLAIMS, [])}


class _NoCommands:
    """Nobody said anything."""

    state = CommandLog().empty()

    async def wait_for_end(self, _timeout: float) -> None:
        """Nothing comes."""


class _EveryMarker:
    async def valid(self, records: Sequence[Record]) -> list[Marker | None]:
        return [Marker.model_validate_json(record.value or b"") for record in records]


class _Nobody:
    def wake(self) -> None: ...

    def hold(self, _mine: bool) -> None: ...


async def _first_records(partitions: Iterable[int]) -> dict[int, str | None]:
    return dict.fromkeys(partitions, "first")


def named(one: str, other: str) -> str:
    return claim_id((one, digest_of(one + "first")), (other, digest_of(other + "first")))


async def test_claims_that_follow_count_like_those_of_the_checked_record() -> None:
    desk = Desk()
    await desk.read(
        checked_output("a", 0, 1, claims=(("b", "first"),)),
        claims_output("a", 0, ["c", "d"]),
    )
    assert desk.claims() == {named("a", other): 1 for other in "bcd"}
    assert [each["_id"] for each in desk.mongo.dump()[ROLL]] == ["a"]


async def test_claims_only_add_up_whichever_record_comes_again_or_late() -> None:
    desk = Desk()
    newer = checked_output("a", 5, 1, data="second")
    late = claims_output("a", 0, ["b"])
    await desk.read(newer, late, late, claims_output("a", 0, ["b", "c"]))
    assert desk.claims() == {named("a", other): 1 for other in "bc"}
    (registration,) = desk.mongo.dump()[ROLL]
    assert registration["slots"][-1]["last"]["digest"] == digest_of("asecond")


async def test_a_flood_of_claims_is_written_in_pieces_all_before_the_end_of_the_epoch() -> None:
    desk = Desk()
    others = [f"r-{number:05}" for number in range(12 * MOST_CLAIMS)]
    records = [
        claims_output("a", 0, others[start : start + MOST_CLAIMS])
        for start in range(0, len(others), MOST_CLAIMS)
    ]
    await desk.read(*records, passed_marker(LOG.marker(1, 0), Topic.CHECKED))
    assert len(desk.claims()) == len(others)
    sizes = [size for collection, size in desk.written if collection == CLAIMS]
    assert max(sizes) < BUDGET.claims + MOST_CLAIMS
    order = [collection for collection, _ in desk.written if collection in (CLAIMS, EPOCHS)]
    assert order == [CLAIMS] * len(sizes) + [EPOCHS]


async def test_the_roll_of_a_batch_is_read_and_written_in_slices_all_before_the_end_of_the_epoch() -> None:
    desk = Desk()
    most = BUDGET.registrations
    records = [checked_output(f"r-{number:05}", number, 1) for number in range(2 * most + 1)]
    await desk.read(*records, passed_marker(LOG.marker(1, 0), Topic.CHECKED))
    assert len(desk.mongo.dump()[ROLL]) == len(records)
    order = [(name, size) for name, size in desk.written if size and name in (ROLL, EPOCHS)]
    assert order == [(ROLL, most), (ROLL, most), (ROLL, 1), (EPOCHS, 1)]


async def test_more_claims_than_a_record_may_carry_are_no_record_of_ours() -> None:
    with pytest.raises(StopService):
        await Desk().read(claims_output("a", 0, [f"r-{number}" for number in range(MOST_CLAIMS + 1)]))
