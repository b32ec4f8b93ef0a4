"""What this process holds: its partitions, how far each is settled, and the epochs that ended in it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from services.registration.markers import Epochs
from shared.process.errors import NotYet


@dataclass(slots=True)
class Holding:
    """One partition, for as long as this process has it.

    `committed` is the group's offset when it was assigned, `position` the next offset to settle;
    `markers_written` are the epochs whose marker was sent into it meanwhile.
    """

    committed: int
    position: int
    epochs: Epochs
    markers_written: set[int] = field(default_factory=set)

    def was_sent(self, offset: int) -> bool:
        """Whether the outputs of an offset were acknowledged before this process began."""
        return offset < self.committed

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
