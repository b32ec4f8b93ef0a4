"""What becomes of each message: the contract's order of reasons, folded over the order of arrival.

Written from the contract alone, over what the generator knows of its own messages; it shares nothing with
the services and reads no event.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from client.wire import BATCH_CLOSED
from simulator.messages import TYPE, Message

MOST_REVISIONS_AT_ONCE = 1000
REGISTERED, REMOVED, REINSTATED = TYPE.format("registered"), TYPE.format("removed"), TYPE.format("reinstated")
EARLY = ("key_mismatch", "wrong_partition")


class Outcome(NamedTuple):
    """`expected` is accepted, ignored, rejected or dead_lettered; `reason` empty or the contract's code."""

    expected: str
    reason: str


ACCEPTED = Outcome("accepted", "")
RESEND = Outcome("ignored", "resend")


@dataclass(slots=True)
class _History:
    revision: int = 0
    active: bool = False
    accepted: dict[tuple[str, str], str] = field(default_factory=dict)


class Truth:
    """Judges messages one after the other, in the order in which they lie in their partitions."""

    def __init__(self) -> None:
        self._histories: dict[str, _History] = {}

    def judge(self, message: Message) -> Outcome:
        """The outcome of the next message."""
        verdict = message.verdict
        if verdict and (verdict[0] == "dead_lettered" or verdict[1] in EARLY):
            return Outcome(*verdict)
        history = self._histories.get(message.subject) or _History()
        before = history.accepted.get((message.source, message.event_id))
        if before is not None:
            return RESEND if before == message.data else _rejected("id_reused")
        if verdict and verdict[1] in ("unknown_type", "invalid"):
            return Outcome(*verdict)
        reason = "" if message.type == BATCH_CLOSED else _by_history(message, history)
        reason = reason or message.late_fault or ""
        if reason:
            return _rejected(reason)
        history.accepted[message.source, message.event_id] = message.data
        history.revision = message.revision
        history.active = message.type != REMOVED
        self._histories[message.subject] = history
        return ACCEPTED

    def active(self, registration_id: str) -> bool:
        """Whether the registration stands at the end."""
        history = self._histories.get(registration_id)
        return history is not None and history.active


def _rejected(reason: str) -> Outcome:
    return Outcome("rejected", reason)


def _by_history(message: Message, history: _History) -> str:
    known = bool(history.accepted)
    if known and message.revision > history.revision + MOST_REVISIONS_AT_ONCE:
        return "invalid"
    if message.type == REGISTERED:
        return "state" if known else ""
    if not known:
        return "unknown_registration"
    if history.active == (message.type == REINSTATED):
        return "state"
    return "stale_revision" if message.revision <= history.revision else ""
