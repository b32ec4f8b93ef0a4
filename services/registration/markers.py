"""What the epoch of an offset is: the valid markers of a partition so far. Pure."""

from bisect import bisect_left
from dataclasses import dataclass, field


@dataclass(slots=True)
class Epochs:
    """The markers by which epochs ended in one partition, in order of offset and of epoch."""

    offsets: list[int] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)

    def of(self, offset: int) -> int:
        """The epoch of an offset: one more than the last that ended before it."""
        before = bisect_left(self.offsets, offset)
        return 1 + (self.epochs[before - 1] if before else 0)

    def end(self, epoch: int, offset: int) -> None:
        """Note the end of an epoch; one that is there already changes nothing."""
        at = bisect_left(self.offsets, offset)
        if self.offsets[at : at + 1] != [offset]:
            self.offsets.insert(at, offset)
            self.epochs.insert(at, epoch)

    @property
    def last_ended(self) -> int:
        """The newest epoch that ended in this partition, 0 if none."""
        return self.epochs[-1] if self.epochs else 0
