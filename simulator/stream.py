"""A capture stream with its truth, from a seed.

The same arguments give the same bytes on every Python from 3.11 on. The order of the work:
people in villages, stations planned for them, a campaign of captures in order of time, each capture in its
device's batch, then what the way to the broker makes of it: resends, broken records, days offline.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import combinations

from client.wire import BATCH_CLOSED
from simulator import faults, places
from simulator.campaign import Campaign
from simulator.dice import Dice
from simulator.invalid import INVALID
from simulator.messages import Message, of_capture, of_closing, under_new_id
from simulator.offices import Offices, number
from simulator.people import ELECTION_DAY, Population
from simulator.rates import Rates, at_least_one
from simulator.truth import ACCEPTED, REGISTERED, REMOVED, Truth

LEAST_VOTERS = 300
HOUR = 3_600_000
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
    people under 18 on `election_day` (by the last accepted birth date).
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
) -> Stream:
    """A stream for that many voters, or of exactly that many lines.

    Every kind of event and fault occurs in 5,000 lines and in any larger stream. Raises ValueError unless
    exactly one of `voters` and `events` is given, and for fewer than LEAST_VOTERS voters.
    """
    if (voters is None) == (events is None):
        raise ValueError("give either voters or events")
    rates = rates or Rates()
    people = voters if voters is not None else rates.voters_for(events or 0)
    if people < LEAST_VOTERS:
        raise ValueError(f"a stream needs at least {LEAST_VOTERS} voters")
    messages, campaign, technical, stations = _messages(people, seed, partitions, rates)
    while events is not None and len(messages) >= events:
        people -= len(messages) - events + 10
        messages, campaign, technical, stations = _messages(people, seed, partitions, rates)
    dice = Dice(seed, "resends")
    resends = at_least_one(rates.resends, len(messages)) if events is None else events - len(messages)
    messages += _resent(messages, resends, dice)
    return _judged(messages, campaign, technical, stations, seed, partitions)


def _messages(
    voters: int, seed: int, partitions: int, rates: Rates
) -> tuple[list[Message], Campaign, list[tuple[str, str]], list[places.Station]]:
    """All messages but the resends; the technical duplicates as pairs of ids; the stations."""
    chosen = places.choose(places.communes(), voters)
    population = Population(chosen, Dice(seed, "people"))
    population.twins(at_least_one(rates.twins, voters // 2) + 3)
    population.namesakes(at_least_one(rates.namesakes, voters // 2) + 3)
    population.fill(voters - len(population.people))
    inhabitants = Counter(person.village for person in population.people)
    stations = places.plan_stations(chosen, inhabitants, Dice(seed, "stations"))
    offices = Offices(chosen, voters, Dice(seed, "offices"))
    campaign = Campaign(population, offices, stations, rates, Dice(seed, "campaign"))
    campaign.plan()
    closings = number(campaign.captures, Dice(seed, "way"))
    messages = [of_capture(capture) for capture in campaign.captures if capture.scenario != "lost"]
    messages += [of_closing(closing) for closing in closings]
    technical = _under_new_ids(messages, campaign, rates, voters, Dice(seed, "technical"))
    _break(messages, partitions, rates, Dice(seed, "faults"))
    return messages, campaign, technical, stations


def _under_new_ids(
    messages: list[Message], campaign: Campaign, rates: Rates, voters: int, dice: Dice
) -> list[tuple[str, str]]:
    """Adds the technical duplicates; answers the pairs of ids that are one capture."""
    plain = [
        message for message in messages if message.scenario == "registered" and message.type == REGISTERED
    ]
    pairs: list[tuple[str, str]] = []
    for message in dice.sample(plain, at_least_one(rates.duplicates * rates.technical, voters)):
        again = under_new_id(message, campaign.new_id(message.subject.split("-")[0]), dice)
        pairs.append((message.subject, again.subject))
        messages.append(again)
    return pairs


def _break(messages: list[Message], partitions: int, rates: Rates, dice: Dice) -> None:
    """Puts broken and odd records before, after and in place of good ones."""
    good = {
        "registered": _places(messages, "registered", REGISTERED, dice),
        "removed": _places(messages, "removed", REMOVED, dice),
        "batch_closed": _places(messages, "batch_closed", BATCH_CLOSED, dice),
    }
    turns = dict.fromkeys(good, 0)
    for _ in range(at_least_one(rates.faults, len(messages))):
        for kind, fault in enumerate(faults.catalogue()):
            at = good[fault.of][turns[fault.of] % len(good[fault.of])]
            turns[fault.of] += 1
            base = messages[at]
            odd = replace(fault.make(base, dice, partitions), scenario=fault.name)
            refused = fault.place == faults.BEFORE and odd.verdict == INVALID
            if fault.place == faults.INSTEAD or (refused and kind % 4 == 0):
                messages[at] = odd  # a refused one of these is never mended
            elif fault.place == faults.AFTER:
                messages.append(replace(odd, arrival=base.arrival + HOUR + dice.below(48 * HOUR)))
            else:
                messages.append(replace(odd, arrival=base.arrival - 1))
                if refused and kind % 4 == 1:
                    # Sent again as it was: a rejection leaves no history, so it is judged anew.
                    messages.append(replace(messages[-1], scenario="refused_again"))


def _places(messages: Sequence[Message], scenario: str, type_: str, dice: Dice) -> list[int]:
    found = [
        at
        for at, message in enumerate(messages)
        if message.scenario == scenario and message.type == type_ and message.verdict is None
    ]
    return dice.sample(found, len(found) // 2 + 1)


def _resent(messages: Sequence[Message], count: int, dice: Dice) -> list[Message]:
    """Events sent again, byte for byte, seconds to days later."""
    candidates = [message for message in messages if message.verdict is None]
    resent: list[Message] = []
    for _ in range(count):
        message = dice.pick(candidates)
        wait = dice.between(1_000, 90_000) if dice.chance(0.7) else dice.below(72 * HOUR)
        resent.append(replace(message, arrival=message.arrival + wait, scenario="resend"))
    return resent


def _judged(
    messages: list[Message],
    campaign: Campaign,
    technical: list[tuple[str, str]],
    stations: list[places.Station],
    seed: int,
    partitions: int,
) -> Stream:
    """Puts the messages in order of arrival and says what becomes of each."""
    order = sorted(range(len(messages)), key=lambda at: (messages[at].arrival, at))
    truth = Truth()
    lines: list[bytes] = []
    events: list[EventTruth] = []
    minors: dict[str, bool] = {}
    for line, at in enumerate(order, start=1):
        message = messages[at]
        outcome = truth.judge(message)
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
        stations=stations,
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
