"""What a fault is: one kind of odd record, made from a good message."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from simulator.dice import Dice
from simulator.messages import Message
from simulator.offices import Offices

Place = Literal["before", "instead", "after"]
Base = Literal["registered", "corrected", "transferred", "removed", "reinstated", "batch_closed"]
BEFORE: Place = "before"
INSTEAD: Place = "instead"
AFTER: Place = "after"


@dataclass(frozen=True, slots=True)
class Around:
    """What a fault may need of its register besides the message; `register` is None where nobody signs."""

    seed: int
    register: str | None
    partitions: int
    offices: Offices


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of odd record, made from a good message (`of`).

    It arrives `before` the good one, which a capture system then sends as it should be; `instead` of it; or
    some time `after` it.
    """

    name: str
    place: Place
    of: Base
    make: Callable[[Message, Dice, Around], Message]
