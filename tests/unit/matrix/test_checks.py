"""What the matrix judges beside the audit: planted faults are found."""

import json
from collections.abc import Sequence

from shared.contracts.topics import Topic
from shared.runtime.record import Output, Record
from tests.kit.accepted import accepted, voter
from tests.matrix.checks import SOURCE_OF, lost, missed_pairs, repeated


def record(output: Output, offset: int) -> Record:
    partition = output.partition or 0
    return Record(output.topic, partition, offset, 0, output.key, output.value, tuple(output.headers))


def checked(of: Record, others: Sequence[tuple[str, str]]) -> Record:
    """The accepted record with claims to these versions."""
    claims = [{"other": {"registration_id": one, "digest": digest}} for one, digest in others]
    value = json.dumps({**json.loads(of.value or b""), "claims": claims}).encode()
    headers = (("ce_type", b"rollstream.registration.checked.v1"), ("ce_id", b"kh/0/0"))
    return Record(Topic.CHECKED, of.partition, of.offset, 0, of.key, value, headers)


TWICE = [
    record(accepted(f"{side}-1", voter(1), partition=at, offset=7, device=side), 0)
    for at, side in enumerate("AB")
]
DIGESTS = [json.loads(each.value or b"")["digest"] for each in TWICE]


def test_a_pair_that_one_finder_claims_is_not_missed() -> None:
    assert list(missed_pairs(TWICE, [checked(TWICE[0], [("B-1", DIGESTS[1])]), checked(TWICE[1], [])])) == []


def test_a_pair_that_nobody_claims_is_missed() -> None:
    found = list(missed_pairs(TWICE, [checked(each, []) for each in TWICE]))
    assert found == ["pair A-1 B-1: missed"]


def test_a_claim_that_no_matcher_makes_is_told() -> None:
    other = record(accepted("C-2", voter(2), partition=0, offset=9, device="C"), 1)
    digest = json.loads(other.value or b"")["digest"]
    claimed = [checked(TWICE[0], [("B-1", DIGESTS[1]), ("C-2", digest)])]
    assert list(missed_pairs([*TWICE, other], claimed)) == ["pair A-1 C-2: claimed, and looks like nobody"]


def test_an_acknowledged_event_without_an_outcome_is_lost() -> None:
    stored = {(0, 1): ["accepted"], (0, 2): ["rejected"]}
    assert list(lost([(0, 1), (0, 2)], stored)) == []
    assert list(lost([(0, 1), (1, 1)], stored)) == ["event 1/1: acknowledged, and lost"]
    assert list(lost([(0, 1), (0, 1)], stored)) == ["event 0/1: acknowledged 2 times"]


def test_outputs_beyond_the_first_of_their_source_are_counted() -> None:
    assert repeated(TWICE, SOURCE_OF[Topic.ACCEPTED]) == 0
    assert repeated([*TWICE, TWICE[0]], SOURCE_OF[Topic.ACCEPTED]) == 1
