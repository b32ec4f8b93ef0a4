"""What becomes of an event depends on the log before it alone: not on batches, and not on later events."""

import itertools
import json
import random
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from services.registration.batches import Batch, BatchChanges
from services.registration.domain import Accepted, Judgement, Reference
from services.registration.outputs import OutputBuilder
from services.registration.registrations import Registration
from shared.contracts.events import EventType as Type
from shared.contracts.identity import canonical, data_hash, digest
from shared.contracts.plain_json import is_plain, plain_canonical
from shared.runtime.record import Record
from tests.kit.registration_kit import (
    PARTITIONS,
    REFERENCE,
    REGISTER,
    MemoryStore,
    batch_closed,
    device,
    event,
    incoming,
    registration,
    removal,
    signed,
    with_devices,
)

IDS = ("A-1", "A-2", "B-1")
TYPES = (Type.REGISTERED, Type.CORRECTED, Type.TRANSFERRED, Type.REMOVED, Type.REINSTATED, Type.BATCH_CLOSED)


HERE, THERE = "D-0042", "D-0043"
AREAS = {HERE: "010203", THERE: "010204"}
VILLAGES = {HERE: "01020304", THERE: "01020401"}
DEVICES = with_devices(*(device(each, AREAS[each], (AREAS[each],)) for each in (HERE, THERE)))


def epoch_of(_partition: int, offset: int) -> int:
    """Epochs end behind the offsets 3 and 7 of each partition."""
    return 1 + (offset > 3) + (offset > 7)


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """A log of few registrations and few ids, so that events meet each other; offsets count a partition.

    Two devices send, each for its own office; now and then one forgets to sign, or signs for the other.
    """
    following: dict[int, int] = {}
    records: list[Record] = []
    for _ in range(draw(st.integers(1, 25))):
        event_type = draw(st.sampled_from(TYPES))
        by = draw(st.sampled_from((HERE, HERE, HERE, THERE)))
        changes: dict[str, Any] = {
            "registration_id": draw(st.sampled_from(IDS)),
            "revision": draw(st.integers(1, 4)),
            "capture__sequence": draw(st.integers(0, 3)),
            "capture__device": by,
            "capture__office": AREAS[by],
        }
        if event_type == Type.BATCH_CLOSED:
            last = draw(st.integers(0, 3))
            data = batch_closed(
                first_sequence=0, last_sequence=last, count=last + 1, device=by, office=AREAS[by]
            )
        elif event_type == Type.REMOVED:
            data = removal(**changes)
        else:
            changes["residence__village_code"] = VILLAGES[draw(st.sampled_from((by, by, HERE, THERE)))]
            changes["voter__sex"] = draw(st.sampled_from(("female", "female", "male")))
            data = registration(polling_station=None, **changes)
        event_id = draw(st.sampled_from(("e1", "e2", "e3", "e4", "e5", "e6")))
        partition = event(event_type, data).partition
        offset = following.get(partition, 0)
        following[partition] = offset + 1
        record = event(event_type, data, event_id=event_id, offset=offset)
        signer = draw(st.sampled_from((by, by, by, by, None, THERE)))
        records.append(record if signer is None else signed(record, signer))
    return records


def in_batches(records: list[Record], cuts: list[int]) -> list[list[Record]]:
    edges = [0, *sorted(set(cuts)), len(records)]
    return [records[start:end] for start, end in itertools.pairwise(edges) if start < end]


def settle(store: MemoryStore, batches: list[list[Record]]) -> dict[tuple[int, int], Judgement]:
    found: dict[tuple[int, int], Judgement] = {}
    for batch in batches:
        found.update(store.settle(batch, epoch_of))
    return found


def sent(records: list[Record], judgements: dict[tuple[int, int], Judgement]) -> dict[tuple[int, int], bytes]:
    build = OutputBuilder("kh-test", PARTITIONS)
    found: dict[tuple[int, int], bytes] = {}
    for record in records:
        judgement = judgements[record.partition, record.offset]
        if isinstance(judgement, Accepted):
            found[record.partition, record.offset] = build.accepted(incoming(record), judgement).value or b""
    return found


EITHER = st.sampled_from((REFERENCE, DEVICES))


@settings(max_examples=150, deadline=None)
@given(logs(), EITHER, st.data())
def test_any_split_into_batches_gives_the_same_outcomes_and_the_same_store(
    records: list[Record], reference: Reference, data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(1, max(1, len(records) - 1))))
    whole, parts = MemoryStore(reference), MemoryStore(reference)
    at_once = settle(whole, [records])
    in_parts = settle(parts, in_batches(records, cuts))
    assert in_parts == at_once
    assert parts.registrations == whole.registrations
    assert parts.closes == whole.closes
    assert parts.senders == whole.senders


@settings(max_examples=150, deadline=None)
@given(logs(), EITHER, st.data())
def test_what_is_judged_again_after_later_events_gives_the_same_bytes_and_changes_nothing(
    records: list[Record], reference: Reference, data: st.DataObject
) -> None:
    store = MemoryStore(reference)
    first = settle(store, in_batches(records, data.draw(st.lists(st.integers(1, 24)))))
    before = canonical(store.registrations)
    start = data.draw(st.integers(0, len(records) - 1))
    end = data.draw(st.integers(start + 1, len(records)))
    again = settle(store, [records[start:end]])
    assert again == {place: first[place] for place in again}
    assert sent(records[start:end], again).items() <= sent(records, first).items()
    assert canonical(store.registrations) == before


@settings(max_examples=100, deadline=None)
@given(logs(), EITHER, st.randoms(use_true_random=False))
def test_the_order_across_partitions_leaves_no_trace(
    records: list[Record], reference: Reference, dice: random.Random
) -> None:
    queues: dict[int, list[Record]] = {}
    for record in records:
        queues.setdefault(record.partition, []).append(record)
    shuffled: list[Record] = []
    while queues:
        partition = dice.choice(sorted(queues))
        shuffled.append(queues[partition].pop(0))
        if not queues[partition]:
            del queues[partition]
    one, other = MemoryStore(reference), MemoryStore(reference)
    assert settle(one, [records]) == settle(other, [[record] for record in shuffled])
    assert one.registrations == other.registrations


@settings(max_examples=100, deadline=None)
@given(logs(), st.data())
def test_receipts_are_a_function_of_the_set_of_events(records: list[Record], data: st.DataObject) -> None:
    """However the batches are cut, and whatever is settled again."""
    one = receipts_of([records])
    batches = in_batches(records, data.draw(st.lists(st.integers(1, 24))))
    again = data.draw(st.lists(st.sampled_from(batches), max_size=3))
    assert receipts_of(batches + again) == one


def receipts_of(batches: list[list[Record]]) -> dict[str, Any]:
    """The last receipts with devices in force; each batch of the handler is stored by itself."""
    store, found = MemoryStore(DEVICES), dict[str, Batch]()
    for batch in batches:
        judgements, changes = store.settle(batch, epoch_of), BatchChanges(REGISTER)
        for record in batch:
            place = record.partition, record.offset
            proven = store.senders[place].proven
            changes.note(incoming(record), judgements[place], proven=proven, new=True)
        for name, change in changes.by_id.items():
            stored = found.get(name)
            kept = Batch(name, 0) if stored is None else Batch.of(stored.document())
            kept.add(change)
            found[name] = kept
    return {name: each.receipt() for name, each in found.items()}


@settings(max_examples=100, deadline=None)
@given(logs())
def test_a_stored_registration_reads_back_as_it_was(records: list[Record]) -> None:
    store = MemoryStore()
    settle(store, [records])
    for document in store.registrations.values():
        assert Registration.of(document).document() == document


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner, max_size=5)
    ),
)


@given(logs())
def test_every_version_has_the_contracts_digest_and_data_hash(records: list[Record]) -> None:
    for (partition, offset), judgement in MemoryStore().settle(records).items():
        if isinstance(judgement, Accepted):
            [record] = [each for each in records if (each.partition, each.offset) == (partition, offset)]
            event_type = dict(record.headers)["ce_type"] or b""
            data = json.loads(record.value or b"")
            assert judgement.version.data_sha256 == data_hash(event_type.decode(), data)
            if judgement.voter is not None:
                assert judgement.version.digest == digest(data["voter"], data["residence"])


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_plain_values_have_the_general_serialisers_bytes(value: Any) -> None:
    assert is_plain(value)
    assert plain_canonical(value) == rfc8785.dumps(value)


@given(ANY_JSON)
def test_any_value_has_the_general_serialisers_bytes_or_its_refusal(value: Any) -> None:
    try:
        expected = rfc8785.dumps(value)
    except ValueError:
        with pytest.raises(ValueError):
            canonical(value)
    else:
        assert canonical(value) == expected
