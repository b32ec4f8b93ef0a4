"""Captures whose shape or values the contract refuses: one broken field each."""

import json
from collections.abc import Callable
from typing import Any

from simulator.messages import Message, compact

Data = dict[str, Any]
INVALID = ("rejected", "invalid")


def _set(path: str, value: Any) -> Callable[[Data], None]:
    """Breaks a capture by writing a value at a dotted path."""
    *parents, last = path.split(".")

    def change(data: Data) -> None:
        for name in parents:
            data = data[name]
        data[last] = value

    return change


def _delete(path: str) -> Callable[[Data], None]:
    *parents, last = path.split(".")

    def change(data: Data) -> None:
        for name in parents:
            data = data[name]
        del data[last]

    return change


def _precise_month(data: Data) -> None:
    data["voter"].update(date_of_birth="1980-05-17", date_of_birth_precision="month")


def _no_script(data: Data) -> None:
    data["voter"]["family_name"] = {"km": None, "latin": None}


REGISTERED: dict[str, Callable[[Data], None]] = {
    "sex_missing": _delete("voter.sex"),
    "sex_abbreviated": _set("voter.sex", "F"),
    "no_such_day": _set("voter.date_of_birth", "1990-02-30"),
    "date_the_other_way_round": _set("voter.date_of_birth", "12/04/1990"),
    "precision_unknown": _set("voter.date_of_birth_precision", "week"),
    "day_beyond_precision": _precise_month,
    "name_in_no_script": _no_script,
    "name_empty": _set("voter.given_name.latin", ""),
    "name_is_a_number": _set("voter.given_name", {"latin": 7}),
    "name_endless": _set("voter.given_name.latin", "SOVANN" * 400),
    "field_unknown": _set("voter.nickname", "TOUCH"),
    "field_unknown_on_top": _set("comment", "urgent"),
    "document_kind_unknown": _set(
        "voter.identity_document", {"kind": "driving_licence", "number": "0102030"}
    ),
    "document_without_number": _set("voter.identity_document", {"kind": "national_id"}),
    "revision_two_first": _set("revision", 2),
    "revision_zero": _set("revision", 0),
    "revision_is_text": _set("revision", "1"),
    "revision_is_broken": _set("revision", 1.5),
    "village_of_five_digits": _set("residence.village_code", "01020"),
    "village_is_a_number": _set("residence.village_code", 1020304),
    "residence_missing": _delete("residence"),
    "voter_is_null": _set("voter", None),
    "capture_missing": _delete("capture"),
    "sequence_negative": _set("capture.sequence", -1),
    "sequence_too_high": _set("capture.sequence", 10_000),
    "device_with_blank": _set("capture.device", "D 0042"),
    "moment_without_zone": _set("capture.captured_at", "2026-10-20T08:15:00"),
    "moment_impossible": _set("capture.captured_at", "2026-10-20T25:15:00+07:00"),
    "station_malformed": _set("polling_station", "010203/01"),
}
"""By name, for events of the type `registered`."""

REMOVED: dict[str, Callable[[Data], None]] = {
    "removal_reason_unknown": _set("reason", "gone"),
    "removal_with_voter": _set("voter", {"sex": "male"}),
}
BATCH_CLOSED: dict[str, Callable[[Data], None]] = {
    "count_does_not_add_up": lambda data: data.update(count=data["count"] + 1),
    "closing_without_batch": _delete("batch"),
    "closing_of_too_many": lambda data: data.update(first_sequence=0, last_sequence=10_000, count=10_001),
}


def broken(message: Message, change: Callable[[Data], None]) -> str:
    """The message's data as JSON after the change."""
    data = json.loads(message.data)
    change(data)
    return compact(data)
