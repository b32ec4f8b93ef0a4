"""The campaign as it happened: who was captured where, when, and what changed afterwards."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from simulator import noise
from simulator.dice import Dice
from simulator.offices import DAY, Capture, Offices, Registration
from simulator.people import CAMPAIGN, Person, Population
from simulator.places import NO_SUCH_PROVINCE, Station
from simulator.rates import Rates, at_least_one

FIRST_ROUND_DAYS = 14
REMOVAL_SHARES = {"deceased": 0.4, "moved": 0.3, "duplicate": 0.1, "disenfranchised": 0.1, "erroneous": 0.1}
CHOSE_STATION = 0.06
COMMUNE_ONLY = 0.01


@dataclass(frozen=True, slots=True)
class Twice:
    """Two registrations and why they look alike; `kind` is one of noise.KINDS, `resend` or a kind of kin."""

    one: Registration
    other: Registration
    kind: str


class Campaign:
    """Plans the captures; `captures` afterwards holds them in order of time, `lost` those never delivered."""

    def __init__(
        self, population: Population, offices: Offices, stations: Sequence[Station], rates: Rates, dice: Dice
    ) -> None:
        self._population = population
        self._offices = offices
        self._rates = rates
        self._dice = dice
        self._voters = len(population.people)
        self._numbers: dict[str, int] = {}
        self._stations: dict[str, list[str]] = {}
        for station in stations:
            for place in station.villages or (station.commune,):
                self._stations.setdefault(place, []).append(station.station)
        self._all_stations = [station.station for station in stations]
        self.captures: list[Capture] = []
        self.lost: list[Capture] = []
        self.duplicates: list[Twice] = []
        self.kin: list[Twice] = []

    def plan(self) -> None:
        """Everything that happens, then its order, ids and revisions."""
        first = [self._first(person) for person in self._population.people]
        self.captures += first
        for kin in self._population.kin:
            self.kin.append(Twice(first[kin.one].registration, first[kin.other].registration, kin.kind))
        again = self._register_again(first)
        pool = iter(self._dice.shuffled(first))
        self._change_later(pool, again)
        self._wrong_state(pool)
        self._never_registered()
        self._implausible()
        self._nowhere()
        self.lost = [next(pool) for _ in range(at_least_one(self._rates.lost, self._voters))]
        for capture in self.lost:
            capture.scenario = "lost"
        self._number_registrations()

    def _body(self, copy: noise.Copy) -> dict[str, Any]:
        dice = self._dice
        village = copy.village
        stations = self._stations.get(village) or self._stations[village[:6]]
        body: dict[str, Any] = {
            "voter": copy.voter,
            "residence": {"village_code": village[:6] if dice.chance(COMMUNE_ONLY) else village},
        }
        if dice.chance(CHOSE_STATION):
            body["polling_station"] = dice.pick(stations)
        elif dice.chance(0.5):
            body["polling_station"] = None
        return body

    def _first(self, person: Person) -> Capture:
        office = person.village[:6]
        registration = Registration(person.person_id, office)
        when = self._offices.moment(0, FIRST_ROUND_DAYS - 1)
        body = self._body(noise.write_down(person, self._dice))
        return Capture("registered", registration, self._offices.device(office), when, "registered", body)

    def _register_again(self, first: list[Capture]) -> list[Capture]:
        """People who register a second time, a few a third; the technical resends are made of sent events."""
        dice, rates = self._dice, self._rates
        count = at_least_one(rates.duplicates * (1 - rates.technical), self._voters)
        kinds = noise.kinds(min(max(count, len(noise.KINDS)), len(first)), dice)
        again: list[Capture] = []
        by_id = self._population.people
        chosen = dice.sample(range(len(first)), len(kinds))
        for at, kind in zip(chosen, kinds, strict=True):
            again.append(self._second(first[at], by_id[at], kind))
        for number in range(len(again) // 20):
            at = chosen[number]
            third = self._second(first[at], by_id[at], "other_romanisation")
            self.duplicates.append(
                Twice(again[number].registration, third.registration, "third_registration")
            )
            again.append(third)
        self.captures += again
        return again

    def _second(self, capture: Capture, person: Person, kind: str) -> Capture:
        dice = self._dice
        person = replace(person, person_id=capture.registration.person)
        if kind == "missing_digit" and person.document is None:
            person = replace(person, document=self._population.new_document())
            voter = capture.change["voter"]
            voter["identity_document"] = {"kind": person.document[0], "number": person.document[1]}  # type: ignore[index]
        copy = noise.write_again(person, kind, self._population, dice)
        office = copy.village[:6] if dice.chance(0.7) else self._offices.any_office()
        registration = Registration(person.person_id, office)
        when = capture.when // DAY * DAY + self._offices.moment(1, 10)
        self.duplicates.append(Twice(capture.registration, registration, kind))
        device = self._offices.device(office, other_than=capture.device)
        return Capture("registered", registration, device, when, kind, self._body(copy))

    def _later(self, capture: Capture, action: str, scenario: str, **more: Any) -> Capture:
        """Something done to a registration one to eight days after another capture of it."""
        when = capture.when // DAY * DAY + self._offices.moment(1, 8)
        office = more.pop("office", capture.registration.office)
        device = self._offices.device(office)
        later = Capture(action, capture.registration, device, when, scenario, **more)
        self.captures.append(later)
        return later

    def _change_later(self, pool: Iterator[Capture], again: list[Capture]) -> None:
        dice, rates, voters = self._dice, self._rates, self._voters
        for _ in range(at_least_one(rates.corrections, voters)):
            self._correct(next(pool), "corrected")
        for capture in dice.sample(again, len(again) // 12):
            self._correct(capture, "corrected")
        for _ in range(at_least_one(rates.transfers, voters)):
            capture = next(pool)
            village = self._population.another_village(capture.registration.office)
            moved = self._body(noise.Copy(capture.change["voter"], village))
            self._later(capture, "transferred", "transferred", change=moved, office=village[:6])
        removed = self._remove(pool, again)
        for capture in removed[: max(2, round(rates.reinstatements * voters))]:
            self._later(capture, "reinstated", "reinstated")
        for _ in range(at_least_one(rates.refused, voters)):
            corrected = self._correct(self._correct(next(pool), "corrected"), "corrected")
            self._later(corrected, "corrected", "stale_revision", stale=True)

    def _correct(self, capture: Capture, scenario: str) -> Capture:
        dice = self._dice
        voter: dict[str, Any] = {
            name: dict(part) if isinstance(part, dict) else part
            for name, part in capture.change["voter"].items()
        }
        roll = dice.random()
        if roll < 0.4:
            voter["phone"] = self._population.new_phone()
        elif roll < 0.7 or voter["date_of_birth_precision"] != "day":
            kind, number = self._population.new_document()
            voter["identity_document"] = {"kind": kind, "number": number}
        else:
            born = date.fromisoformat(voter["date_of_birth"])
            voter["date_of_birth"] = born.replace(day=dice.between(1, 28)).isoformat()
        return self._later(capture, "corrected", scenario, change={**capture.change, "voter": voter})

    def _remove(self, pool: Iterator[Capture], again: list[Capture]) -> list[Capture]:
        count = at_least_one(self._rates.removals, self._voters)
        removed: list[Capture] = []
        for reason, share in REMOVAL_SHARES.items():
            for number in range(at_least_one(share, count)):
                of = again[number % len(again)] if reason == "duplicate" else next(pool)
                removed.append(self._later(of, "removed", "removed", reason=reason))
        # By reason in turn, so that each kind of removal is tried again or reversed.
        return self._dice.shuffled(removed)

    def _wrong_state(self, pool: Iterator[Capture]) -> None:
        for _ in range(at_least_one(self._rates.refused, self._voters)):
            of = next(pool)
            self._later(of, "registered", "registered_twice_under_one_id", change=of.change)
            self._later(next(pool), "reinstated", "reinstated_active")
            removed = self._later(next(pool), "removed", "removed", reason="erroneous")
            self._later(removed, "removed", "removed_twice", reason="erroneous")
            other = next(pool)
            gone = self._later(other, "removed", "removed", reason="moved")
            self._later(gone, "corrected", "corrected_removed", change=other.change)

    def _never_registered(self) -> None:
        for _ in range(at_least_one(self._rates.refused, self._voters)):
            for action in ("corrected", "transferred", "removed", "reinstated"):
                person = self._population.adolescent(20, 60)
                office = person.village[:6]
                registration = Registration("", office, revision=1)
                registration.body = self._body(noise.write_down(person, self._dice))
                when = self._offices.moment(1, FIRST_ROUND_DAYS)
                reason = "moved" if action == "removed" else None
                device = self._offices.device(office)
                self.captures.append(
                    Capture(action, registration, device, when, "unknown_registration", reason=reason)
                )

    def _implausible(self) -> None:
        """Birth dates around the limits: fifteen today is old enough, fifteen tomorrow is not."""
        for _ in range(at_least_one(self._rates.refused, self._voters)):
            self._born("too_young", lambda day: day - timedelta(days=365 * 9 + self._dice.below(1700)), True)
            self._born("born_after_capture", lambda day: day + timedelta(days=40), True)
            self._born("too_old", lambda day: day.replace(year=day.year - 130, day=1), True)
            self._born("fifteen_today", lambda day: day.replace(year=day.year - 15), False)
            self._born(
                "fifteen_tomorrow", lambda day: (day + timedelta(days=1)).replace(year=day.year - 15), True
            )
            self._born(
                "fifteen_this_month", lambda day: day.replace(year=day.year - 15, day=1), False, "month"
            )
            self._born("fifteen_this_year", lambda day: date(day.year - 15, 1, 1), False, "year")
            self._born("fourteen_this_year", lambda day: date(day.year - 14, 1, 1), True, "year")

    def _born(
        self, scenario: str, birth: Callable[[date], date], refused: bool, precision: str = "day"
    ) -> None:
        person = self._population.adolescent(15, 17)
        when = self._offices.moment(0, FIRST_ROUND_DAYS - 1)
        born = birth(CAMPAIGN + timedelta(days=when // DAY))
        person = replace(person, person_id=f"Y{len(self.captures):08d}", born=born, precision=precision)
        capture = self._first(person)
        capture.when, capture.scenario = when, scenario
        capture.fault = "implausible_birth_date" if refused else None
        self.captures.append(capture)

    def _nowhere(self) -> None:
        """Places and stations that do not exist, or not together; half of the people come back next day."""
        for _ in range(at_least_one(self._rates.refused, self._voters)):
            for scenario in ("unknown_village", "unknown_commune", "unknown_station", "station_elsewhere"):
                person = replace(self._population.adolescent(20, 60), person_id=f"X{len(self.captures):08d}")
                capture = self._first(person)
                right = capture.change
                capture.scenario = scenario
                capture.fault = "unknown_station" if "station" in scenario else "unknown_place"
                capture.change = {**right, **self._wrong_place(scenario, person.village)}
                self.captures.append(capture)
                if self._dice.chance(0.5):
                    self._later(capture, "registered", "registered", change=right)

    def _wrong_place(self, scenario: str, village: str) -> dict[str, Any]:
        if scenario == "unknown_village":
            return {"residence": {"village_code": NO_SUCH_PROVINCE + village[2:]}}
        if scenario == "unknown_commune":
            return {"residence": {"village_code": NO_SUCH_PROVINCE + village[2:6]}}
        if scenario == "unknown_station":
            return {"polling_station": f"{village[:6]}-99"}
        elsewhere = [station for station in self._all_stations if station[:6] != village[:6]]
        return {"polling_station": self._dice.pick(elsewhere)}

    def new_id(self, office: str) -> str:
        """The office's next registration id."""
        number = self._numbers[office] = self._numbers.get(office, 0) + 1
        return f"{office}-{CAMPAIGN.year}-{number:07d}"

    def _number_registrations(self) -> None:
        """Ids and revisions in order of time; a revision now and then skips some, as the contract allows."""
        order = sorted(range(len(self.captures)), key=lambda at: (self.captures[at].when, at))
        self.captures = [self.captures[at] for at in order]
        for capture in self.captures:
            registration = capture.registration
            registration.id = registration.id or self.new_id(registration.office)
            if capture.action == "registered":
                registration.body = capture.change
                registration.revision = max(1, registration.revision)
                capture.revision = 1
                continue
            registration.body = capture.change or registration.body
            if not capture.stale:
                registration.revision += self._dice.between(2, 40) if self._dice.chance(0.03) else 1
            capture.revision = registration.revision
            capture.change = registration.body
