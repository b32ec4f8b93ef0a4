"""What registration sends has the contract's shape and says where it came from."""

import json

from services.registration.domain import Accepted, Judgement, Rejected
from services.registration.outcomes import Settled, outcome_document
from services.registration.outputs import OutputBuilder
from shared.contracts import outputs
from shared.contracts.events import EventType as Type
from shared.contracts.identity import digest
from shared.contracts.topics import Topic, partition_for
from shared.runtime.record import Record
from tests.kit.registration_kit import PARTITIONS, REGISTRATION, MemoryStore, event, incoming, registration


def last(*records: Record) -> Judgement:
    """The judgement of the last of records that come in one batch."""
    judgements = MemoryStore().settle(list(records))
    return judgements[records[-1].partition, records[-1].offset]


def test_an_accepted_record_has_the_contracts_shape_and_says_where_it_came_from() -> None:
    record = event(Type.REGISTERED, registration(), offset=7)
    accepted = last(record)
    assert isinstance(accepted, Accepted)
    output = OutputBuilder("kh-test", PARTITIONS).accepted(incoming(record), accepted)
    parsed = outputs.Accepted.model_validate_json(output.value or b"")
    assert (output.topic, output.partition) == (Topic.ACCEPTED, record.partition)
    assert output.key == REGISTRATION.encode()
    assert dict(output.headers)["ce_id"] == f"{record.partition}/7".encode()
    assert dict(output.headers)["ce_time"] == b"2026-09-21T14:13:20.007Z"
    assert parsed.first_accepted_at == "2026-09-21T14:13:20.007Z"
    assert parsed.source.model_dump() == {"partition": record.partition, "offset": 7}
    assert parsed.residence is not None
    assert parsed.residence.model_dump() == {
        "province": "01",
        "district": "0102",
        "commune": "010203",
        "village": "01020304",
    }
    assert parsed.digest == digest(registration()["voter"], registration()["residence"])


def test_a_residence_may_be_a_commune_and_digits_may_be_khmer() -> None:
    data = registration(
        residence__village_code="010203",
        polling_station=None,
        voter__date_of_birth="១៩៩០-០៤-១២",
        voter__identity_document={"kind": "national_id", "number": "០១០២០៣០៤០"},
    )
    accepted = last(event(Type.REGISTERED, data))
    assert isinstance(accepted, Accepted)
    assert accepted.record["residence"]["village"] is None
    assert accepted.record["voter"]["date_of_birth"] == "១៩៩០-០៤-១២"
    assert accepted.record["voter"]["normalised"]["date_of_birth"] == "1990-04-12"
    assert accepted.record["voter"]["normalised"]["identity_document"]["number"] == "010203040"


def test_a_rejection_has_the_contracts_shape_and_names_who_sent_it() -> None:
    record = event(Type.REGISTERED, registration(residence__village_code="99999999"), offset=3)
    rejected = last(record)
    assert isinstance(rejected, Rejected)
    output = OutputBuilder("kh-test", PARTITIONS).rejected(incoming(record), rejected)
    parsed = outputs.Rejected.model_validate_json(output.value or b"")
    assert (parsed.office, parsed.device, parsed.registration_id) == ("010203", "D-0042", REGISTRATION)
    assert parsed.source.model_dump() == {
        "topic": Topic.EVENTS.value,
        "partition": record.partition,
        "offset": 3,
    }
    assert (output.key, output.partition) == (
        REGISTRATION.encode(),
        partition_for(REGISTRATION.encode(), PARTITIONS),
    )


def test_of_many_errors_the_first_twenty_are_told_and_all_are_counted() -> None:
    within = {name: {"x": 1} for name in ("family_name", "given_name", "identity_document")}
    voter = {**dict.fromkeys(registration()["voter"], 7), **within, "x": 1}
    capture = {**dict.fromkeys(registration()["capture"], True), "x": 1}
    data = registration(voter=voter, capture=capture, revision="1", polling_station=7, residence={"x": 1})
    record = event(Type.REGISTERED, {**data, "x": 1})
    rejected = last(record)
    assert isinstance(rejected, Rejected)
    value = OutputBuilder("kh-test", PARTITIONS).rejected(incoming(record), rejected).value or b""
    parsed = outputs.Rejected.model_validate_json(value)
    told = [(each.path, each.rule) for each in parsed.errors]
    assert (len(told), parsed.errors_total) == (20, 22)
    assert told == sorted(set(told))
    document = outcome_document(Settled(record, incoming(record), rejected))
    assert document is not None
    assert (document["errors"], document["errors_total"]) == (json.loads(value)["errors"], 22)


def test_a_rejection_of_what_does_not_say_who_it_is_has_no_key() -> None:
    record = event(Type.REGISTERED, {"registration_id": "not an id"}, key=b"any")
    rejected = last(record)
    assert isinstance(rejected, Rejected)
    output = OutputBuilder("kh-test", PARTITIONS).rejected(incoming(record), rejected)
    assert output.key is None
    assert b"not an id" not in (output.value or b"")
