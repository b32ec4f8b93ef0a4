"""Claims are written as RFC 8785 has them, and a record of 500 fits its topic."""

import json

from hypothesis import given
from hypothesis import strategies as st

from matching.matcher import Claim, Evidence, Score
from services.dedup.claims import claim_facts, named, written
from services.dedup.records import AcceptedRecord, checked_outputs
from shared.contracts.identity import canonical
from shared.contracts.model_file import LEVELS
from shared.contracts.outputs import MOST_CLAIMS, FurtherClaims
from shared.contracts.topics import EVENT_LIMIT, MESSAGE_LIMIT, TOPICS, Topic
from shared.runtime.record import Record

MODEL = "ab" * 32
weights = st.floats(-500, 500).map(lambda weight: round(weight, 4) + 0.0)
evidence = st.lists(
    st.builds(Evidence, st.sampled_from(sorted(LEVELS)), st.sampled_from(["same", "one slip"]), weights),
    max_size=7,
).map(tuple)
claims = st.builds(
    Claim,
    registration_id=st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True),
    digest=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    class_=st.sampled_from(["resend", "multiple_registration"]),
    score=st.builds(Score, st.floats(0, 1).map(lambda each: round(each, 6)), weights, evidence),
    epoch=st.integers(1, 2**31 - 1),
)


@given(st.lists(claims, max_size=4))
def test_claims_are_written_in_canonical_form(found: list[Claim]) -> None:
    mine = ("a", "0" * 64)
    all_named = [named(mine, each) for each in found]
    expected = [
        {
            "claim_id": each.id,
            "other": {"registration_id": each.claim.registration_id, "digest": each.claim.digest},
            **claim_facts(each.claim, MODEL),
        }
        for each in all_named
    ]
    assert written(all_named, MODEL) == canonical(expected)


def test_the_longest_claims_and_the_largest_accepted_record_fit_the_topic() -> None:
    """With every name at its longest; an accepted record repeats its event and adds the normalised voter."""
    longest = tuple(
        Evidence(field, max(("unknown", *levels), key=len), -1234.5678) for field, levels in LEVELS.items()
    )
    claim = Claim(
        "r" * 64, "d" * 64, "multiple_registration", Score(0.123456, -1234.5678, longest), 2**31 - 1
    )
    (checked,) = checked_outputs(
        Record(Topic.ACCEPTED.value, 0, 0, 0, b"r" * 64, b"{}", ()),
        AcceptedRecord("a" * 64, 2**53 - 1, 1, "e" * 64, 0, None),
        [named(("a", "e" * 64), claim)] * MOST_CLAIMS,
        MODEL,
    )
    (spec,) = [spec for spec in TOPICS if spec.topic is Topic.CHECKED]
    assert spec.configuration()["max.message.bytes"] == MESSAGE_LIMIT
    assert len(checked.value or b"") + 4 * EVENT_LIMIT < MESSAGE_LIMIT


def test_claims_beyond_500_follow_in_records_of_their_own_in_the_order_of_their_ids() -> None:
    mine = ("a", "e" * 64)
    score = Score(0.9, 10.0, ())
    all_named = [
        named(mine, Claim(f"r-{number}", "d" * 64, "multiple_registration", score, 1))
        for number in range(2 * MOST_CLAIMS + 1)
    ]
    headers = (("ce_id", b"2/7"), ("ce_source", b"rollstream/registration/kh"), ("ce_time", b"t"))
    record = Record(Topic.ACCEPTED.value, 2, 7, 0, b"a", b'{"registration_id":"a"}', headers)
    outputs = list(
        checked_outputs(record, AcceptedRecord(*mine[:1], 7, 1, mine[1], 0, None), all_named, MODEL)
    )
    values = [json.loads(output.value or b"") for output in outputs]
    told = [claim["claim_id"] for value in values for claim in value["claims"]]
    assert [len(value["claims"]) for value in values] == [MOST_CLAIMS, MOST_CLAIMS, 1]
    assert told == sorted(each.id for each in all_named)
    assert {(output.key, output.partition, output.topic) for output in outputs} == {(b"a", 2, Topic.CHECKED)}
    for output in outputs[1:]:
        further = FurtherClaims.model_validate_json(output.value or b"")
        assert (further.registration_id, further.digest) == mine
        assert (further.source.partition, further.source.offset) == (2, 7)
        assert canonical(json.loads(output.value or b"")) == output.value
    types = [dict(output.headers)["ce_type"] for output in outputs]
    assert types == [b"rollstream.registration.checked.v1", *[b"rollstream.registration.claims.v1"] * 2]
    assert len({dict(output.headers)["ce_id"] for output in outputs}) == 3
