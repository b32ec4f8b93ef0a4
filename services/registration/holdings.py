"""What this process holds: its partitions, how far each is settled, and the epochs that ended in it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from services.registration.markers import Epochs
from shared.process.errors import NotYet
from shared.runtime.record import Output, Record


@dataclass(slots=True)
class Holding:
    """One partition, for as long as this process has it.

    `committed` is the group's offset when it was assigned, `position` the next offset to settle;
    `markers_written` has the marker that was sent into it meanwhile, by epoch.
    """

    committed: int
    position: int
    epochs: Epochs
    markers_written: dict[int, Output] = field(default_factory=dict)

    def was_sent(self, offset: int) -> bool:
        """Whether the outputs of an offset were acknowledged before this process began."""
        return offset < self.committed

    def found_void(self, record: Record) -> None:
        """A marker was read that does not count: if it is ours, another must be written."""
        self.markers_written = {
            epoch: written
            for epoch, written in self.markers_written.items()
            if (written.value, written.headers) != (record.value, record.headers)
        }

    @property
    def caught_up(self) -> bool:
        """Whether it is as far as the group has ever been; until then it may hold markers unread."""
        return self.position >= self.committed


class Holdings:
    """The partitions of this process."""

    def __init__(self) -> None:
        self._held: dict[int, Holding] = {}

    def take(self, partition: int, holding: Holding) -> None:
        """The partition is this process's from here on."""
        self._held[partition] = holding

    def give_up(self, partitions: Collection[int]) -> None:
        """The partitions are another process's."""
        for partition in partitions:
            self._held.pop(partition, None)

    def of(self, partitions: Collection[int]) -> Mapping[int, Holding]:
        """These partitions, for one batch: it may outlast our having them. Raises TransientError."""
        if not self._held.keys() >= set(partitions):
            raise NotYet("the partitions of this batch were given up")
        return {partition: self._held[partition] for partition in partitions}

    def all(self) -> Mapping[int, Holding]:
        """Every partition held now."""
        return dict(self._held)
