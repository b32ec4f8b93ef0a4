"""The data of officers' commands, read as the contract describes each type."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from audit.decoding import RefusedJSON, loads
from audit.identifiers import identifier
from audit.log import Pair, VersionId

APPROVED = "rollstream.command.approved.v1"
WITHDRAWN = "rollstream.command.withdrawn.v1"
ADOPTED = "rollstream.reference.adopted.v1"
CUT_OFF = "rollstream.register.cut-off.v1"
DECIDED = "rollstream.conflict.decided.v1"
REVERSED = "rollstream.conflict.reversed.v1"
FINALISED = "rollstream.roll.finalised.v1"
SKIPPED = "rollstream.record.skipped.v1"

FIRST_KINDS = ("gazetteer", "stations", "model", "officers", "signing_key")
"""The kinds of reference data without which nothing runs."""

PROPOSER_ROLE = {
    ADOPTED: "administrator",
    CUT_OFF: "publisher",
    DECIDED: "adjudicator",
    REVERSED: "adjudicator",
    FINALISED: "publisher",
    SKIPPED: "administrator",
}


class Invalid(Exception):
    """A member is missing, too many, or not what it must be."""


@dataclass(frozen=True, slots=True)
class Approved:
    """An approval of exactly these bytes."""

    command_id: str
    command_sha256: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A proposal is taken back, or returned."""

    command_id: str


@dataclass(frozen=True, slots=True)
class Adopted:
    """A reference file is to be in force."""

    kind: str
    sha256: str
    lost: bool


@dataclass(frozen=True, slots=True)
class CutOff:
    """An epoch ends."""

    epoch: int


@dataclass(frozen=True, slots=True)
class OnPair:
    """A decision on two versions, or with `decision` None its reversal; `communes` in the pair's order."""

    pair: Pair
    communes: tuple[str, str]
    decision: str | None
    keep: str | None


@dataclass(frozen=True, slots=True)
class Finalised:
    """A roll is to be made of an epoch."""

    roll: str
    epoch: int
    election: Mapping[str, str]
    kind: str
    undecided: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record of a derived topic is to be passed over where it cannot be read."""

    topic: str
    partition: int
    offset: int
    record_sha256: str


Proposed = Adopted | CutOff | OnPair | Finalised | Skipped
Command = Approved | Withdrawn | Proposed


def parse(ce_type: str, value: bytes) -> Command:
    """The data of a command of a known type. Raises Invalid."""
    try:
        data = loads(value)
    except RefusedJSON:
        raise Invalid from None
    if not isinstance(data, dict):
        raise Invalid
    if ce_type == APPROVED:
        _members(data, "command_id", "command_sha256", "reason")
        _text(data["reason"], 1000)
        return Approved(_text(data["command_id"], 256), _matching(r"[0-9a-f]{64}", data["command_sha256"]))
    if ce_type == WITHDRAWN:
        _members(data, "command_id", "reason")
        _text(data["reason"], 1000)
        return Withdrawn(_text(data["command_id"], 256))
    if ce_type == ADOPTED:
        return _adopted(data)
    if ce_type == CUT_OFF:
        _members(data, "epoch")
        return CutOff(_epoch(data["epoch"]))
    if ce_type == FINALISED:
        return _finalised(data)
    if ce_type == SKIPPED:
        return _skipped(data)
    return _on_pair(data, decided=ce_type == DECIDED)


def _adopted(data: dict[str, Any]) -> Adopted:
    _members(data, "kind", "version", "sha256", optional=["lost"])
    kind = _one_of(data["kind"], *FIRST_KINDS, "devices")
    _identifier(data["version"])
    if "lost" in data and (kind != "signing_key" or not isinstance(data["lost"], bool)):
        raise Invalid
    return Adopted(kind, _matching(r"[0-9a-f]{64}", data["sha256"]), data.get("lost", False))


def _skipped(data: dict[str, Any]) -> Skipped:
    _members(data, "topic", "partition", "offset", "record_sha256", "reason")
    _text(data["reason"], 1000)
    return Skipped(
        _one_of(data["topic"], "registration.accepted.v1", "registration.checked.v1"),
        _whole(data["partition"], 2**31),
        _whole(data["offset"], 2**53),
        _matching(r"[0-9a-f]{64}", data["record_sha256"]),
    )


def _on_pair(data: dict[str, Any], *, decided: bool) -> OnPair:
    if decided:
        _members(data, "pair", "decision", "reason", optional=["keep"])
    else:
        _members(data, "pair", "reason")
    _text(data["reason"], 1000)
    if not isinstance(data["pair"], list) or len(data["pair"]) != 2:
        raise Invalid
    (one, its), (other, others) = map(_version, data["pair"])
    if one[0] >= other[0]:
        raise Invalid
    decision, keep = None, data.get("keep")
    if decided:
        decision = _one_of(data["decision"], "same_person", "different_persons")
        if keep not in ((one[0], other[0]) if decision == "same_person" else (None,)):
            raise Invalid
    return OnPair((one, other), (its, others), decision, keep)


def _version(value: Any) -> tuple[VersionId, str]:
    if not isinstance(value, dict):
        raise Invalid
    _members(value, "registration_id", "digest", "commune")
    version = _identifier(value["registration_id"]), _matching(r"[0-9a-f]{64}", value["digest"])
    return version, _matching(r"[0-9]{6}", value["commune"])


def _finalised(data: dict[str, Any]) -> Finalised:
    _members(data, "roll", "epoch", "election", "kind", "undecided")
    election = data["election"]
    if not isinstance(election, dict):
        raise Invalid
    _members(election, "kind", "day")
    _one_of(election["kind"], "national", "commune_council")
    try:
        date.fromisoformat(_matching(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", election["day"]))
    except ValueError:
        raise Invalid from None
    return Finalised(
        _identifier(data["roll"]),
        _epoch(data["epoch"]),
        election,
        _one_of(data["kind"], "preliminary", "final"),
        _one_of(data["undecided"], "refuse", "hold_later"),
    )


def _members(data: dict[str, Any], *names: str, optional: list[str] | None = None) -> None:
    if not set(names) <= set(data) <= {*names, *(optional or ())}:
        raise Invalid


def _text(value: Any, longest: int) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise Invalid
    return value


def _matching(pattern: str, value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
        raise Invalid
    return value


def _identifier(value: Any) -> str:
    found = identifier(value)
    if found is None:
        raise Invalid
    return found


def _one_of(value: Any, *choices: str) -> str:
    if value not in choices:
        raise Invalid
    return str(value)


def _whole(value: Any, bound: int) -> int:
    if type(value) is not int or not 0 <= value < bound:
        raise Invalid
    return value


def _epoch(value: Any) -> int:
    if type(value) is not int or not 1 <= value < 2**31:
        raise Invalid
    return value
