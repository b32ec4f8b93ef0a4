"""How checked records make a registration of an epoch."""

import json
from itertools import permutations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.publisher.registrations import Document, as_of, merge
from shared.contracts.outputs import Checked
from tests.kit.checked_records import checked, digest_of


def merged(records: list[Checked], floor: int = 0) -> Document:
    document: Document | None = None
    for record in records:
        document = merge(document, [record], floor) or document
    assert document is not None
    return document


def seen(document: Document, epoch: int) -> Any:
    found = as_of(document, epoch)
    return found and (found.digest, found.removal_reason, found.captured.village_code)


def test_an_epoch_has_the_newest_record_up_to_its_end() -> None:
    document = merged(
        [checked("r", 1, epoch=1), checked("r", 5, epoch=1, data="b"), checked("r", 9, epoch=3, data="c")]
    )
    digests = [found and found.digest for found in (as_of(document, epoch) for epoch in (0, 1, 2, 3))]
    assert digests == [None, digest_of("rb"), digest_of("rb"), digest_of("rc")]


def test_a_repetition_or_an_older_record_changes_nothing() -> None:
    document = merged([checked("r", 5, data="b")])
    assert merge(document, [checked("r", 5, data="b")], 0) is None
    with_both = merge(document, [checked("r", 1)], 0)
    assert with_both is not None and with_both["slots"] == document["slots"]
    assert merge(with_both, [checked("r", 1), checked("r", 5, data="b")], 0) is None


def test_an_old_record_that_comes_again_after_a_newer_epoch_changes_nothing() -> None:
    document = merged([checked("r", 1), checked("r", 5, epoch=2, data="b")])
    assert merge(document, [checked("r", 1)], 0) is None


def test_a_removal_keeps_where_the_voter_last_lived() -> None:
    document = merged([checked("r", 1, village="02030405"), checked("r", 2, epoch=2, removal="deceased")])
    found = as_of(document, 2)
    assert found is not None
    assert (found.removal_reason, found.province, found.event_id) == ("deceased", "02", "event-r-2")
    assert document["districts"] == ["0203"]


def test_what_the_newest_finalised_epoch_saw_is_kept_and_what_came_before_it_is_dropped() -> None:
    records = [checked("r", offset, epoch=offset, data=str(offset)) for offset in (1, 2, 4)]
    document = merged(records, floor=3)
    assert [slot["epoch"] for slot in document["slots"]] == [2, 4]
    assert [seen(document, 3), seen(document, 4)] == [seen(merged(records), 3), seen(merged(records), 4)]
    assert merge(document, [records[0]], 3) is None


def test_each_version_is_known_by_its_commune_from_the_epoch_on_in_which_it_first_appeared() -> None:
    records = [
        checked("r", 1, epoch=1, data="a", village="01020304"),
        checked("r", 2, epoch=2, data="b", village="02030405"),
        checked("r", 3, epoch=3, removal="moved", data="b"),
        checked("r", 4, epoch=4, data="a", village="01020304"),
    ]
    a, b = {digest_of("ra"): "010203"}, {digest_of("rb"): "020304"}
    for floor in (0, 3):
        for order in permutations(records):
            document = merged(list(order), floor)
            communes = [found and found.communes for found in (as_of(document, each) for each in (3, 4))]
            assert communes == [{**a, **b}, {**a, **b}]
    first = as_of(merged(records), 1)
    assert first is not None and first.communes == a


def test_the_names_that_order_a_list_are_khmer_where_there_are_khmer_ones() -> None:
    value = json.loads(checked("r", 1).model_dump_json(by_alias=True))
    value["voter"]["normalised"]["family_name"] = {"km": "សុខ", "latin": "SOK"}
    document = merged([Checked.model_validate_json(json.dumps(value))])
    found = as_of(document, 1)
    assert found is not None and found.captured.sort_names == ("សុខ", "SOVANN")


RECORDS = [
    checked("r", 1, village="01020304"),
    checked("r", 2, data="b", village="02030405"),
    checked("r", 3, removal="moved", data="b"),
    checked("r", 4, epoch=2, data="c", village="01020305"),
    checked("r", 7, epoch=2, removal="deceased", data="c"),
]


def test_the_order_in_which_records_come_does_not_matter() -> None:
    expected = [seen(merged(RECORDS), epoch) for epoch in (1, 2)]
    for order in permutations(RECORDS):
        assert [seen(merged(list(order)), epoch) for epoch in (1, 2)] == expected


@settings(deadline=None)
@given(st.lists(st.integers(1, len(RECORDS)), max_size=5))
def test_batches_do_not_matter(cuts: list[int]) -> None:
    document: Document | None = None
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(RECORDS)], strict=True):
        document = (merge(document, RECORDS[start:end], 0) if RECORDS[start:end] else None) or document
    assert document is not None
    assert [seen(document, epoch) for epoch in (1, 2)] == [seen(merged(RECORDS), epoch) for epoch in (1, 2)]
