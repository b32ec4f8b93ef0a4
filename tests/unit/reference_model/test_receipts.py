"""The reference model's receipts: what is known of a closed batch, and what a device may rely on."""

import hashlib
import json
from typing import Any

import pytest

from audit import receipts
from audit.log import LogRecord, header
from shared.contracts.events import EventType
from shared.contracts.identity import canonical
from tests.reference.builder import LogBuilder
from tests.reference.builder_commands import REGISTER
from tests.reference.captures import capture_data, registration
from tests.reference.model import replay
from tests.reference.register_files import devices_file


def receipt(builder: LogBuilder, key: str = "D-1/B-1") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(replay(builder.log(), builder.files, [], []).receipts[key])
    return found


def capture(builder: LogBuilder, sequence: int, **changes: Any) -> LogRecord:
    return builder.register_voter(f"010203-{sequence}", capture=capture_data(sequence=sequence), **changes)


def content_of(*records: LogRecord) -> str:
    """What a device reckons itself of what it sent."""
    pairs = []
    for record in records:
        data = json.loads(record.value or b"")
        told = [REGISTER.encode(), *(header(record.headers, name) or b"" for name in ("ce_type", "ce_id"))]
        named = b"".join(part + b"\0" for part in told)
        pairs.append(
            [data["capture"]["sequence"], hashlib.sha256(named + canonical(data)).hexdigest()],
        )
    return hashlib.sha256(canonical(sorted(pairs))).hexdigest()


def test_a_receipt_counts_every_decodable_event_of_its_batch() -> None:
    builder = LogBuilder().found()
    sent = [capture(builder, n, village="99" if n == 1 else "01020301") for n in range(3)]
    assert replay(builder.log(), builder.files, [], []).receipts == {}
    builder.close_batch(0, 3)
    builder.close_batch(0, 4)
    builder.resend(sent[0])
    assert receipt(builder) == {
        "office": "010203",
        "device": "D-1",
        "batch": "B-1",
        "count": 5,
        "received": 3,
        "missing_count": 2,
        "missing": [[3, 4]],
        "rejected_count": 1,
        "rejected": [[1, 1]],
        "content": content_of(*sent),
        "complete": False,
    }


def test_only_what_lies_between_first_and_last_is_received() -> None:
    builder = LogBuilder().found()
    sent = [capture(builder, sequence) for sequence in range(4)]
    builder.close_batch(1, 2)
    found = receipt(builder)
    assert (found["received"], found["complete"]) == (2, True)
    assert found["content"] == content_of(*sent[1:3])


def test_another_event_under_the_same_sequence_changes_the_content_and_nothing_else() -> None:
    builder = LogBuilder().found()
    own = capture(builder, 0)
    builder.close_batch(0, 0)
    before = receipt(builder)
    assert (before["complete"], before["content"]) == (True, content_of(own))
    strange = builder.register_voter("strange", capture=capture_data(sequence=0))
    assert receipt(builder) == {**before, "content": content_of(own, strange)}


def test_a_place_is_rejected_when_every_event_of_it_was() -> None:
    builder = LogBuilder().found()
    capture(builder, 0, village="99")
    builder.close_batch(0, 0)
    assert receipt(builder)["rejected"] == [[0, 0]]
    builder.correct("other", 1, capture=capture_data(sequence=0))
    assert receipt(builder)["rejected"] == [[0, 0]]
    capture(builder, 0)
    assert (receipt(builder)["rejected_count"], receipt(builder)["received"]) == (0, 1)


def test_the_lowest_hundred_ranges_are_told_and_all_are_counted() -> None:
    builder = LogBuilder().found()
    for sequence in range(1, 250, 2):
        capture(builder, sequence)
    builder.close_batch(0, 251)
    found = receipt(builder)
    assert found["missing"] == [[n, n] for n in range(0, 200, 2)]
    assert found["missing_count"] == 252 - 125


def test_a_batch_with_too_many_pairs_is_overfull_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "MOST_PAIRS", 3)
    builder = LogBuilder().found()
    records = [capture(builder, 0), capture(builder, 1), capture(builder, 1, born="1980-01-01")]
    builder.resend(records[0])
    builder.close_batch(0, 2)
    assert receipt(builder)["received"] == 2
    capture(builder, 9_999)  # wherever it lies
    overfull = receipt(builder)
    assert (overfull["received"], overfull["content"], overfull["complete"]) == (None, None, False)
    assert [overfull[name] for name in ("missing", "missing_count", "rejected", "rejected_count")] == [
        [],
        0,
    ] * 2


def test_a_sequence_beyond_the_places_of_a_batch_is_invalid_and_counts_nowhere() -> None:
    builder = LogBuilder().found()
    capture(builder, 10_000)
    builder.close_batch(0, 10_000)
    found = replay(builder.log(), builder.files, [], []).outcomes
    assert {each.reason for each in found.values()} == {"invalid"}
    capture(builder, 9_999)
    builder.close_batch(9_999, 9_999)
    assert (receipt(builder)["received"], receipt(builder)["complete"]) == (1, True)


def test_data_without_a_canonical_form_name_no_batch() -> None:
    builder = LogBuilder().found()
    data = registration("010203-0", 1, capture={"sequence": 0})
    builder.event(EventType.REGISTERED, {**data, "note": 2**60})
    builder.close_batch(0, 0)
    assert receipt(builder)["received"] == 0


def test_where_devices_are_in_force_nobody_elses_event_is_known_to_a_batch() -> None:
    builder = LogBuilder().found(devices=devices_file())
    own = capture(builder, 0, village="02010101")  # not in its area, and still its own
    data = registration("strange", 1, capture={"sequence": 1})
    for signer in (None, "D-2", "stranger"):
        builder.event(EventType.REGISTERED, data, signer=signer)
    other_office = registration("010203-2", 1, capture={"sequence": 2, "office": "020101"})
    builder.event(EventType.REGISTERED, other_office)
    builder.close_batch(0, 2)
    found = receipt(builder)
    assert (found["received"], found["missing"], found["rejected"]) == (1, [[1, 2]], [[0, 0]])
    assert found["content"] == content_of(own)
