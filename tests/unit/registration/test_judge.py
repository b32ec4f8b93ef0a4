"""Each event gets the contract's outcome, and of several reasons the first in the contract's order."""

from collections.abc import Callable
from typing import Any

import pytest

from services.registration.domain import Accepted, Closed, Ignored, Judgement, Rejected
from shared.contracts import outputs
from shared.contracts.events import EventType as Type
from shared.contracts.topics import partition_for
from shared.runtime.record import Record
from tests.kit.registration_kit import (
    PARTITIONS,
    REGISTRATION,
    MemoryStore,
    batch_closed,
    event,
    registration,
    removal,
)

WRONG_PARTITION = (partition_for(REGISTRATION.encode(), PARTITIONS) + 1) % PARTITIONS


def judged(*records: Record) -> list[Judgement]:
    """The judgements of records that come one by one, each at the next offset of its partition."""
    store = MemoryStore()
    return [next(iter(store.settle([record]).values())) for record in records]


def last(*records: Record) -> Judgement:
    return judged(*records)[-1]


FIRST = event(Type.REGISTERED, registration(), event_id="first", offset=0)


def second(event_type: str, data: Any, **options: Any) -> tuple[Record, Record]:
    return FIRST, event(event_type, data, **{"event_id": "second", "offset": 1, **options})


REJECTIONS: list[tuple[str, tuple[Record, ...], str, str, str]] = [
    (
        "a null key",
        (event(Type.REGISTERED, registration(), key=None),),
        "key_mismatch",
        "",
        "key_mismatch",
    ),
    (
        "another key than the registration's",
        (event(Type.REGISTERED, registration(), key=b"other"),),
        "key_mismatch",
        "",
        "key_mismatch",
    ),
    (
        "a batch closed under another key than the device's",
        (event(Type.BATCH_CLOSED, batch_closed(), key=REGISTRATION.encode()),),
        "key_mismatch",
        "",
        "key_mismatch",
    ),
    (
        "the wrong partition",
        (event(Type.REGISTERED, registration(), partition=WRONG_PARTITION),),
        "wrong_partition",
        "",
        "wrong_partition",
    ),
    (
        "an accepted id with other data",
        second(Type.CORRECTED, registration(revision=2), event_id="first"),
        "id_reused",
        "",
        "id_reused",
    ),
    (
        "an unknown type",
        (event("rollstream.registration.renamed.v1", registration()),),
        "unknown_type",
        "",
        "unknown_type",
    ),
    ("data that is no object", (event(Type.REGISTERED, [1], key=b"any"),), "invalid", "", "type"),
    (
        "data without an id",
        (event(Type.REGISTERED, {"revision": 1}, key=b"any"),),
        "invalid",
        "registration_id",
        "missing",
    ),
    (
        "an unknown field",
        (event(Type.REGISTERED, registration(voter__religion="x")),),
        "invalid",
        "voter",
        "unknown_field",
    ),
    (
        "a first revision of two",
        (event(Type.REGISTERED, registration(revision=2)),),
        "invalid",
        "revision",
        "range",
    ),
    (
        "a jump over 1,000",
        second(Type.CORRECTED, registration(revision=1002)),
        "invalid",
        "revision",
        "jump",
    ),
    (
        "a batch whose count does not add up",
        (event(Type.BATCH_CLOSED, batch_closed(count=4)),),
        "invalid",
        "count",
        "count",
    ),
    (
        "the correction of what was never registered",
        (event(Type.CORRECTED, registration()),),
        "unknown_registration",
        "registration_id",
        "unknown_registration",
    ),
    (
        "a registration under an id in use",
        second(Type.REGISTERED, registration(voter__sex="male")),
        "state",
        "",
        "state",
    ),
    (
        "the reinstatement of what is active",
        second(Type.REINSTATED, registration(revision=2)),
        "state",
        "",
        "state",
    ),
    (
        "a revision that is not above the stored one",
        second(Type.CORRECTED, registration(revision=1, voter__sex="male")),
        "stale_revision",
        "revision",
        "stale_revision",
    ),
    (
        "a village that is not in the gazetteer",
        (event(Type.REGISTERED, registration(residence__village_code="01020399")),),
        "unknown_place",
        "residence.village_code",
        "unknown_place",
    ),
    (
        "a station that is not in the file",
        (event(Type.REGISTERED, registration(polling_station="010203-09")),),
        "unknown_station",
        "polling_station",
        "unknown_station",
    ),
    (
        "a station of another commune",
        (event(Type.REGISTERED, registration(polling_station="010204-01")),),
        "unknown_station",
        "polling_station",
        "unknown_station",
    ),
    (
        "someone of fourteen",
        (event(Type.REGISTERED, registration(voter__date_of_birth="2011-10-21")),),
        "implausible_birth_date",
        "voter.date_of_birth",
        "implausible_birth_date",
    ),
]


@pytest.mark.parametrize(
    ("records", "reason", "path", "rule"),
    [case[1:] for case in REJECTIONS],
    ids=[case[0] for case in REJECTIONS],
)
def test_a_wrong_event_is_rejected_with_its_reason_path_and_rule(
    records: tuple[Record, ...], reason: str, path: str, rule: str
) -> None:
    judgement = last(*records)
    assert isinstance(judgement, Rejected)
    assert judgement.reason == reason
    assert {"path": path, "rule": rule} in judgement.errors


# Each row spoils one more thing, from the last reason to the first; the newest must win.
SPOILERS: list[tuple[str, Callable[[dict[str, Any], dict[str, Any]], None]]] = [
    ("implausible_birth_date", lambda data, _: data["voter"].update(date_of_birth="2020-01-01")),
    ("unknown_station", lambda data, _: data.update(polling_station="nowhere")),
    ("unknown_place", lambda data, _: data["residence"].update(village_code="99999999")),
    ("stale_revision", lambda data, _: data.update(revision=1)),
    ("state", lambda _, options: options.update(event_type=Type.REINSTATED)),
    ("invalid", lambda data, _: data.update(unknown=1)),
    ("unknown_type", lambda _, options: options.update(event_type="rollstream.other.v1")),
    ("id_reused", lambda _, options: options.update(event_id="first")),
    ("wrong_partition", lambda _, options: options.update(partition=WRONG_PARTITION)),
    ("key_mismatch", lambda _, options: options.update(key=b"other")),
]


@pytest.mark.parametrize("spoilt", range(1, len(SPOILERS) + 1))
def test_of_several_reasons_the_first_in_the_contracts_order_is_told(spoilt: int) -> None:
    data, options = registration(revision=2), dict[str, Any](event_type=Type.CORRECTED)
    for _, spoil in SPOILERS[:spoilt]:
        spoil(data, options)
    judgement = last(*second(options.pop("event_type"), data, **options))
    assert isinstance(judgement, Rejected)
    assert judgement.reason == SPOILERS[spoilt - 1][0]


def test_the_spoilers_cover_the_contracts_order() -> None:
    order = [reason.value for reason in outputs.RejectionReason]
    told = [reason for reason, _ in reversed(SPOILERS)]
    assert [reason for reason in order if reason in told] == told


def test_an_unknown_registration_comes_before_its_state_and_after_its_shape() -> None:
    unknown = event(Type.REINSTATED, registration(residence__village_code="99999999"))
    misshapen = event(Type.REINSTATED, registration(residence__village_code="9"))
    reasons = [each.reason for each in judged(unknown, misshapen) if isinstance(each, Rejected)]
    assert reasons == ["unknown_registration", "invalid"]


def test_two_hundred_versions_are_taken_then_only_a_removal_and_nothing_after_it() -> None:
    records = [
        event(
            Type.CORRECTED if number else Type.REGISTERED,
            registration(revision=number + 1),
            event_id=f"e-{number}",
            offset=number,
        )
        for number in range(201)
    ]
    records.append(event(Type.REMOVED, removal(revision=300), event_id="gone", offset=201))
    records.append(event(Type.REINSTATED, registration(revision=301), event_id="back", offset=202))
    *taken, one_more, gone, back = judged(*records)
    assert all(isinstance(each, Accepted) for each in taken)
    assert isinstance(one_more, Rejected)
    assert one_more.reason == "too_many_versions"
    assert isinstance(gone, Accepted)
    assert isinstance(back, Rejected)
    assert back.reason == "too_many_versions"


def test_a_resend_is_ignored_in_either_mode_and_whatever_its_spelling() -> None:
    spelt_otherwise = event(Type.REGISTERED, registration(), event_id="first", offset=1)
    value = spelt_otherwise.value or b""
    reordered = Record(
        spelt_otherwise.topic,
        spelt_otherwise.partition,
        1,
        spelt_otherwise.timestamp,
        spelt_otherwise.key,
        b'{"specversion": "1.0", "id": "first", "source": "capture/D-0042", "type": "'
        + Type.REGISTERED.encode()
        + b'", "data":  '
        + value
        + b"}",
        (("content-type", b"application/cloudevents+json"),),
    )
    assert isinstance(last(FIRST, spelt_otherwise), Ignored)
    assert isinstance(last(FIRST, reordered), Ignored)


def test_the_resend_of_a_rejected_event_is_judged_anew() -> None:
    early = event(Type.CORRECTED, registration(revision=2), event_id="c", offset=0)
    first = event(Type.REGISTERED, registration(), event_id="r", offset=1)
    again = event(Type.CORRECTED, registration(revision=2), event_id="c", offset=2)
    assert [type(each) for each in judged(early, first, again)] == [Rejected, Accepted, Accepted]


def test_the_same_id_of_another_source_is_another_event() -> None:
    judgement = last(
        *second(Type.CORRECTED, registration(revision=2), event_id="first", source="capture/other")
    )
    assert isinstance(judgement, Accepted)


def test_a_resend_of_a_closed_batch_is_ignored_and_a_later_close_is_accepted() -> None:
    first = event(Type.BATCH_CLOSED, batch_closed(), event_id="c", offset=0)
    again = event(Type.BATCH_CLOSED, batch_closed(), event_id="c", offset=1)
    other = event(Type.BATCH_CLOSED, batch_closed(last_sequence=4, count=4), event_id="c", offset=2)
    later = event(Type.BATCH_CLOSED, batch_closed(last_sequence=4, count=4), event_id="d", offset=3)
    kinds = judged(first, again, other, later)
    assert [type(each) for each in kinds] == [Closed, Ignored, Rejected, Closed]
    assert isinstance(kinds[2], Rejected)
    assert kinds[2].reason == "id_reused"


def test_a_batch_is_closed_200_times_at_most() -> None:
    log = [event(Type.BATCH_CLOSED, batch_closed(), event_id=f"c-{each}", offset=each) for each in range(201)]
    *closed, one_more, resent = judged(
        *log, event(Type.BATCH_CLOSED, batch_closed(), event_id="c-7", offset=201)
    )
    assert all(isinstance(each, Closed) for each in closed)
    assert isinstance(one_more, Rejected)
    assert one_more.reason == "too_many_versions"
    assert isinstance(resent, Ignored)


def test_an_empty_batch_may_be_closed() -> None:
    empty = event(Type.BATCH_CLOSED, batch_closed(first_sequence=1, last_sequence=0, count=0))
    assert isinstance(last(empty), Closed)


def test_a_removed_registration_keeps_its_digest_and_can_be_reinstated() -> None:
    registered, removed, reinstated = judged(
        FIRST,
        event(Type.REMOVED, removal(), event_id="gone", offset=1),
        event(Type.REINSTATED, registration(revision=3), event_id="back", offset=2),
    )
    assert isinstance(registered, Accepted)
    assert isinstance(removed, Accepted)
    assert isinstance(reinstated, Accepted)
    assert removed.record["status"] == "removed"
    assert removed.record["removal_reason"] == "moved"
    assert removed.record["digest"] == registered.record["digest"] == reinstated.record["digest"]
    assert not {"voter", "residence", "polling_station"} & removed.record.keys()
    assert reinstated.record["first_accepted_at"] == registered.record["first_accepted_at"]


@pytest.mark.parametrize("event_type", [Type.CORRECTED, Type.TRANSFERRED, Type.REMOVED])
def test_what_is_removed_can_only_be_reinstated(event_type: Type) -> None:
    data = removal(revision=3) if event_type == Type.REMOVED else registration(revision=3)
    gone = event(Type.REMOVED, removal(), event_id="gone", offset=1)
    judgement = last(FIRST, gone, event(event_type, data, event_id="third", offset=2))
    assert isinstance(judgement, Rejected)
    assert judgement.reason == "state"
