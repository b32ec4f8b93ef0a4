"""Captures that an honest office gets wrong: too late, of nobody, of the too young, in places unknown."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from simulator import noise
from simulator.clerks import FIRST_ROUND_DAYS, Clerks
from simulator.offices import DAY, Capture, Registration
from simulator.people import CAMPAIGN
from simulator.places import NO_SUCH

WRONG_PLACES = (
    "unknown_village",
    "unknown_commune",
    "unknown_province",
    "unknown_station",
    "station_elsewhere",
)


class Mistakes:
    """Adds `times` of each kind to the clerks' captures."""

    def __init__(self, clerks: Clerks, times: int) -> None:
        self._clerks = clerks
        self._times = times

    def plan(self, pool: Iterator[Capture]) -> None:
        """All kinds; `pool` has registrations to which nothing else happens."""
        self._leave_again(pool)
        self._wrong_state(pool)
        self._never_registered()
        self._implausible()
        self._nowhere()

    def _leave_again(self, pool: Iterator[Capture]) -> None:
        """Some who came by an early transfer are removed by their new office after the first round.

        Whether it may is a matter of epochs: only in a later one than that of the transfer.
        """
        early = (capture for capture in pool if capture.when < 4 * DAY)
        for _ in range(self._times):
            moved = self._clerks.move(next(early), "transferred")
            office = moved.device.office
            gone = self._clerks.later(
                moved, "removed", "removed_after_transfer", reason="moved", office=office
            )
            gone.when += FIRST_ROUND_DAYS * DAY

    def _wrong_state(self, pool: Iterator[Capture]) -> None:
        for _ in range(self._times):
            of = next(pool)
            self._clerks.later(of, "registered", "registered_twice_under_one_id", change=of.change)
            self._clerks.later(next(pool), "reinstated", "reinstated_active")
            removed = self._clerks.later(next(pool), "removed", "removed", reason="erroneous")
            self._clerks.later(removed, "removed", "removed_twice", reason="erroneous")
            other = next(pool)
            gone = self._clerks.later(other, "removed", "removed", reason="moved")
            self._clerks.later(gone, "corrected", "corrected_removed", change=other.change)

    def _never_registered(self) -> None:
        for _ in range(self._times):
            for action in ("corrected", "transferred", "removed", "reinstated"):
                person = self._clerks.population.adolescent(20, 60)
                office = person.village[:6]
                registration = Registration("", office, revision=1)
                registration.body = self._clerks.body(noise.write_down(person, self._clerks.dice))
                when = self._clerks.offices.moment(1, FIRST_ROUND_DAYS)
                reason = "moved" if action == "removed" else None
                device = self._clerks.offices.device(office)
                self._clerks.captures.append(
                    Capture(action, registration, device, when, "unknown_registration", reason=reason)
                )

    def _implausible(self) -> None:
        """Birth dates around the limits: fifteen today is old enough, fifteen tomorrow is not."""
        for _ in range(self._times):
            self._born(
                "too_young", lambda day: day - timedelta(days=365 * 9 + self._clerks.dice.below(1700)), True
            )
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
        person = self._clerks.population.adolescent(15, 17)
        when = self._clerks.offices.moment(0, FIRST_ROUND_DAYS - 1)
        born = birth(CAMPAIGN + timedelta(days=when // DAY))
        person = replace(
            person, person_id=f"Y{len(self._clerks.captures):08d}", born=born, precision=precision
        )
        capture = self._clerks.first(person)
        capture.when, capture.scenario = when, scenario
        capture.fault = "implausible_birth_date" if refused else None
        self._clerks.captures.append(capture)

    def _nowhere(self) -> None:
        """Places and stations that do not exist, or not together; half of the people come back next day."""
        for _ in range(self._times):
            for scenario in WRONG_PLACES:
                person = replace(
                    self._clerks.population.adolescent(20, 60), person_id=f"X{len(self._clerks.captures):08d}"
                )
                if scenario == "unknown_commune":
                    # An office of one commune may register nobody into another, known or not.
                    office = self._clerks.offices.whole_district()
                    person = replace(person, village=self._clerks.population.village_in(office))
                capture = self._clerks.first(person)
                right = capture.change
                capture.scenario = scenario
                capture.fault = "unknown_station" if "station" in scenario else "unknown_place"
                capture.change = {**right, **self._wrong_place(scenario, person.village)}
                self._clerks.captures.append(capture)
                if self._clerks.dice.chance(0.5):
                    self._clerks.later(capture, "registered", "registered", change=right)

    def _wrong_place(self, scenario: str, village: str) -> dict[str, Any]:
        if scenario == "unknown_village":
            return {"residence": {"village_code": village[:6] + NO_SUCH}}
        if scenario == "unknown_commune":
            return {"residence": {"village_code": village[:4] + NO_SUCH}}
        if scenario == "unknown_province":
            return {"residence": {"village_code": NO_SUCH + village[2:]}}
        if scenario == "unknown_station":
            return {"polling_station": f"{village[:6]}-99"}
        elsewhere = [station for station in self._clerks.stations if station[:6] != village[:6]]
        return {"polling_station": self._clerks.dice.pick(elsewhere)}
