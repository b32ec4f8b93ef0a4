"""What the contract alone says of a capture file, without a broker, a history or reference data. Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pydantic import BaseModel

from client.allowed import allowed
from client.wire import ProducerRecord, to_record
from services.registration import birth_dates
from services.registration.intake import DeadLetter, Incoming, read
from shared.contracts import events
from shared.contracts.events import Registration
from shared.contracts.outputs import RejectionReason
from shared.contracts.topics import Topic
from shared.runtime.record import Record

_Breach = tuple[str, str, type[BaseModel] | str | None]
"""Path, rule, and what else is known: the model that has the rule, or a word on what cannot be decoded."""


class Finding(NamedTuple):
    """A breach: line (1-based), path in the data ("" for the whole event) and rule; never the value.

    `allowed` are the values of the contract where they are few, `detail` says more of what cannot be decoded.
    """

    line: int
    path: str
    rule: str
    allowed: tuple[str, ...] = ()
    detail: str = ""


def check_lines(lines: Iterable[bytes]) -> Iterator[Finding]:
    """Every breach in a capture file of one structured CloudEvent a line, or a wrapped record.

    An event without a finding can still be rejected, for what only its history or reference data tell.
    """
    for number, line in enumerate(lines, start=1):
        for path, rule, more in _breaches(line):
            if isinstance(more, str):
                yield Finding(number, path, rule, detail=more)
            else:
                yield Finding(number, path, rule, allowed(more, path, rule))


def _breaches(line: bytes) -> Iterator[_Breach]:
    try:
        incoming = read(_as_consumed(to_record(line, "structured")))
    except ValueError:
        yield "", "wrapped", None
        return
    if isinstance(incoming, DeadLetter):
        yield "", incoming.reason, incoming.detail
    else:
        yield from _of_event(incoming)


def _of_event(incoming: Incoming) -> Iterator[_Breach]:
    key, subject, event = incoming.key, incoming.subject, incoming.event
    if (key is None and subject is not None) or (subject is not None and key != subject.encode()):
        yield "", RejectionReason.KEY_MISMATCH, None
    if event.type not in events.MODELS:
        yield "", RejectionReason.UNKNOWN_TYPE, None
        return
    try:
        data = events.parse(event.type, event.data)
    except events.InvalidData as invalid:
        model = events.MODELS[event.type]
        yield from ((error["path"], error["rule"], model) for error in invalid.errors)
        return
    if isinstance(data, Registration):
        voter = data.voter
        if not birth_dates.plausible(
            voter.date_of_birth, voter.date_of_birth_precision, data.capture.captured_at
        ):
            yield "voter.date_of_birth", RejectionReason.IMPLAUSIBLE_BIRTH_DATE, None


def _as_consumed(sent: ProducerRecord) -> Record:
    """The record as a consumer would get it, as far as its content goes."""
    headers = tuple((name.decode("utf-8", "surrogateescape"), content) for name, content in sent.headers)
    return Record(Topic.EVENTS.value, sent.partition or 0, 0, 0, sent.key, sent.value, headers)
