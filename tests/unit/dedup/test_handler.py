"""A batch of accepted records: what is stored, what is sent and when; repeating it changes nothing."""

from typing import Any

import pytest

from services.dedup.store import CONFLICTS
from shared.commands.state import State
from shared.contracts.commands import CommandType
from shared.contracts.topics import Topic
from shared.process.errors import StopService, StoreRolledBack, TransientError
from shared.runtime.record import Record, fingerprint
from tests.kit.accepted import accepted, voter
from tests.kit.command_log import CommandLog
from tests.kit.dedup_worker import Topics, Worker, claims_of, marker_of
from tests.kit.memory_mongo import MemoryMongo


@pytest.fixture
def topics() -> Topics:
    """The same person twice, in two partitions."""
    made = Topics()
    made.put(accepted("A-1", voter(1), partition=0, offset=0))
    made.put(accepted("B-1", voter(1), partition=1, offset=0, device="D-2"))
    return made


@pytest.mark.parametrize("at", [0, 1])
async def test_whichever_half_of_a_pair_is_scored_it_names_the_other(topics: Topics, at: int) -> None:
    mongo = MemoryMongo()
    worker = Worker(topics, mongo)
    await worker.handler.assigned({0: None, 1: None})
    await worker.handler.handle([topics.records[at]])
    assert claims_of(topics.sent[0]) == [["B-1"], ["A-1"]][at]
    assert topics.sent[0].partition == at
    [conflict] = mongo.dump()[CONFLICTS]
    assert conflict["status"] == "open"


async def test_both_halves_store_one_conflict_in_the_same_words(topics: Topics) -> None:
    stored = []
    for record in topics.records:
        mongo = MemoryMongo()
        worker = Worker(topics, mongo)
        await worker.handler.assigned({0: None, 1: None})
        await worker.handler.handle([record])
        stored.append(mongo.dump()[CONFLICTS])
    assert stored[0] == stored[1]


async def test_a_marker_is_passed_on_as_it_came_and_only_after_all_before_it_in_its_partition(
    topics: Topics,
) -> None:
    passed = topics.put(marker_of(1, 0))
    topics.put(accepted("C-1", voter(9), partition=0, offset=5))
    worker = Worker(topics, MemoryMongo())
    await worker.handler.assigned({0: None, 1: None})
    await worker.handler.handle([each for each in topics.records if each.partition == 0])
    assert [[each.key for each in outputs] for outputs in topics.rounds] == [
        [b"A-1"],
        [b"!marker/1"],
        [b"C-1"],
    ]
    [output] = topics.rounds[1]
    assert (output.value, output.headers, output.partition) == (passed.value, passed.headers, 0)


@pytest.mark.parametrize(
    "void", [{"name": "stranger"}, {"audit_head": "0" * 64}, {"as_of": 10**9}], ids=["name", "head", "as_of"]
)
async def test_a_marker_that_does_not_count_is_counted_and_not_passed_on(
    topics: Topics, void: dict[str, Any]
) -> None:
    topics.put(marker_of(1, 0, **void))
    worker = Worker(topics, MemoryMongo())
    await worker.handler.assigned({0: None, 1: None})
    await worker.handler.handle([each for each in topics.records if each.partition == 0])
    assert [each.key for each in topics.sent] == [b"A-1"]
    records = worker.handler._metrics.records
    assert records.labels(outcome="void_marker")._value.get() == 1


async def test_what_lies_below_the_committed_offset_is_not_sent_again_but_its_conflicts_are_stored(
    topics: Topics,
) -> None:
    mongo = MemoryMongo()
    worker = Worker(topics, mongo)
    assert await worker.handler.assigned({0: 1, 1: None}) == {0: 0, 1: 0}
    await worker.handler.handle([topics.records[0]])
    assert topics.sent == []
    assert len(mongo.dump()[CONFLICTS]) == 1
    await worker.handler.handle([topics.records[1]])
    assert [each.key for each in topics.sent] == [b"B-1"]


@pytest.mark.parametrize("what", ["feed", "outputs"])
async def test_progress_waits_for_the_index_and_for_every_acknowledgement(topics: Topics, what: str) -> None:
    worker = Worker(topics, MemoryMongo())
    await worker.handler.assigned({0: None, 1: None})
    worker.feed.behind, topics.broken = what == "feed", what == "outputs"
    with pytest.raises(TransientError):
        await worker.handler.handle(topics.records)
    assert await worker.positions() == {0: 0, 1: 0}
    worker.feed.behind = topics.broken = False
    await worker.handler.handle(topics.records)
    assert await worker.positions() == {0: 1, 1: 1}


async def test_nothing_is_stored_or_sent_once_the_store_was_dropped_under_the_process(topics: Topics) -> None:
    mongo = MemoryMongo()
    worker = Worker(topics, mongo)
    await worker.handler.assigned({0: None, 1: None})
    await worker.handler.handle(topics.records[:1])
    mongo.collections.clear()
    sent = list(topics.sent)
    topics.put(accepted("C-1", voter(1), partition=0, offset=1, device="D-3"))
    with pytest.raises(StoreRolledBack):
        await worker.handler.handle(topics.records[2:])
    assert topics.sent == sent
    assert mongo.dump().get(CONFLICTS, []) == []


async def test_a_new_version_voids_the_conflicts_of_the_one_before(topics: Topics) -> None:
    mongo = MemoryMongo()
    worker = Worker(topics, mongo)
    await worker.handler.assigned({0: None, 1: None})
    await worker.handler.handle(topics.records)
    topics.put(accepted("A-1", voter(8), partition=0, offset=1))
    await worker.handler.handle(topics.records[2:])
    [conflict] = mongo.dump()[CONFLICTS]
    assert conflict["status"] == "void"


async def test_a_batch_that_comes_again_changes_nothing_and_says_the_same(topics: Topics) -> None:
    mongo = MemoryMongo()
    worker = Worker(topics, mongo)
    await worker.handler.assigned({0: None, 1: None})
    await worker.handler.handle(topics.records)
    stored, sent = mongo.dump()[CONFLICTS], list(topics.sent)
    late = Worker(topics, mongo)  # paused, or new to the partitions
    await late.handler.assigned({0: None, 1: None})
    await late.handler.handle(topics.records)
    assert mongo.dump()[CONFLICTS] == stored
    assert topics.sent == [*sent, *sent]


@pytest.mark.parametrize("value", [b'{"voter": "CANARY"}', b"CANARY", b"", None])
async def test_a_foreign_record_on_our_own_topic_stops_the_service_without_repeating_it(
    topics: Topics, value: Any
) -> None:
    worker = Worker(topics, MemoryMongo())
    await worker.handler.assigned({0: None, 1: None})
    foreign = Record(Topic.ACCEPTED.value, 0, 1, 0, b"A-1", value, ())
    with pytest.raises(StopService, match=r"registration.accepted.v1/0/1 is no accepted record") as stopped:
        await worker.handler.handle([topics.records[0], foreign])
    assert "CANARY" not in stopped.value.reason
    assert stopped.value.cause == "own_topic"
    assert stopped.value.__cause__ is None
    assert topics.sent == []
    assert await worker.positions() == {0: 0, 1: 0}


def skipping(*records: Record) -> State:
    """The commands, and that these records are passed over."""
    log = CommandLog().found().adopt_all()
    for record in records:
        data = {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "record_sha256": fingerprint(record),
            "reason": "a test tool wrote it",
        }
        log.command(CommandType.SKIPPED, data, "admin")
    return log.state()


@pytest.mark.parametrize("last_offset", [None, 3])
async def test_a_foreign_record_that_two_officers_skip_leaves_no_trace_but_progress(
    topics: Topics, last_offset: int | None
) -> None:
    fault = None if last_offset is None else "undecodable_batch"
    foreign = Record(Topic.ACCEPTED.value, 0, 1, 0, None, None, (), fault, last_offset)
    worker = Worker(topics, MemoryMongo())
    worker.feed.state = skipping(foreign)
    await worker.handler.assigned({0: None, 1: None})
    assert await worker.handler.handle([topics.records[0], foreign]) == []
    assert [each.key for each in topics.sent] == [b"A-1"]
    assert await worker.positions() == {0: foreign.following, 1: 0}


async def test_a_record_of_ours_is_read_whatever_officers_say(topics: Topics) -> None:
    worker = Worker(topics, MemoryMongo())
    worker.feed.state = skipping(*topics.records)
    await worker.handler.assigned({0: None, 1: None})
    await worker.handler.handle(topics.records)
    assert [each.key for each in topics.sent] == [b"A-1", b"B-1"]
