"""A receipt says what is known of a batch, in whichever order and however often its events come."""

import hashlib
import time
from dataclasses import replace
from typing import Any

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.registration import batches
from services.registration.batches import MOST_ARRIVALS, Batch, BatchChange, BatchChanges, arrival, ranges
from services.registration.domain import MOST_VERSIONS, Closed, Ignored, Judgement, Rejected
from services.registration.history import Close
from services.registration.outputs import OutputBuilder
from shared.contracts import outputs
from shared.contracts.events import EventType as Type
from shared.contracts.fields import MOST_SEQUENCES
from shared.contracts.identity import arrival_hash, batch_content
from shared.contracts.outputs import RejectionReason
from shared.contracts.topics import Topic, partition_for
from tests.kit.registration_kit import (
    DEVICE,
    PARTITIONS,
    REGISTER,
    batch_closed,
    event,
    incoming,
    registration,
)

BATCH = "D-0042/D-0042-20261020-1"
REJECTED = Rejected(RejectionReason.STATE, ({"path": "", "rule": "state"},), 1)


def content_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def close(first: int = 1, last: int = 3, offset: int = 10) -> Close:
    return Close(
        "s",
        f"c-{offset}",
        "0" * 64,
        0,
        offset,
        "010203",
        first,
        last,
        last - first + 1,
        "2026-10-20T00:00:00Z",
    )


def arrived(*sequences: int, taken: bool = True, content: int = 0) -> BatchChange:
    return BatchChange(
        {arrival(each, content_of(content)) for each in sequences},
        set(sequences) if taken else set(),
        new=True,
    )


def closed(*closes: Close, new: bool = True) -> BatchChange:
    return BatchChange(closes=list(closes or [close()]), new=new)


def batch_of(*changes: BatchChange) -> Batch:
    """What is stored after the changes, each read and written by itself."""
    batch = Batch(BATCH, 1)
    for change in changes:
        batch.add(change)
        batch = Batch.of(batch.document())
    return batch


def receipt(*changes: BatchChange) -> dict[str, Any]:
    found = batch_of(*changes).receipt()
    assert found is not None
    return found


CHANGES = st.builds(
    BatchChange,
    arrivals=st.sets(st.builds(arrival, st.integers(0, 6), st.sampled_from([content_of(1), content_of(2)]))),
    taken=st.sets(st.integers(0, 6)),
    closes=st.lists(
        st.builds(close, first=st.just(0), last=st.integers(0, 6), offset=st.integers(0, 9)), max_size=2
    ),
    new=st.booleans(),
)


@settings(deadline=None)
@given(
    changes=st.lists(CHANGES, min_size=1, max_size=5), data=st.data(), most=st.sampled_from([3, 6, 20_000])
)
def test_neither_order_nor_repetition_of_events_changes_what_is_stored(
    changes: list[BatchChange], data: st.DataObject, most: int
) -> None:
    # Two closes at one offset would be one event with two contents, and what is taken has arrived.
    seen: dict[int, Close] = {}
    for change in changes:
        change.closes = [seen.setdefault(each.offset, each) for each in change.closes]
        change.taken &= batches.sequences(change.arrivals)
    others = data.draw(st.permutations(changes)) + data.draw(st.lists(st.sampled_from(changes)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "MOST_ARRIVALS", most)
        one, other = batch_of(*changes), batch_of(*others)
        assert one.receipt() == other.receipt()
        assert {**one.document(), "owed": None} == {**other.document(), "owed": None}


def test_an_open_batch_has_no_receipt_and_owes_none() -> None:
    batch = batch_of(arrived(1, 2))
    assert batch.receipt() is None
    assert batch.owed is None


def test_a_batch_is_complete_once_every_sequence_has_come_whatever_became_of_it() -> None:
    some = [arrived(1), arrived(3, taken=False), closed()]
    assert receipt(*some) == {
        "office": "010203",
        "device": DEVICE,
        "batch": "D-0042-20261020-1",
        "count": 3,
        "received": 2,
        "missing_count": 1,
        "missing": [[2, 2]],
        "rejected_count": 1,
        "rejected": [[3, 3]],
        "content": batch_content([(1, content_of(0)), (3, content_of(0))]),
        "complete": False,
    }
    assert receipt(*some, arrived(2))["complete"] is True


def test_a_sequence_that_was_rejected_once_and_taken_later_is_not_rejected() -> None:
    for changes in ([arrived(1, taken=False), arrived(1)], [arrived(1), arrived(1, taken=False)]):
        told = receipt(*changes, closed(close(1, 1)))
        assert (told["rejected"], told["rejected_count"]) == ([], 0)


def test_another_event_under_a_sequence_changes_the_content_and_not_the_count() -> None:
    own, others = (
        receipt(arrived(1, 2, 3), closed()),
        receipt(arrived(1, 2, 3), arrived(2, content=7), closed()),
    )
    assert (others["received"], others["complete"]) == (3, True)
    assert others["content"] == batch_content(
        [*((sequence, content_of(0)) for sequence in (1, 2, 3)), (2, content_of(7))]
    )
    assert others["content"] != own["content"]


def test_only_what_lies_between_first_and_last_is_told() -> None:
    told = receipt(arrived(0, 1, 2, 3, 4), arrived(9, taken=False), closed())
    assert told == receipt(arrived(1, 2, 3), closed())


def test_the_last_close_of_a_batch_sets_its_bounds() -> None:
    batch = batch_of(closed(close(1, 5, offset=20)), closed(close(1, 2)))
    assert batch.document()["last"] == 5
    assert receipt(closed(close(1, 5, offset=20)), closed(close(1, 2)))["missing"] == [[1, 5]]


def test_an_empty_batch_is_complete() -> None:
    told = receipt(closed(close(5, 4)))
    assert (told["count"], told["received"], told["complete"]) == (0, 0, True)
    assert told["content"] == hashlib.sha256(b"[]").hexdigest()


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [([], []), ([7], [[7, 7]]), ([1, 2, 3, 5, 8, 9], [[1, 3], [5, 5], [8, 9]])],
)
def test_ranges_have_both_ends(numbers: list[int], expected: list[list[int]]) -> None:
    assert ranges(numbers) == expected


def test_of_many_ranges_the_lowest_hundred_are_told_and_all_are_counted() -> None:
    told = receipt(arrived(*range(1, 1_000, 2)), closed(close(0, 999)))
    assert told["missing_count"] == 500
    assert told["missing"] == [[each, each] for each in range(0, 200, 2)]
    rejected = receipt(arrived(*range(0, 1_000, 3), taken=False), closed(close(0, 999)))
    assert rejected["rejected_count"] == 334
    assert rejected["rejected"] == [[each, each] for each in range(0, 300, 3)]


def many(count: int, start: int = 0) -> BatchChange:
    """So many distinct arrivals under few sequences."""
    numbers = range(start, start + count)
    return BatchChange({arrival(each % 3, content_of(each)) for each in numbers}, {0, 1, 2}, new=True)


def test_a_batch_of_more_than_20_000_contents_is_overfull_for_good() -> None:
    full = batch_of(many(MOST_ARRIVALS), closed(close(0, 3)))
    told = full.receipt()
    assert told is not None
    assert (told["received"], told["missing"], full.overfull) == (3, [[3, 3]], False)
    for more in (many(1, MOST_ARRIVALS), many(100, MOST_ARRIVALS - 99)):
        over = batch_of(many(MOST_ARRIVALS), closed(close(0, 3)), more)
        assert over.owed == "new"
        assert over.receipt() == {
            "office": "010203",
            "device": DEVICE,
            "batch": "D-0042-20261020-1",
            "count": 4,
            "received": None,
            "missing_count": 0,
            "missing": [],
            "rejected_count": 0,
            "rejected": [],
            "content": None,
            "complete": False,
        }
        assert over.document()["arrivals"] == b""
        again = batch_of(many(MOST_ARRIVALS), closed(close(0, 3)), more, arrived(3))
        assert again.document() == over.document()
    repeated = batch_of(many(MOST_ARRIVALS), closed(close(0, 3)), many(500))
    assert not repeated.overfull


def test_contents_outside_a_closed_batch_that_make_it_overfull_owe_it_a_receipt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "MOST_ARRIVALS", 3)
    batch = batch_of(closed(close(5, 6)), many(3))
    batch.owed = None
    batch.add(many(1, 3))
    assert batch.overfull and batch.owed == "new"


def test_200_000_contents_for_one_batch_cost_seconds() -> None:
    started = time.process_time()
    batch = Batch(BATCH, 1)
    for start in range(0, 200_000, 500):
        batch.add(many(500, start))
        batch = Batch.of(batch.document())
    assert batch.overfull
    assert time.process_time() - started < 20  # 1.5 s on two cores of 2020; minutes if each were looked up


def test_a_batch_of_any_content_fits_a_document_and_its_receipt_is_small() -> None:
    emoji = "\U0001f5f3" * 256
    longest = Close(emoji, emoji, "0" * 64, 0, 2**53, "o" * 64, 0, 9_999, 10_000, "t" * 35)
    closes = [replace(longest, offset=longest.offset - number) for number in range(MOST_VERSIONS)]
    everything = {arrival(each % MOST_SEQUENCES, content_of(each)) for each in range(MOST_ARRIVALS)}
    odd = {each for each in everything if each[1] % 2}
    for arrivals in (set(), everything, odd):
        batch = batch_of(BatchChange(arrivals, closes=closes))
        receipt = batch.receipt()
        assert receipt is not None
        assert len(bson.encode(batch.document())) < 2 * 1024 * 1024
        assert len(OutputBuilder(REGISTER, PARTITIONS).receipt(receipt).value or b"") < 4 * 1024


def test_a_receipt_is_owed_when_what_it_says_has_changed_and_only_then() -> None:
    document = {**batch_of(arrived(1), closed()).document(), "owed": None}

    def owed_after(change: BatchChange) -> str | None:
        batch = Batch.of(document)
        batch.add(change)
        return batch.owed

    for nothing in (arrived(1), closed(), arrived(9), arrived(9, taken=False, content=2)):
        assert owed_after(nothing) is None
    for change in (arrived(2), arrived(1, content=1), closed(close(1, 9, offset=11))):
        assert owed_after(change) == "new"


def test_what_was_told_before_the_store_was_lost_is_owed_only_after_a_look_at_the_topic() -> None:
    again = BatchChange(closes=[close()])
    assert batch_of(again).owed == "check"
    assert batch_of(again, arrived(1)).owed == "new"
    assert batch_of(arrived(1), again).owed == "check"
    assert batch_of(closed(), BatchChange({arrival(2, content_of(0))})).owed == "new"


def test_a_receipt_has_the_contracts_shape_and_key() -> None:
    output = OutputBuilder(REGISTER, PARTITIONS).receipt(receipt(arrived(3), closed()))
    outputs.Receipt.model_validate_json(output.value or b"")
    outputs.Receipt.model_validate_json(
        OutputBuilder(REGISTER, PARTITIONS).receipt(receipt(many(20_001), closed())).value or b""
    )
    assert (output.topic, output.key) == (Topic.RECEIPTS, BATCH.encode())
    assert output.partition == partition_for(BATCH.encode(), PARTITIONS)


def counted(*events: tuple[Any, Judgement], proven: bool = True) -> dict[str, BatchChange]:
    changes = BatchChanges(REGISTER)
    for data, judgement in events:
        event_type = Type.BATCH_CLOSED if isinstance(judgement, Closed) else Type.REGISTERED
        changes.note(incoming(event(event_type, data)), judgement, proven=proven, new=True)
    return changes.by_id


def test_every_decodable_event_that_names_its_place_counts_as_received() -> None:
    found = counted(
        (registration(), Ignored()),
        (registration(capture__sequence=18), REJECTED),
        ({"capture": {"device": DEVICE, "batch": "D-0042-20261020-1", "sequence": 19}}, REJECTED),
    )
    assert batches.sequences(found[BATCH].arrivals) == {17, 18, 19}
    assert found[BATCH].taken == {17}


def test_what_arrived_is_known_by_register_type_id_and_data() -> None:
    content = arrival_hash(REGISTER, Type.REGISTERED, "e-1", registration())
    assert content is not None
    assert counted((registration(), Ignored()))[BATCH].arrivals == {arrival(17, content)}


def test_an_event_of_an_unknown_sender_names_no_batch() -> None:
    assert counted((registration(), Ignored()), (registration(), REJECTED), proven=False) == {}


def test_data_without_a_canonical_form_name_no_batch() -> None:
    assert counted((registration(revision=2**60), REJECTED)) == {}


def test_a_place_that_cannot_be_read_counts_nowhere() -> None:
    for sequence in (True, -1, 1.0, "1", None, MOST_SEQUENCES):
        assert counted((registration(capture__sequence=sequence), REJECTED)) == {}
    assert counted((registration(capture__batch="a b"), REJECTED), ([1], REJECTED)) == {}


def test_a_close_names_no_capture_whatever_it_holds() -> None:
    capture = registration(capture__device="D-0043")["capture"]
    changes = BatchChanges(REGISTER)
    changes.note(
        incoming(event(Type.BATCH_CLOSED, {**batch_closed(), "capture": capture})),
        REJECTED,
        proven=True,
        new=True,
    )
    assert changes.by_id == {}


def test_a_close_is_counted_for_its_own_batch() -> None:
    assert counted((batch_closed(), Closed(close())))[BATCH].closes == [close()]
