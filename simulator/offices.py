"""Commune offices, their devices, batches and sequences, and the days on which a device was offline."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from simulator.dice import Dice
from simulator.keys import DeviceKey
from simulator.people import CAMPAIGN
from simulator.places import Commune

CAMBODIA = timezone(timedelta(hours=7))
DAY = 86_400
OPEN, CLOSE = 7 * 3600 + 1800, 17 * 3600
"""Office hours in seconds of the day."""
BATCH_LIMIT = 40
VOTERS_PER_DEVICE = 300
OFFLINE_SHARE = 0.15
"""Share of devices that lose their connection for days."""
LATE_SHARE = 0.01
"""Share of events that an online device delivers hours later, after its batch was closed."""
CODECS = ("gzip", "snappy", "lz4", "zstd")
LAST_SEQUENCE = 9_999
"""The contract's highest; a device then counts from 0 again."""


@dataclass(slots=True)
class Device:
    """A laptop. While `offline` (seconds from the first day) it keeps its captures and uploads them after.

    `areas` are those of its office; `key` is None in a register without devices.
    """

    name: str
    office: str
    areas: tuple[str, ...]
    operators: tuple[str, ...]
    key: DeviceKey | None = None
    offline: tuple[int, int] | None = None
    shuffles: bool = False
    codec: str | None = None
    next_sequence: int = 1


@dataclass(slots=True)
class Registration:
    """A registration as it grows while its captures are numbered in order of time."""

    person: str
    office: str
    id: str = ""
    revision: int = 0
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Capture:
    """What happened at an office: `action` is the event type's verb, `when` seconds from the first day.

    `change` is the registration's new body, empty for the one before; `reason` is a removal's. `fault` is
    the reason for which the contract refuses the capture whatever its history, `stale` repeats the revision
    before.
    """

    action: str
    registration: Registration
    device: Device
    when: int
    scenario: str
    change: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None
    fault: str | None = None
    stale: bool = False
    revision: int = 0
    batch: str = ""
    sequence: int = 0
    arrival: int = 0


@dataclass(frozen=True, slots=True)
class Closing:
    """A device's word on what it captured in a batch."""

    device: Device
    batch: str
    first: int
    last: int
    when: int
    arrival: int


class Offices:
    """The devices of each commune's office; `key_of` makes the key of a device by its name, if any has one.

    Most offices look after their commune. A few look after a whole district or province, or another commune
    beside their own, for a neighbour that has none.
    """

    def __init__(
        self,
        chosen: Sequence[Commune],
        voters: int,
        dice: Dice,
        key_of: Callable[[str], DeviceKey | None] = lambda _name: None,
    ) -> None:
        self._dice = dice
        self.devices: list[Device] = []
        self._of: dict[str, list[Device]] = {}
        each = max(1, min(6, round(voters / len(chosen) / VOTERS_PER_DEVICE)))
        for number, commune in enumerate(chosen):
            areas = _areas(number, chosen)
            for _ in range(each):
                name = f"D-{len(self.devices) + 1:04d}"
                operators = tuple(f"OP-{dice.between(1, 400)}" for _ in range(3))
                first = dice.between(1, 900)
                device = Device(name, commune.code, areas, operators, key_of(name), next_sequence=first)
                self.devices.append(device)
                self._of.setdefault(commune.code, []).append(device)
        offline = max(1, min(len(CODECS), len(self.devices) // 3), round(len(self.devices) * OFFLINE_SHARE))
        for number, device in enumerate(dice.sample(self.devices, offline)):
            start = dice.between(1, 12) * DAY
            device.offline = start, start + dice.between(2, 6) * DAY
            device.shuffles = number % 2 == 0
            device.codec = CODECS[number % len(CODECS)]

    def device(self, office: str, other_than: Device | None = None) -> Device:
        """A device of that office, another one if it has several."""
        devices = self._of[office]
        choice = self._dice.pick(devices)
        if choice is other_than and len(devices) > 1:
            return devices[(devices.index(choice) + 1) % len(devices)]
        return choice

    def whole_district(self) -> str:
        """An office that looks after all of its district."""
        return next(each.office for each in self.devices if each.office[:4] in each.areas)

    def moment(self, first_day: int, last_day: int) -> int:
        """A second in office hours of one of those days (0 is the first of the campaign)."""
        return self._dice.between(first_day, last_day) * DAY + self._dice.between(OPEN, CLOSE)


def holds(areas: Iterable[str], code: str) -> bool:
    """Whether a place lies in one of the areas: a code holds all that begin with it."""
    return any(code.startswith(area) for area in areas)


def _areas(number: int, chosen: Sequence[Commune]) -> tuple[str, ...]:
    own = chosen[number].code
    if number % 8 == 4:
        return (own[:2],)
    if number % 8 == 6:
        return (own, chosen[number - 1].code)
    return (own[:4],) if number % 8 == 1 else (own,)


def timestamp(when: int) -> str:
    """RFC 3339 in Cambodian time."""
    start = datetime(CAMPAIGN.year, CAMPAIGN.month, CAMPAIGN.day, tzinfo=CAMBODIA)
    return (start + timedelta(seconds=when)).isoformat()


def day_of(when: int) -> str:
    """The day as eight digits."""
    return (CAMPAIGN + timedelta(days=when // DAY)).strftime("%Y%m%d")


def number(captures: Iterable[Capture], dice: Dice) -> list[Closing]:
    """Give every capture its batch, sequence and time of arrival (in order of time); answers the closings.

    A batch is one device's captures of a day, at most BATCH_LIMIT of them.
    """
    by_device: dict[str, list[Capture]] = {}
    for capture in captures:
        by_device.setdefault(capture.device.name, []).append(capture)
    closings: list[Closing] = []
    for own in by_device.values():
        at = 0
        counts: dict[str, int] = {}
        while at < len(own):
            day = own[at].when // DAY
            end = at
            while end < len(own) and end - at < BATCH_LIMIT and own[end].when // DAY == day:
                end += 1
            closings.append(_batch(own[at:end], counts, dice))
            at = end
    return closings


def _batch(captures: list[Capture], counts: dict[str, int], dice: Dice) -> Closing:
    device = captures[0].device
    day = day_of(captures[0].when)
    counts[day] = counts.get(day, 0) + 1
    batch = f"{device.name}-{day}-{counts[day]}"
    first = device.next_sequence if device.next_sequence + BATCH_LIMIT <= LAST_SEQUENCE else 0
    for sequence, capture in enumerate(captures, start=first):
        capture.batch, capture.sequence = batch, sequence
    device.next_sequence = first + len(captures)
    last_moment = captures[-1].when
    closed = last_moment + dice.between(60, 900)
    offline = device.offline
    if offline and offline[0] <= captures[0].when < offline[1]:
        # The whole batch in one go when the connection is back, half of the devices in any order.
        upload = offline[1] * 1000 + captures[0].when // DAY * 60_000
        order = dice.shuffled(captures) if device.shuffles else captures
        for position, capture in enumerate(order):
            capture.arrival = upload + position * 20
        close_first = device.shuffles and dice.chance(0.5)
        arrival = upload - 1 if close_first else upload + len(order) * 20
    else:
        for capture in captures:
            late = dice.between(1800, 30_000) if dice.chance(LATE_SHARE) else dice.between(1, 45)
            capture.arrival = (capture.when + late) * 1000 + dice.below(1000)
        arrival = (closed + dice.between(1, 30)) * 1000
    return Closing(device, batch, first, first + len(captures) - 1, closed, arrival)
