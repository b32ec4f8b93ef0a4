"""A capture stream with its truth, from a seed.

The same arguments give the same bytes on every Python from 3.11 on. The order of the work:
people in villages, stations planned for them, a campaign of captures in order of time, each capture in its
device's batch, then what the way to the broker makes of it: resends, broken records, days offline.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import combinations

from client.wire import BATCH_CLOSED
from simulator import mishaps, places
from simulator.authority import REMOVED, DeviceRow
from simulator.campaign import Campaign
from simulator.clerks import FIRST_ROUND_DAYS, Clerks
from simulator.dice import Dice
from simulator.fault import Around
from simulator.keys import DeviceKey
from simulator.messages import Message, of_capture, of_closing
from simulator.offices import DAY, Offices, number
from simulator.people import ELECTION_DAY, Population
from simulator.rates import Rates, at_least_one
from simulator.truth import ACCEPTED, Truth

LEAST_VOTERS = 300
BORN, PRECISION = '"date_of_birth":"', '"date_of_birth_precision":"'


@dataclass(frozen=True, slots=True)
class EventTruth:
    """What becomes of a line (from 1): `expected` is accepted, ignored, rejected or dead_lettered.

    `reason` is the contract's code of a rejection, `resend`, or why it is a dead letter. `scenario` names
    what the line was made for, `event_id` what the sender calls it, even where nobody can read that.
    """

    line: int
    event_id: str
    expected: str
    reason: str
    scenario: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two accepted registrations, smaller id first. `kind`: how they differ, or why they look alike."""

    one: str
    other: str
    kind: str


@dataclass(frozen=True, slots=True)
class Stream:
    """A generated stream. `lines` have no line ends; `events` is parallel to them.

    `people` gives the person of every registration of which something was accepted; `duplicates` every pair
    of them that is one person, with its kind, `lookalikes` twins and namesakes, who are two; `lost` device,
    batch and sequence of captures that never arrive; `minors` the accepted, still active registrations of
    people under 18 on `election_day` (by the last accepted birth date). `devices` are those that may sign,
    none in a stream without signatures. The first `first_epoch` lines belong to epoch 1, all unless a
    cut-off was asked for.
    """

    seed: int
    partitions: int
    election_day: date
    lines: list[bytes]
    events: list[EventTruth]
    people: dict[str, str]
    duplicates: list[Pair]
    lookalikes: list[Pair]
    lost: list[tuple[str, str, int]]
    stations: list[places.Station]
    devices: list[DeviceRow]
    first_epoch: int
    minors: list[str] = field(default_factory=list)

    def outcomes(self) -> Counter[str]:
        """How many lines become what."""
        return Counter(event.expected for event in self.events)

    def scenarios(self) -> Counter[str]:
        """How many lines were made for what."""
        return Counter(event.scenario for event in self.events)


def generate_stream(
    *,
    voters: int | None = None,
    events: int | None = None,
    seed: int = 1,
    partitions: int = 12,
    rates: Rates | None = None,
    register: str | None = None,
    cut_off: bool = False,
) -> Stream:
    """A stream for that many voters, or of exactly that many lines.

    The devices sign for `register`; without one they do not, and it is a stream for a register without
    devices. With `cut_off`, what arrives after the first round belongs to epoch 2.

    Every kind of event and fault occurs in 5,000 lines and in any larger stream. Raises ValueError unless
    exactly one of `voters` and `events` is given, and for fewer than LEAST_VOTERS voters.
    """
    if (voters is None) == (events is None):
        raise ValueError("give either voters or events")
    rates = rates or Rates()
    people = voters if voters is not None else rates.voters_for(events or 0)
    if people < LEAST_VOTERS:
        raise ValueError(f"a stream needs at least {LEAST_VOTERS} voters")
    draft = _draft(people, seed, partitions, rates, register)
    while events is not None and len(draft.messages) >= events:
        people -= len(draft.messages) - events + 10
        draft = _draft(people, seed, partitions, rates, register)
    count = len(draft.messages)
    resends = at_least_one(rates.resends, count) if events is None else events - count
    draft.messages.extend(mishaps.resent(draft.messages, resends, Dice(seed, "resends")))
    return _judged(draft, seed, partitions, signed=register is not None, cut_off=cut_off)


@dataclass(frozen=True, slots=True)
class _Draft:
    """All messages, at first without the resends; `technical` are pairs of ids that are one capture."""

    messages: list[Message]
    campaign: Campaign
    offices: Offices
    stations: list[places.Station]
    technical: list[tuple[str, str]]


def _draft(voters: int, seed: int, partitions: int, rates: Rates, register: str | None) -> _Draft:
    chosen = places.choose(places.communes(), voters)
    population = Population(chosen, Dice(seed, "people"))
    population.twins(at_least_one(rates.twins, voters // 2) + 3)
    population.namesakes(at_least_one(rates.namesakes, voters // 2) + 3)
    population.fill(voters - len(population.people))
    inhabitants = Counter(person.village for person in population.people)
    stations = places.plan_stations(chosen, inhabitants, Dice(seed, "stations"))

    def key_of(device: str) -> DeviceKey | None:
        return DeviceKey(seed, device, register) if register is not None else None

    offices = Offices(chosen, voters, Dice(seed, "offices"), key_of)
    campaign = Campaign(Clerks(population, offices, stations, Dice(seed, "campaign")), rates)
    campaign.plan()
    closings = number(campaign.captures, Dice(seed, "way"))
    messages = [of_capture(capture) for capture in campaign.captures if capture.scenario != "lost"]
    messages += [of_closing(closing) for closing in closings]
    technical = mishaps.under_new_ids(messages, campaign, rates, voters, Dice(seed, "technical"))
    around = Around(seed, register, partitions, offices)
    mishaps.break_some(messages, around, rates, Dice(seed, "faults"))
    return _Draft(messages, campaign, offices, stations, technical)


def _judged(draft: _Draft, seed: int, partitions: int, *, signed: bool, cut_off: bool) -> Stream:
    """Puts the messages in order of arrival and says what becomes of each."""
    messages, campaign, technical = draft.messages, draft.campaign, draft.technical
    order = sorted(range(len(messages)), key=lambda at: (messages[at].arrival, at))
    devices = [DeviceRow.of(each) for each in draft.offices.devices if each.key is not None]
    truth = Truth(devices if signed else None)
    first_epoch = 0
    lines: list[bytes] = []
    events: list[EventTruth] = []
    minors: dict[str, bool] = {}
    for line, at in enumerate(order, start=1):
        message = messages[at]
        late = cut_off and message.arrival >= FIRST_ROUND_DAYS * DAY * 1000
        first_epoch += not late
        outcome = truth.judge(message, epoch=2 if late else 1)
        lines.append(message.rendered())
        events.append(EventTruth(line, message.event_id, *outcome, message.scenario))
        if outcome is ACCEPTED and message.type not in (REMOVED, BATCH_CLOSED):
            minors[message.subject] = under_age(message.data, ELECTION_DAY)
    people = {capture.registration.id: capture.registration.person for capture in campaign.captures}
    people.update((again, people[first]) for first, again in technical)
    people = {registration: people[registration] for registration in sorted(minors)}
    kinds = {_pair(twice.one.id, twice.other.id): twice.kind for twice in campaign.duplicates}
    kinds.update((_pair(*pair), "resend") for pair in technical)
    kin = [Pair(*_pair(twice.one.id, twice.other.id), twice.kind) for twice in campaign.kin]
    return Stream(
        seed=seed,
        partitions=partitions,
        election_day=ELECTION_DAY,
        lines=lines,
        events=events,
        people=people,
        duplicates=_duplicates(people, kinds),
        lookalikes=[pair for pair in kin if pair.one in people and pair.other in people],
        lost=[(capture.device.name, capture.batch, capture.sequence) for capture in campaign.lost],
        stations=draft.stations,
        devices=devices,
        first_epoch=first_epoch,
        minors=[each for each in people if minors[each] and truth.active(each)],
    )


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)


def _duplicates(people: dict[str, str], kinds: dict[tuple[str, str], str]) -> list[Pair]:
    """Every two registrations of one person; `indirect` where each differs from a third."""
    registrations: dict[str, list[str]] = {}
    for registration, person in people.items():
        registrations.setdefault(person, []).append(registration)
    return [
        Pair(one, other, kinds.get((one, other), "indirect"))
        for own in registrations.values()
        for one, other in combinations(own, 2)
    ]


def under_age(data: str, on: date) -> bool:
    """Whether a capture's person is not yet 18 on that day; the last possible day of birth counts."""
    at = data.index(BORN) + len(BORN)
    born = date(*(int(part) for part in data[at : at + 10].split("-")))  # int reads Khmer digits too
    precision = data[data.index(PRECISION) + len(PRECISION) :]
    if precision.startswith("year"):
        born = born.replace(month=12, day=31)
    elif precision.startswith("month"):
        born = (born.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    if (born.month, born.day) == (2, 29):
        return date(born.year + 18, 3, 1) > on  # 18 years on is never a leap year but for centuries
    return born.replace(year=born.year + 18) > on
