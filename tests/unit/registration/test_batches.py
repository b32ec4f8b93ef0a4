"""A receipt says what is known of a batch, in whichever order and however often its events come."""

from dataclasses import replace
from typing import Any

import bson
from hypothesis import given
from hypothesis import strategies as st

from services.registration.batches import SETS, BatchChange, BatchChanges, receipt, summary
from services.registration.domain import MOST_VERSIONS, Closed, Ignored, Judgement, Rejected
from services.registration.history import Close
from services.registration.outputs import OutputBuilder
from shared.contracts import outputs
from shared.contracts.events import EventType as Type
from shared.contracts.fields import MOST_SEQUENCES
from shared.contracts.outputs import RejectionReason
from shared.contracts.topics import MESSAGE_LIMIT, Topic, partition_for
from tests.kit.registration_kit import DEVICE, PARTITIONS, batch_closed, event, incoming, registration

BATCH = "D-0042/D-0042-20261020-1"
REJECTED = Rejected(RejectionReason.STATE, ({"path": "", "rule": "state"},))


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


def apply(document: dict[str, Any], update: dict[str, Any]) -> None:
    """`$addToSet`, as the store does it."""
    for name, each in update["$addToSet"].items():
        values = document.setdefault(name, [])
        values += [value for value in each["$each"] if value not in values]


def stored(*changes: BatchChange) -> dict[str, Any]:
    document: dict[str, Any] = {"_id": BATCH}
    for change in changes:
        for update in change.updates():
            apply(document, update)
    return document


def known(document: dict[str, Any]) -> dict[str, Any]:
    found = receipt(document)
    assert found is not None
    return found


CHANGES = st.builds(
    BatchChange,
    received=st.sets(st.integers(0, 6)),
    taken=st.sets(st.integers(0, 6)),
    closes=st.lists(
        st.builds(close, first=st.just(0), last=st.integers(-1, 6), offset=st.integers(0, 9)), max_size=2
    ),
)


@given(st.lists(CHANGES, min_size=1, max_size=5), st.data())
def test_neither_order_nor_repetition_of_events_changes_a_receipt(
    changes: list[BatchChange], data: st.DataObject
) -> None:
    # Two closes at one offset would be one event with two contents.
    seen: dict[int, Close] = {}
    for change in changes:
        change.closes = [seen.setdefault(each.offset, each) for each in change.closes]
    others = data.draw(st.permutations(changes)) + data.draw(st.lists(st.sampled_from(changes)))
    assert receipt(stored(*changes)) == receipt(stored(*others))


def test_an_open_batch_has_no_receipt() -> None:
    assert receipt(stored(BatchChange(received={1, 2}))) is None


def test_a_batch_is_complete_once_every_sequence_has_come_whatever_became_of_it() -> None:
    some = BatchChange(received={1, 3}, taken={1}, closes=[close()])
    assert known(stored(some)) == {
        "office": "010203",
        "device": DEVICE,
        "batch": "D-0042-20261020-1",
        "count": 3,
        "received": 2,
        "missing": [2],
        "rejected": [3],
        "complete": False,
    }
    assert known(stored(some, BatchChange(received={2})))["complete"] is True


def test_a_sequence_that_was_rejected_once_and_taken_later_is_not_rejected() -> None:
    document = stored(BatchChange(received={1}, closes=[close(1, 1)]), BatchChange(received={1}, taken={1}))
    assert known(document)["rejected"] == []


def test_the_last_close_of_a_batch_sets_its_bounds() -> None:
    document = stored(BatchChange(closes=[close(1, 5, offset=20)]), BatchChange(closes=[close(1, 2)]))
    assert known(document)["missing"] == [1, 2, 3, 4, 5]
    assert summary(document, known(document))["last"] == 5


def test_a_batch_of_any_size_fits_a_document_and_its_receipt_a_message() -> None:
    longest = Close(
        "\U0001f5f3" * 256, "\U0001f5f3" * 256, "0" * 64, 0, 2**53, "o" * 64, 0, 99_999, 100_000, "t" * 35
    )
    closes = [replace(longest, offset=longest.offset - number) for number in range(MOST_VERSIONS)]
    all_of_it = set(range(MOST_SEQUENCES))
    odd = set(range(1, MOST_SEQUENCES, 2))
    for change in (
        BatchChange(closes=closes),
        BatchChange(received=all_of_it, closes=closes),
        BatchChange(received=odd, closes=closes),
        BatchChange(received=all_of_it, taken=all_of_it, closes=closes),
    ):
        sets = (sorted(change.received), sorted(change.taken), [each.document() for each in closes])
        document = {"_id": BATCH, **dict(zip(SETS, sets, strict=True))}
        found = known(document)
        assert len(found["missing"]) + len(change.received) == MOST_SEQUENCES
        assert len(OutputBuilder("kh-test", PARTITIONS).receipt(found).value or b"") < MESSAGE_LIMIT
        assert len(bson.encode({**document, **summary(document, found)})) < 4 * MESSAGE_LIMIT


def test_many_sequences_are_added_a_hundred_at_a_time_and_a_close_once() -> None:
    updates = BatchChange(received=set(range(250)), taken={1, 249}, closes=[close()]).updates()
    added = [{name: len(each["$each"]) for name, each in update["$addToSet"].items()} for update in updates]
    assert added == [
        {"received": 100, "taken": 1, "closes": 1},
        {"received": 100, "taken": 0, "closes": 0},
        {"received": 50, "taken": 1, "closes": 0},
    ]


def test_a_receipt_has_the_contracts_shape_and_key() -> None:
    output = OutputBuilder("kh-test", PARTITIONS).receipt(known(stored(BatchChange(closes=[close()]))))
    outputs.Receipt.model_validate_json(output.value or b"")
    assert (output.topic, output.key) == (Topic.RECEIPTS, BATCH.encode())
    assert output.partition == partition_for(BATCH.encode(), PARTITIONS)


def counted(*events: tuple[Any, Judgement]) -> dict[str, BatchChange]:
    changes = BatchChanges()
    for data, judgement in events:
        event_type = Type.BATCH_CLOSED if isinstance(judgement, Closed) else Type.REGISTERED
        changes.note(incoming(event(event_type, data)), judgement, answer=True)
    return changes.by_id


def test_every_decodable_event_that_names_its_place_counts_as_received() -> None:
    found = counted(
        (registration(), Ignored()),
        (registration(capture__sequence=18), REJECTED),
        ({"capture": {"device": DEVICE, "batch": "D-0042-20261020-1", "sequence": 19}}, REJECTED),
    )
    assert found[BATCH].received == {17, 18, 19}
    assert found[BATCH].taken == {17}


def test_a_place_that_cannot_be_read_counts_nowhere() -> None:
    for sequence in (True, -1, 1.0, "1", None, MOST_SEQUENCES):
        assert counted((registration(capture__sequence=sequence), REJECTED)) == {}
    assert counted((registration(capture__batch="a b"), REJECTED), ([1], REJECTED)) == {}


def test_a_close_is_counted_for_its_own_batch() -> None:
    assert counted((batch_closed(), Closed(close())))[BATCH].closes == [close()]
