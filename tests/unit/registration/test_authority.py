"""With devices in force an event needs its device's signature, and the right to do what it does."""

from typing import Any

import pytest

from services.registration.domain import Accepted, Closed, Ignored, Judgement, Reference, Rejected
from shared.contracts.events import EventType as Type
from shared.runtime.record import Record
from tests.kit.registration_kit import (
    DEVICE,
    MemoryStore,
    batch_closed,
    device,
    event,
    registration,
    removal,
    signed,
    with_devices,
)

HERE, THERE, BOTH = "D-0042", "D-0043", "D-0044"
DEVICES = with_devices(
    device(HERE, "010203", ("010203",)),
    device(THERE, "010204", ("010204",)),
    device(BOTH, "0102", ("0102",)),
)
OFFICE = {HERE: "010203", THERE: "010204", BOTH: "0102"}
VILLAGE = {HERE: "01020304", THERE: "01020401"}


def whole(by: str, at: str = HERE, **changes: Any) -> dict[str, Any]:
    """A registration that a device captured, of who lives in a place."""
    return registration(
        **{
            "capture__office": OFFICE[by],
            "capture__device": by,
            "residence__village_code": VILLAGE[at],
            "polling_station": None,
            **changes,
        }
    )


def sent(event_type: str, data: Any, by: str = HERE, **options: Any) -> Record:
    return signed(event(event_type, data, **options), by)


def judged(*records: tuple[Record, int] | Record, reference: Reference = DEVICES) -> list[Judgement]:
    """The judgements of records that come one by one, each with its epoch, 1 unless it is told."""
    store = MemoryStore(reference)
    found: list[Judgement] = []
    for each in records:
        record, epoch = each if isinstance(each, tuple) else (each, 1)
        found += store.settle([record], epoch).values()
    return found


def outcome(*records: tuple[Record, int] | Record) -> str:
    """What becomes of the last: `accepted`, or why it is rejected."""
    *_, last = judged(*records)
    assert isinstance(last, Accepted | Rejected)
    return "accepted" if isinstance(last, Accepted) else last.reason.value


FIRST = sent(Type.REGISTERED, whole(HERE), event_id="first")


def test_a_device_registers_into_its_own_area_only() -> None:
    assert outcome(FIRST) == "accepted"
    assert outcome(sent(Type.REGISTERED, whole(HERE, THERE))) == "not_authorised"
    assert outcome(sent(Type.REGISTERED, whole(BOTH, THERE), BOTH)) == "accepted"


@pytest.mark.parametrize(
    "record",
    [
        event(Type.REGISTERED, whole(HERE)),
        sent(Type.REGISTERED, whole(HERE), THERE),
        sent(Type.REGISTERED, whole(HERE, capture__office="010204")),
        sent(Type.REGISTERED, whole(HERE, capture__device="D-0099"), "D-0099"),
        signed(event(Type.REGISTERED, whole(HERE)), register="kh-other"),
    ],
    ids=["no signature", "another's signature", "another office", "an unknown device", "another register"],
)
def test_what_is_not_signed_by_the_device_that_it_names_for_its_office_is_not_authorised(
    record: Record,
) -> None:
    [judgement] = judged(record)
    assert isinstance(judgement, Rejected)
    assert judgement.reason == "not_authorised"
    assert judgement.errors == ({"path": "", "rule": "not_authorised"},)


def test_a_forged_event_is_rejected_before_its_registration_is_looked_at() -> None:
    stolen = event(Type.REMOVED, removal(registration_id="never-registered"))
    assert outcome(stolen) == "not_authorised"
    assert outcome(signed(stolen)) == "unknown_registration"


@pytest.mark.parametrize("event_type", [Type.CORRECTED, Type.TRANSFERRED, Type.REINSTATED])
def test_of_what_was_never_registered_no_area_is_looked_at(event_type: Type) -> None:
    assert outcome(sent(event_type, whole(HERE, THERE))) == "unknown_registration"


def test_registering_again_outside_of_the_area_is_not_authorised_and_within_it_a_matter_of_state() -> None:
    outside = sent(Type.REGISTERED, whole(HERE, THERE), event_id="again", offset=1)
    inside = sent(Type.REGISTERED, whole(HERE), event_id="again", offset=1)
    assert outcome(FIRST, outside) == "not_authorised"
    assert outcome(FIRST, inside) == "state"


def change(event_type: str, by: str, at: str, revision: int, offset: int, **changes: Any) -> Record:
    data = whole(by, at, revision=revision, **changes)
    return sent(event_type, data, by, event_id=f"e-{offset}", offset=offset)


def gone(by: str, revision: int, offset: int) -> Record:
    data = removal(revision=revision, capture__office=OFFICE[by], capture__device=by)
    return sent(Type.REMOVED, data, by, event_id=f"e-{offset}", offset=offset)


@pytest.mark.parametrize(
    ("by", "to", "expected"),
    [
        (HERE, HERE, "accepted"),
        (HERE, THERE, "not_authorised"),
        (THERE, THERE, "not_authorised"),
        (THERE, HERE, "not_authorised"),
        (BOTH, THERE, "accepted"),
    ],
)
def test_a_correction_needs_the_old_and_the_new_residence_in_its_area(
    by: str, to: str, expected: str
) -> None:
    assert outcome(FIRST, change(Type.CORRECTED, by, to, 2, 1)) == expected


@pytest.mark.parametrize(
    ("by", "expected"), [(HERE, "accepted"), (THERE, "not_authorised"), (BOTH, "accepted")]
)
def test_a_removal_needs_the_last_residence_in_its_area(by: str, expected: str) -> None:
    assert outcome(FIRST, gone(by, 2, 1)) == expected


def test_the_last_residence_is_that_of_the_last_version_with_one_removed_or_not() -> None:
    moved = change(Type.CORRECTED, BOTH, THERE, 2, 1)
    assert outcome(FIRST, moved, gone(HERE, 3, 2)) == "not_authorised"
    assert outcome(FIRST, moved, gone(THERE, 3, 2)) == "accepted"
    back = change(Type.REINSTATED, THERE, THERE, 4, 3)
    assert outcome(FIRST, moved, gone(THERE, 3, 2), back, gone(THERE, 5, 4)) == "accepted"


def test_a_transfer_is_into_the_area_from_anywhere_with_the_voter_unchanged() -> None:
    assert outcome(FIRST, change(Type.TRANSFERRED, THERE, THERE, 2, 1)) == "accepted"
    assert outcome(FIRST, change(Type.TRANSFERRED, HERE, THERE, 2, 1)) == "not_authorised"
    other = change(Type.TRANSFERRED, THERE, THERE, 2, 1, voter__sex="male")
    assert outcome(FIRST, other) == "not_authorised"


def test_a_voter_is_compared_as_in_the_digest() -> None:
    voter = registration()["voter"]
    del voter["phone"]
    spelt = change(Type.TRANSFERRED, THERE, THERE, 2, 1, voter=dict(reversed(voter.items())))
    assert outcome(FIRST, spelt) == "accepted"


def test_a_reinstatement_is_into_the_area_with_the_voter_of_the_last_version_that_has_one() -> None:
    removed = gone(HERE, 2, 1)
    assert outcome(FIRST, removed, change(Type.REINSTATED, HERE, HERE, 3, 2)) == "accepted"
    assert outcome(FIRST, removed, change(Type.REINSTATED, THERE, THERE, 3, 2)) == "accepted"
    assert outcome(FIRST, removed, change(Type.REINSTATED, THERE, HERE, 3, 2)) == "not_authorised"
    changed = change(Type.REINSTATED, HERE, HERE, 3, 2, voter__date_of_birth="1990-04-13")
    assert outcome(FIRST, removed, changed) == "not_authorised"


def test_who_came_by_a_transfer_is_removed_in_a_later_epoch_only_whatever_followed() -> None:
    came = change(Type.TRANSFERRED, THERE, THERE, 2, 1)
    corrected = change(Type.CORRECTED, THERE, THERE, 3, 2)
    assert outcome(FIRST, came, gone(THERE, 3, 2)) == "not_authorised"
    assert outcome(FIRST, came, corrected, gone(THERE, 4, 3)) == "not_authorised"
    assert outcome(FIRST, came, (gone(THERE, 3, 2), 2)) == "accepted"
    assert outcome(FIRST, came, (corrected, 2), (gone(THERE, 4, 3), 2)) == "accepted"
    back = change(Type.TRANSFERRED, HERE, HERE, 3, 2)
    assert outcome(FIRST, came, (back, 2), (gone(HERE, 4, 3), 2)) == "not_authorised"


def test_what_is_judged_again_is_judged_by_the_history_before_it() -> None:
    came = change(Type.TRANSFERRED, THERE, THERE, 2, 1)
    corrected = change(Type.CORRECTED, THERE, THERE, 3, 2)
    store = MemoryStore(DEVICES)
    first = [store.settle([record]) for record in (FIRST, came, corrected)]
    assert [store.settle([record]) for record in (FIRST, came, corrected)] == first


def test_closing_a_batch_needs_the_signature_only() -> None:
    closing = event(Type.BATCH_CLOSED, batch_closed(office="0102", device=BOTH))
    forged, own = judged(closing)[0], judged(signed(closing, BOTH))[0]
    assert isinstance(forged, Rejected)
    assert forged.reason == "not_authorised"
    assert isinstance(own, Closed)
    other_office = signed(event(Type.BATCH_CLOSED, batch_closed(office="010204", device=BOTH)), BOTH)
    assert isinstance(judged(other_office)[0], Rejected)


def test_an_empty_devices_file_authorises_nobody_and_none_at_all_everybody() -> None:
    assert isinstance(judged(FIRST, reference=with_devices())[0], Rejected)
    unsigned = event(Type.REGISTERED, whole(HERE, THERE))
    assert isinstance(judged(unsigned, reference=MemoryStore().reference)[0], Accepted)


def test_a_resend_is_a_resend_without_its_signature_and_names_no_batch_then() -> None:
    again = event(Type.REGISTERED, whole(HERE), event_id="first", offset=1)
    store = MemoryStore(DEVICES)
    store.settle([FIRST])
    [judgement] = store.settle([again]).values()
    assert isinstance(judgement, Ignored)
    assert store.senders[FIRST.partition, 0].proven
    assert not store.senders[again.partition, 1].proven


def test_the_shape_comes_before_the_right_and_the_right_before_the_number_of_versions() -> None:
    broken = event(Type.REGISTERED, whole(HERE, voter__sex="x"))
    assert outcome(broken) == "invalid"
    jump = event(Type.CORRECTED, whole(HERE, revision=2_000), event_id="jump", offset=1)
    assert outcome(FIRST, jump) == "invalid"
    assert outcome(sent(Type.REGISTERED, whole(HERE, residence__village_code="99999999"))) == "not_authorised"
    assert outcome(sent(Type.REGISTERED, whole(HERE, residence__village_code="01020399"))) == "unknown_place"


def test_a_rejected_event_of_a_known_device_is_known_to_its_batch() -> None:
    store = MemoryStore(DEVICES)
    store.settle([sent("rollstream.registration.renamed.v1", whole(HERE))])
    assert [each.proven for each in store.senders.values()] == [True]
    assert DEVICE == HERE
