"""The largest of each thing that a stranger can make has the size for which the budget has room."""

import bson
import pytest

from matching.matcher import Claim
from matching.scoring import Evidence, Score
from services.dedup.claims import claim_facts, named, written
from services.registration.batches import MOST_ARRIVALS, Batch, BatchChange, arrival
from services.registration.domain import MOST_VERSIONS
from services.registration.history import Close, Version
from services.registration.registrations import Registration
from shared.process.budget import (
    CAPTURE_BATCH_BYTES,
    CLAIM_BYTES,
    CONFLICT_BYTES,
    HISTORY_BYTES,
    Budget,
)

LONGEST_ID = "A" * 64
LONGEST_NAME = "\U0001f600" * 256
"""A `ce_id` or `ce_source`: 256 characters, of four bytes each."""
SHA256 = "f" * 64
LAST_OFFSET = 2**53 - 1


def history(versions: int) -> Registration:
    registration = Registration(LONGEST_ID)
    registration.versions = [
        Version(
            LONGEST_NAME,
            LONGEST_NAME,
            SHA256,
            11,
            LAST_OFFSET - versions + each,
            LAST_OFFSET,
            "rollstream.registration.transferred.v1",
            LAST_OFFSET,
            "active",
            SHA256,
            "010203",
            SHA256,
            LAST_OFFSET,
        )
        for each in range(versions)
    ]
    return registration


def capture_batch() -> Batch:
    batch = Batch(f"{LONGEST_ID}/{LONGEST_ID}", 11)
    sequences = [each % 10_000 for each in range(MOST_ARRIVALS)]
    arrivals = {arrival(each, f"{at:064x}") for at, each in enumerate(sequences)}
    closes = [
        Close(LONGEST_NAME, LONGEST_NAME, SHA256, 11, at, LONGEST_ID, 0, 9_999, 10_000, "9" * 40)
        for at in range(MOST_VERSIONS)
    ]
    batch.add(BatchChange(closes=closes, arrivals=arrivals, taken=set()))
    return batch


def test_a_registration_of_the_most_versions_has_room_in_the_budget() -> None:
    """What the last event adds to the history has 64 KiB at most; a removal may come after 200 versions."""
    stored = len(bson.encode(history(MOST_VERSIONS + 1).document()))
    assert HISTORY_BYTES // 2 < stored < HISTORY_BYTES + 64 * 1024


def test_a_capture_batch_of_the_most_arrivals_and_closes_has_room_in_the_budget() -> None:
    batch = capture_batch()
    assert len(batch.arrivals) == MOST_ARRIVALS and not batch.overfull
    stored = len(bson.encode(batch.document()))
    assert CAPTURE_BATCH_BYTES // 2 < stored < CAPTURE_BATCH_BYTES


def test_a_claim_and_its_conflict_have_room_in_the_budget() -> None:
    """Of a model with twelve comparisons, which is more than any has."""
    evidence = tuple(Evidence("f" * 32, "l" * 32, -123.4567) for _ in range(12))
    claim = Claim(
        LONGEST_ID, SHA256, "multiple_registration", Score(0.999999, 123.4567, evidence), LAST_OFFSET
    )
    facts = claim_facts(claim, SHA256)
    assert CLAIM_BYTES // 4 < len(written([named((LONGEST_ID, SHA256), claim)], SHA256)) < CLAIM_BYTES // 2
    conflict = bson.encode({"_id": SHA256, "pair": [[LONGEST_ID, SHA256, "010203"]] * 2, **facts})
    assert len(conflict) < CONFLICT_BYTES


@pytest.mark.parametrize("share", [1, 2, 16])
def test_no_step_makes_more_than_four_shares(share: int) -> None:
    budget = Budget(share * 1024 * 1024)
    made = (
        budget.registrations * HISTORY_BYTES,
        budget.capture_batches * CAPTURE_BATCH_BYTES,
        budget.claims * CLAIM_BYTES,
        budget.conflicts * CONFLICT_BYTES,
        budget.outputs_bytes,
    )
    assert all(each <= 4 * budget.batch_bytes for each in made)
    assert min(budget.sent_bytes, budget.read_bytes, budget.fetched_bytes) > 0


def test_a_step_takes_one_thing_however_small_the_budget() -> None:
    budget = Budget(1)
    assert (budget.registrations, budget.capture_batches, budget.claims, budget.conflicts) == (1, 1, 1, 1)
