"""Which markers end an epoch: one rule for every reader, on whatever topic it meets one. Pure.

All that a marker is judged by lies on the commands topic up to its `as_of`, or in the marker itself. So a
state that has folded that far gives the verdict for good, and one that has not gives none.
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from shared.commands.state import State
from shared.contracts import strict_json
from shared.contracts.cloudevents import JSON, header
from shared.contracts.commands import OFFICER_HEADER, SIGNATURE_HEADER
from shared.contracts.events import EventType, Marker
from shared.contracts.plain_json import plain_canonical
from shared.contracts.topics import Topic
from shared.crypto import signing
from shared.reference.officers import Officer, command_headers, signed_by
from shared.runtime.record import Output, Record

LATER_MS = 2_000
"""How much later than the message at `as_of` a marker must lie, by the brokers' time stamps."""


OLD_ENOUGH_S = 4.0
"""For how long a service of ours knows the message at `as_of` before it writes the marker, or passes it on.

While the brokers' clocks differ by less than 2 s, its time stamp is then late enough on any topic.
"""


@dataclass(frozen=True, slots=True)
class SignedMarker:
    """A marker as it lay on a topic, right by itself; whether it counts, the commands say.

    `timestamp` is the broker's, in ms since 1970; `signature` is the header, base64.
    """

    marker: Marker
    ce_id: str
    officer: str
    signature: bytes
    value: bytes
    timestamp: int


def is_marker(record: Record) -> bool:
    """Whether a record says in its headers that it is the end of an epoch."""
    return header(record.headers, "ce_type") == EventType.MARKER.encode()


def marker_key(epoch: int) -> bytes:
    """The key of a marker."""
    return f"!marker/{epoch}".encode()


def marker_id(epoch: int, partition: int) -> str:
    """The `ce_id` of a marker."""
    return f"marker/{epoch}/{partition}"


def read_marker(record: Record) -> SignedMarker | None:
    """A record as a marker in binary mode; None if it is void whatever the commands say.

    Its data, key, id and partition must agree, and there must be something that may be a signature.
    """
    kind = (header(record.headers, "content-type") or JSON.encode()).partition(b";")[0].strip().lower()
    if not is_marker(record) or record.value is None or kind != JSON.encode():
        return None
    try:
        marker = Marker.model_validate(strict_json.loads(record.value))
        ce_id, officer = (
            (header(record.headers, name) or b"").decode() for name in ("ce_id", OFFICER_HEADER)
        )
    except (strict_json.RefusedJSON, ValidationError, UnicodeDecodeError):
        return None
    signature = header(record.headers, SIGNATURE_HEADER) or b""
    if record.key != marker_key(marker.epoch) or ce_id != marker_id(marker.epoch, record.partition):
        return None
    if marker.as_of < marker.command_offset or signing.decode_signature(signature) is None:
        return None
    return SignedMarker(marker, ce_id, officer, signature, record.value, record.timestamp)


def counts(signed: SignedMarker, state: State) -> bool | None:
    """Whether a marker is valid; None while the state is not folded up to `as_of`.

    Once all commands are folded that lay there after the marker was read, None means that it is void: nobody
    can name the head of what is yet to come.
    """
    marker = signed.marker
    if marker.as_of >= state.next_offset:
        return None
    named_at = state.timestamp_of(marker.as_of)
    officer = state.officers_at(marker.as_of).get(signed.officer)
    return (
        state.cut_offs.get(marker.epoch) == marker.command_offset
        and named_at is not None
        and signed.timestamp >= named_at + LATER_MS
        and state.audit_head_at(marker.as_of).hex() == marker.audit_head
        and officer is not None
        and is_signed(signed, officer, state.register)
    )


def is_signed(signed: SignedMarker, officer: Officer, register: str) -> bool:
    """Whether the officer may sign markers and signed this one."""
    return officer.may("marker") and signed_by(
        officer, register, EventType.MARKER, signed.ce_id, signed.value, signed.signature
    )


def signed_marker(
    register: str, officer: str, key: Ed25519PrivateKey, marker: Marker, partition: int
) -> Output:
    """The marker to write into a partition of the input."""
    value = plain_canonical(marker.model_dump())
    ce_id = marker_id(marker.epoch, partition)
    headers = command_headers(register, officer, key, EventType.MARKER, ce_id, value)
    return Output(Topic.EVENTS.value, partition, marker_key(marker.epoch), value, headers)


def passed_marker(record: Record, topic: Topic) -> Output:
    """A valid marker as it is passed on: the same partition, key, value and headers."""
    return Output(topic.value, record.partition, record.key, record.value, record.headers)
