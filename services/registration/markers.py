"""The ends of epochs: which markers count, and what the epoch of an offset is. Pure."""

from bisect import bisect_left
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from services.registration.intake import Incoming
from shared.commands.state import State
from shared.contracts.cloudevents import encode, header
from shared.contracts.commands import OFFICER_HEADER, SIGNATURE_HEADER
from shared.contracts.events import EventType, Marker
from shared.contracts.plain_json import plain_canonical
from shared.contracts.topics import Topic
from shared.reference.officers import Officer, command_headers, signed_by
from shared.runtime.record import Output, Record


class UnknownFuture(Exception):
    """The marker names a command that is not folded yet; `plausible`: it is signed by one who may."""

    def __init__(self, plausible: bool) -> None:
        super().__init__("a marker names a command that is not there yet")
        self.plausible = plausible


@dataclass(slots=True)
class Epochs:
    """The valid markers of one partition, in order of offset and of epoch."""

    offsets: list[int] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)

    def of(self, offset: int) -> int:
        """The epoch of an offset: one more than the last that ended before it."""
        before = bisect_left(self.offsets, offset)
        return 1 + (self.epochs[before - 1] if before else 0)

    def end(self, epoch: int, offset: int) -> None:
        """Note a valid marker; one that is there already changes nothing."""
        at = bisect_left(self.offsets, offset)
        if self.offsets[at : at + 1] != [offset]:
            self.offsets.insert(at, offset)
            self.epochs.insert(at, epoch)

    @property
    def last_ended(self) -> int:
        """The newest epoch that ended in this partition, 0 if none."""
        return self.epochs[-1] if self.epochs else 0


def marker_key(epoch: int) -> bytes:
    """The key of a marker."""
    return f"!marker/{epoch}".encode()


def valid_marker(incoming: Incoming, record: Record, current_epoch: int, state: State) -> Marker | None:
    """The marker, if it counts: it ends the current epoch of its partition or a later one, at whose cut-off
    it was signed by an officer with the role `marker`. None: it is void.

    Raises UnknownFuture if it names a command that `state` does not hold yet.
    """
    try:
        marker = Marker.model_validate(incoming.event.data)
    except ValidationError:
        return None
    if incoming.key != marker_key(marker.epoch) or marker.epoch < current_epoch:
        return None
    if marker.command_offset >= state.next_offset:
        raise UnknownFuture(_is_signed(incoming, record, state, state.next_offset))
    if state.cut_offs.get(marker.epoch) != marker.command_offset:
        return None
    return marker if _is_signed(incoming, record, state, marker.command_offset) else None


def _is_signed(incoming: Incoming, record: Record, state: State, command_offset: int) -> bool:
    name = (header(record.headers, OFFICER_HEADER) or b"").decode("utf-8", "replace")
    signature = header(record.headers, SIGNATURE_HEADER) or b""
    officer: Officer | None = state.officers_at(command_offset).get(name)
    return (
        officer is not None
        and officer.may("marker")
        and signed_by(
            officer, state.register, EventType.MARKER, incoming.event.id, record.value or b"", signature
        )
    )


def signed_marker(
    register: str, officer: str, key: Ed25519PrivateKey, epoch: int, command_offset: int, partition: int
) -> Output:
    """The marker to write into a partition of the input."""
    value = plain_canonical({"epoch": epoch, "command_offset": command_offset})
    ce_id = f"marker/{epoch}/{partition}"
    headers = command_headers(register, officer, key, EventType.MARKER, ce_id, value)
    return Output(Topic.EVENTS.value, partition, marker_key(epoch), value, headers)


def passed_marker(register: str, marker: Marker, partition: int) -> Output:
    """The marker as it is passed on, in the same partition of the accepted records."""
    value = plain_canonical({"epoch": marker.epoch, "command_offset": marker.command_offset})
    headers = encode(
        f"rollstream/registration/{register}", f"marker/{marker.epoch}/{partition}", EventType.MARKER
    )
    return Output(Topic.ACCEPTED.value, partition, marker_key(marker.epoch), value, headers)
