"""What becomes of each message: the contract's order of reasons, folded over the order of arrival.

Written from the contract alone, over what the generator knows of its own messages; it shares nothing with
the services.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from client.wire import BATCH_CLOSED
from simulator.authority import REGISTERED, REMOVED, Authority, DeviceRow
from simulator.messages import TYPE, Message

MOST_REVISIONS_AT_ONCE = 1000
TRANSFERRED, REINSTATED = TYPE.format("transferred"), TYPE.format("reinstated")
EARLY = ("key_mismatch", "wrong_partition")


class Outcome(NamedTuple):
    """`expected` is accepted, ignored, rejected or dead_lettered; `reason` empty or the contract's code."""

    expected: str
    reason: str


ACCEPTED = Outcome("accepted", "")
RESEND = Outcome("ignored", "resend")


@dataclass(slots=True)
class _History:
    """`accepted` has type and data by source and id; `last` is the data of the last version with a residence,
    `transferred` the epoch of the last transfer."""

    revision: int = 0
    active: bool = False
    accepted: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    last: str | None = None
    transferred: int | None = None


class Truth:
    """Judges messages one after the other, in the order in which they lie in their partitions.

    `devices` are those that the register has adopted; None: it has not, and nobody needs to sign.
    """

    def __init__(self, devices: Iterable[DeviceRow] | None) -> None:
        self._authority = None if devices is None else Authority(devices)
        self._histories: dict[str, _History] = {}

    def judge(self, message: Message, epoch: int = 1) -> Outcome:
        """The outcome of the next message, which lies in that epoch."""
        verdict = message.verdict
        if verdict and (verdict[0] == "dead_lettered" or verdict[1] in EARLY):
            return Outcome(*verdict)
        history = self._histories.get(message.subject) or _History()
        before = history.accepted.get((message.source, message.event_id))
        if before is not None:
            return RESEND if before == (message.type, message.data) else _rejected("id_reused")
        if verdict and verdict[1] in ("unknown_type", "invalid"):
            return Outcome(*verdict)
        closing = message.type == BATCH_CLOSED
        reason = (
            _jump(message, history)
            or self._unauthorised(message, history, epoch)
            or ("" if closing else _by_history(message, history))
            or message.late_fault
        )
        if reason:
            return _rejected(reason)
        history.accepted[message.source, message.event_id] = message.type, message.data
        history.revision = message.revision
        history.active = message.type != REMOVED
        if message.type == TRANSFERRED:
            history.transferred = epoch
        if history.active and not closing:
            history.last = message.data
        self._histories[message.subject] = history
        return ACCEPTED

    def _unauthorised(self, message: Message, history: _History, epoch: int) -> str:
        allowed = self._authority is None or self._authority.allows(
            message, history.last, history.transferred, epoch
        )
        return "" if allowed else "not_authorised"

    def active(self, registration_id: str) -> bool:
        """Whether the registration stands at the end."""
        history = self._histories.get(registration_id)
        return history is not None and history.active


def _rejected(reason: str) -> Outcome:
    return Outcome("rejected", reason)


def _jump(message: Message, history: _History) -> str:
    known = bool(history.accepted) and message.type != BATCH_CLOSED
    return "invalid" if known and message.revision > history.revision + MOST_REVISIONS_AT_ONCE else ""


def _by_history(message: Message, history: _History) -> str:
    known = bool(history.accepted)
    if message.type == REGISTERED:
        return "state" if known else ""
    if not known:
        return "unknown_registration"
    if history.active == (message.type == REINSTATED):
        return "state"
    return "stale_revision" if message.revision <= history.revision else ""
