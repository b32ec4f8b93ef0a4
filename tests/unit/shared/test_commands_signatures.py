"""A command whose signature is missing or wrong, or that one person alone sent, has no effect: every type,
every fault."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from shared.commands.state import State
from shared.contracts.commands import OFFICER_HEADER, SIGNATURE_HEADER, CommandType
from shared.contracts.identity import canonical, sha256_hex
from shared.reference.officers import command_headers
from tests.kit.command_log import (
    NO_PLACES,
    OFFICERS,
    REGISTER,
    CommandLog,
    all_roles,
    key_of,
    officer,
    pair_of,
    running,
)

Headers = tuple[tuple[str, bytes], ...]
PAIR = pair_of(("r-1", "a" * 64), ("r-2", "b" * 64))
FINALISED = {
    "roll": "roll-1",
    "epoch": 1,
    "election": {"kind": "commune_council", "day": "2027-06-06"},
    "kind": "final",
    "undecided": "refuse",
}
DECIDED = {"pair": PAIR, "decision": "different_persons", "reason": "seen both"}
PROPOSALS: Mapping[CommandType, tuple[str, dict[str, Any]]] = {
    CommandType.ADOPTED: ("admin", {"kind": "gazetteer", "version": "2", "sha256": "c" * 64}),
    CommandType.CUT_OFF: ("publisher", {"epoch": 1}),
    CommandType.DECIDED: ("adjudicator", DECIDED),
    CommandType.REVERSED: ("adjudicator", {"pair": PAIR, "reason": "mistaken"}),
    CommandType.FINALISED: ("publisher", FINALISED),
}


def without(name: str) -> Callable[[Headers], Headers]:
    return lambda headers: tuple(each for each in headers if each[0] != name)


def instead(name: str, value: bytes) -> Callable[[Headers], Headers]:
    return lambda headers: (*without(name)(headers), (name, value))


def bit_flipped(headers: Headers) -> Headers:
    raw = bytearray(base64.b64decode(dict(headers)[SIGNATURE_HEADER]))
    raw[3] ^= 1
    return instead(SIGNATURE_HEADER, base64.b64encode(bytes(raw)))(headers)


def another_text_of_the_same_bytes(headers: Headers) -> Headers:
    """Base64 leaves four bits of its last character unused."""
    text = dict(headers)[SIGNATURE_HEADER].decode()
    other = {"A": "B", "Q": "R", "g": "h", "w": "x"}[text[-3]]
    return instead(SIGNATURE_HEADER, f"{text[:-3]}{other}==".encode())(headers)


CHANGED: Mapping[str, Callable[[Headers], Headers]] = {
    "no signature": without(SIGNATURE_HEADER),
    "an empty signature": instead(SIGNATURE_HEADER, b""),
    "no officer": without(OFFICER_HEADER),
    "another officer": instead(OFFICER_HEADER, b"marker"),
    "nobody's name": instead(OFFICER_HEADER, b"nobody"),
    "a bit of the signature": bit_flipped,
    "another text of it": another_text_of_the_same_bytes,
    "another id": instead("ce_id", b"other"),
    "64 zero bytes": instead(SIGNATURE_HEADER, base64.b64encode(bytes(64))),
}
OTHERWISE_SIGNED: Mapping[str, dict[str, str]] = {
    "by another's key": {"key": "stranger"},
    "for another register": {"register": "kh-other"},
    "as another type": {"ce_type": "x.other.v1"},
    "over another value": {"value": "{}"},
}


def effects(state: State) -> tuple[Any, ...]:
    """What a command can do; verdicts on the forged messages themselves are none."""
    return (
        {kind: list(adopted) for kind, adopted in state.adoptions.items()},
        dict(state.cut_offs),
        list(state.decision_log),
        list(state.finalise_requests),
        {
            ce_id: each
            for ce_id, each in state.verdicts.items()
            if each.verdict not in ("refused", "open") or each.signed
        },
    )


def send(log: CommandLog, ce_type: str, data: Any, name: str, ce_id: str, how: str | None = None) -> None:
    """As the officer would; with `how` not quite."""
    value = canonical(data)
    signed = {"register": REGISTER, "key": name, "ce_type": ce_type, "value": value.decode()}
    signed |= OTHERWISE_SIGNED.get(how or "", {})
    key = key_of(signed["key"])
    headers = command_headers(
        signed["register"], name, key, signed["ce_type"], ce_id, signed["value"].encode()
    )
    headers = instead("ce_type", ce_type.encode())(headers)
    log.append(CHANGED[how](headers) if how and how in CHANGED else headers, value)


HOWS = [*CHANGED, *OTHERWISE_SIGNED]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("ce_type", PROPOSALS, ids=lambda each: each.split(".")[2])
def test_a_proposal_that_is_not_signed_has_no_effect_even_if_somebody_approves_it(
    ce_type: CommandType, how: str
) -> None:
    name, data = PROPOSALS[ce_type]
    log = running()
    log.decide(("r-1", "a" * 64), ("r-2", "b" * 64), None)  # something to reverse
    before = effects(log.state())
    send(log, ce_type, data, name, "forged", how)
    assert effects(log.state()) == before
    told = {"command_id": "forged", "command_sha256": sha256_hex(canonical(data)), "reason": "slipped in"}
    approval = log.send(CommandType.APPROVED, told, "approver")
    after = log.state()
    assert after.verdicts[approval].reason == "unknown_command"
    assert (after.cut_offs, after.decision_log, after.finalise_requests) == (before[1], before[2], before[3])


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(
    "ce_type", [CommandType.APPROVED, CommandType.WITHDRAWN], ids=["approval", "withdrawal"]
)
def test_an_approval_or_withdrawal_that_is_not_signed_settles_nothing(ce_type: CommandType, how: str) -> None:
    log = running()
    proposal = log.send(CommandType.CUT_OFF, {"epoch": 1}, "publisher")
    data = {"command_id": proposal, "reason": "slipped in"}
    if ce_type == CommandType.APPROVED:
        data["command_sha256"] = sha256_hex(canonical({"epoch": 1}))
    before = effects(log.state())
    send(log, ce_type, data, "approver", "forged", how)
    assert effects(log.state()) == before
    assert log.state().verdicts[proposal].verdict == "open"


def test_the_same_with_its_signature_has_one() -> None:
    """Else the tests above could not fail."""
    for ce_type, (name, data) in PROPOSALS.items():
        log = running()
        log.decide(("r-1", "a" * 64), ("r-2", "b" * 64), None)
        log.files["c" * 64] = NO_PLACES
        if ce_type == CommandType.FINALISED:
            log.cut_off(1)
        before = effects(log.state())
        send(log, ce_type, data, name, "mine")
        log.approve("mine")
        assert log.state().verdicts["mine"].approved_by == "approver"
        assert effects(log.state()) != before


@pytest.mark.parametrize("ce_type", PROPOSALS, ids=lambda each: each.split(".")[2])
@pytest.mark.parametrize("second", ["alone", "second-name"])
def test_one_person_with_every_role_and_two_names_settles_nothing_alone(
    ce_type: CommandType, second: str
) -> None:
    """The second name has the key of the first: another officer is another name and another key."""
    _, data = PROPOSALS[ce_type]
    names = [all_roles("alone"), officer("second-name", ["approver"], key_name="alone")]
    log = CommandLog([*OFFICERS, *names]).found().adopt_all()
    log.decide(("r-1", "a" * 64), ("r-2", "b" * 64), None)
    proposal = log.send(ce_type, data, "alone")
    before = effects(log.state())
    approval = log.approve(proposal, second, key="alone")
    after = log.state()
    assert after.verdicts[approval].reason == "same_officer"
    assert after.verdicts[proposal].verdict == "open"
    assert (after.cut_offs, after.decision_log) == (before[1], before[2])
