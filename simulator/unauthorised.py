"""Events that a register with devices does not believe: forged, replayed, foreign, out of the office's area.

What becomes of each is the truth's to say; here they are only made.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

from simulator import invalid
from simulator.dice import Dice
from simulator.fault import AFTER, BEFORE, Around, Fault
from simulator.keys import DeviceKey
from simulator.messages import TYPE, Message, compact
from simulator.offices import Device, holds

FOREIGN = "kh-2021"
"""Another register, for which the same device signs."""

Change = Callable[[Message, Dice, Around], Message]


def catalogue() -> Iterator[Fault]:
    """Every kind, in a fixed order."""
    for name, make in _SIGNATURES.items():
        yield Fault(name, BEFORE, "registered", make)
    yield Fault("replayed_under_another_id", AFTER, "registered", _under_another_id)
    yield Fault("replayed_by_another_device", AFTER, "registered", _by_another_device)
    yield Fault("resent_without_signature", AFTER, "registered", _unsigned)
    yield Fault("removal_forged", BEFORE, "removed", _signed_by_another)
    yield Fault("closing_unsigned", BEFORE, "batch_closed", _unsigned)
    yield Fault("closing_forged", BEFORE, "batch_closed", _signed_by_another)
    yield Fault("registered_out_of_area", BEFORE, "registered", _by_another_office)
    yield Fault("corrected_out_of_area", BEFORE, "corrected", _by_another_office)
    yield Fault("correction_moves_out_of_area", BEFORE, "corrected", _moves_out)
    yield Fault("transferred_out_of_area", BEFORE, "transferred", _by_another_office)
    yield Fault("transfer_changes_the_voter", BEFORE, "transferred", _changes_the_voter)
    yield Fault("removed_out_of_area", BEFORE, "removed", _by_another_office)
    yield Fault("removed_after_their_transfer", AFTER, "transferred", _removal)
    yield Fault("reinstated_out_of_area", BEFORE, "reinstated", _by_another_office)
    yield Fault("reinstatement_changes_the_voter", BEFORE, "reinstated", _changes_the_voter)


def _unsigned(message: Message, dice: Dice, around: Around) -> Message:
    return replace(message, signature="", line=None)


def _with(signature: Callable[[Message, Around], str]) -> Change:
    """A signature in the place of the device's own."""
    return lambda message, dice, around: replace(message, signature=signature(message, around), line=None)


def _by_an_unknown_key(message: Message, around: Around) -> str:
    key = DeviceKey(around.seed, "a stranger", _register(around))
    return key.signature(message.type, message.source, message.event_id, message.data)


def _for_another_register(message: Message, around: Around) -> str:
    key = DeviceKey(around.seed, message.signer.name, FOREIGN)
    return key.signature(message.type, message.source, message.event_id, message.data)


def _signed_by_another(message: Message, dice: Dice, around: Around) -> Message:
    return replace(message, signer=_other(message, dice, around), line=None)


def _altered(message: Message, dice: Dice, around: Around) -> Message:
    return replace(message, data=_another_phone(message, dice), signature=message.signed(), line=None)


def _as_another_type(message: Message, dice: Dice, around: Around) -> Message:
    return replace(message, type=TYPE.format("corrected"), signature=message.signed(), line=None)


def _device_unknown(message: Message, dice: Dice, around: Around) -> Message:
    name = "D-9999"
    unknown = replace(message.signer, name=name, key=DeviceKey(around.seed, name, _register(around)))
    return _captured_by(unknown, message)


def _office_of_another(message: Message, dice: Dice, around: Around) -> Message:
    """A device signs for an office that is not its own, into that office's area."""
    stranger = _other(message, dice, around)
    return _captured_by(stranger, message, office=message.signer.office)


def _unsigned_and_invalid(message: Message, dice: Dice, around: Around) -> Message:
    data = invalid.broken(message, lambda data: data["voter"].pop("sex"))
    return replace(message, data=data, signature="", verdict=invalid.INVALID, line=None)


def _for_nobody(message: Message, dice: Dice, around: Around) -> Message:
    """A forged correction of what was never registered: the signature is looked at first."""
    return replace(message, type=TYPE.format("corrected"), signature="", line=None)


_SIGNATURES: dict[str, Change] = {
    "unsigned": _unsigned,
    "forged": _with(_by_an_unknown_key),
    "signed_by_another_device": _signed_by_another,
    "signed_for_another_register": _with(_for_another_register),
    "signature_cut_off": _with(lambda message, _: message.signed()[:40]),
    "signature_no_base64": _with(lambda message, _: "no signature at all"),
    "altered_after_signing": _altered,
    "another_type_after_signing": _as_another_type,
    "device_unknown": _device_unknown,
    "office_of_another_device": _office_of_another,
    "unsigned_and_invalid": _unsigned_and_invalid,
    "unsigned_and_unknown": _for_nobody,
}
"""Made of a registration that comes afterwards as it should be."""


def _under_another_id(message: Message, dice: Dice, around: Around) -> Message:
    return replace(message, event_id=f"{message.event_id}.a", signature=message.signed(), line=None)


def _by_another_device(message: Message, dice: Dice, around: Around) -> Message:
    """The data of a device under another's name, with the signature that they came with."""
    return replace(
        _captured_by(_other(message, dice, around), message), signature=message.signed(), line=None
    )


def _by_another_office(message: Message, dice: Dice, around: Around) -> Message:
    """Signed as it should be, by an office in whose area the voter does not live."""
    return _captured_by(_other(message, dice, around), message)


def _moves_out(message: Message, dice: Dice, around: Around) -> Message:
    elsewhere = _other(message, dice, around).office

    def move(data: invalid.Data) -> None:
        data["residence"] = {"village_code": elsewhere}
        data["polling_station"] = None

    return _another(message, data=invalid.broken(message, move))


def _changes_the_voter(message: Message, dice: Dice, around: Around) -> Message:
    return _another(message, data=_another_phone(message, dice))


def _removal(message: Message, dice: Dice, around: Around) -> Message:
    """By the office that has just received the voter."""
    data = json.loads(message.data)
    revision = message.revision + 1
    removal = {"registration_id": message.subject, "revision": revision, "reason": "moved"}
    return _another(
        message,
        type=TYPE.format("removed"),
        revision=revision,
        data=compact({**removal, "capture": data["capture"]}),
    )


def _another(message: Message, **changes: object) -> Message:
    """Another event of the same device."""
    return replace(message, event_id=f"{message.event_id}.a", line=None, **changes)  # type: ignore[arg-type]


def _captured_by(device: Device, message: Message, office: str | None = None) -> Message:
    def change(data: invalid.Data) -> None:
        data["capture"].update(device=device.name, office=office or device.office)

    source = f"/capture/{device.name}"
    return replace(message, data=invalid.broken(message, change), source=source, signer=device, line=None)


def _another_phone(message: Message, dice: Dice) -> str:
    return invalid.broken(message, lambda data: data["voter"].update(phone="0" + dice.digits(8)))


def _register(around: Around) -> str:
    assert around.register is not None, "these faults are of signed streams"
    return around.register


def _other(message: Message, dice: Dice, around: Around) -> Device:
    """A device of an office that may do nothing for this voter's commune."""
    here = message.signer.office
    return dice.pick([each for each in around.offices.devices if not holds(each.areas, here)])
