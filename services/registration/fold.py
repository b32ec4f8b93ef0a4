"""Judges the events of a batch, each by the ones before it, stored or in the batch itself. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from services.registration.authority import Sender, sender_of
from services.registration.domain import Accepted, Closed, Judgement, Reference, judge
from services.registration.history import Close
from services.registration.intake import Incoming
from services.registration.registrations import Registration

Position = tuple[int, int]
"""Partition and offset."""


def slices(events: Iterable[Incoming], subjects: int) -> list[list[Incoming]]:
    """The events in slices of at most so many subjects (registrations and capture batches), all of a subject
    in one slice and in their order."""
    slice_of: dict[str | None, int] = {None: 0}
    found: list[list[Incoming]] = []
    for event in events:
        at = slice_of.setdefault(event.registration_id or event.batch_id, len(slice_of) // subjects)
        found += [[] for _ in range(at + 1 - len(found))]
        found[at].append(event)
    return found


class BatchFold:
    """The events of a batch in order of offset within each partition, and what they are folded into.

    `epoch_of` answers the epoch of a partition's offset, `reference_of` an epoch's reference data.
    """

    def __init__(
        self,
        register: str,
        events: Sequence[Incoming],
        epoch_of: Callable[[int, int], int],
        reference_of: Callable[[int], Reference],
        partitions: int,
    ) -> None:
        self._register = register
        self._events = events
        self._epoch_of = epoch_of
        self._reference_of = reference_of
        self._partitions = partitions
        self._of_registration: dict[str, list[Incoming]] = {}
        for event in events:
            if event.registration_id is not None:
                self._of_registration.setdefault(event.registration_id, []).append(event)
        self._registrations: dict[str, Registration] = {}
        self._closes: dict[str, list[Close]] = {}
        self.judgements: dict[Position, Judgement] = {}
        self.senders: dict[Position, Sender] = {}

    @property
    def registration_ids(self) -> Collection[str]:
        """The registrations that the events name."""
        return self._of_registration.keys()

    @property
    def closed_batch_ids(self) -> Collection[str]:
        """The capture batches that the events close."""
        return {event.batch_id for event in self._events if event.batch_id is not None}

    def closes_of(self, batch_id: str) -> list[Close]:
        """The closes of a batch, those of this fold included."""
        return self._closes.get(batch_id, [])

    def judge(
        self, registrations: Mapping[str, Registration], closes: Mapping[str, Sequence[Close]]
    ) -> list[Registration]:
        """Judge every event against what is stored; answers the registrations that have changed."""
        self._registrations.update(registrations)
        self._closes.update({batch_id: list(each) for batch_id, each in closes.items()})
        for event in self._events:
            self._judge(event)
        return [registration for registration in registrations.values() if registration.changed]

    def judge_again(self, registrations: Mapping[str, Registration]) -> list[Registration]:
        """Judge the events of registrations that were changed by others meanwhile."""
        self._registrations.update(registrations)
        for registration_id in registrations:
            for event in self._of_registration[registration_id]:
                self._judge(event)
        return [registration for registration in registrations.values() if registration.changed]

    def _judge(self, event: Incoming) -> None:
        registration = self._registrations.get(event.registration_id) if event.registration_id else None
        closes = self._closes.get(event.batch_id) if event.batch_id else None
        epoch = self._epoch_of(event.partition, event.offset)
        reference = self._reference_of(epoch)
        position = (event.partition, event.offset)
        if position not in self.senders:  # a signature is checked once, however often the event is judged
            self.senders[position] = sender_of(event, reference.devices, self._register)
        judgement = judge(
            event,
            registration.versions if registration is not None else (),
            closes or (),
            self.senders[position],
            epoch,
            reference,
            self._partitions,
        )
        self.judgements[position] = judgement
        if isinstance(judgement, Accepted) and registration is not None:
            registration.take(judgement)
        elif isinstance(judgement, Closed) and closes is not None:
            _insert(closes, judgement.close)


def _insert(closes: list[Close], close: Close) -> None:
    """Keep the order of offsets; one that is stored already is there once."""
    if all(each.offset != close.offset for each in closes):
        closes.append(close)
        closes.sort(key=lambda each: each.offset)
