"""What clerks capture: a person for the first time, and what is done to a registration later."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from simulator import noise
from simulator.dice import Dice
from simulator.offices import DAY, Capture, Offices, Registration
from simulator.people import Person, Population
from simulator.places import Station

FIRST_ROUND_DAYS = 14
"""Days in which everybody is registered once; what comes later are changes and second registrations."""
CHOSE_STATION = 0.06
COMMUNE_ONLY = 0.01


class Clerks:
    """Makes captures of people of `population` at `offices`; `captures` holds all that were kept."""

    def __init__(
        self, population: Population, offices: Offices, stations: Sequence[Station], dice: Dice
    ) -> None:
        self.population = population
        self.offices = offices
        self.dice = dice
        self.captures: list[Capture] = []
        self._stations: dict[str, list[str]] = {}
        for station in stations:
            for place in station.villages or (station.commune,):
                self._stations.setdefault(place, []).append(station.station)
        self.stations = [station.station for station in stations]

    def body(self, copy: noise.Copy) -> dict[str, Any]:
        """The registration of what was written down, at times with a station that the voter asked for."""
        dice = self.dice
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

    def first(self, person: Person) -> Capture:
        """A person's registration in the first round, not kept yet."""
        office = person.village[:6]
        registration = Registration(person.person_id, office)
        when = self.offices.moment(0, FIRST_ROUND_DAYS - 1)
        body = self.body(noise.write_down(person, self.dice))
        return Capture("registered", registration, self.offices.device(office), when, "registered", body)

    def later(self, capture: Capture, action: str, scenario: str, **more: Any) -> Capture:
        """Something done to a registration one to eight days after another capture of it."""
        when = capture.when // DAY * DAY + self.offices.moment(1, 8)
        office = more.pop("office", capture.registration.office)
        device = self.offices.device(office)
        later = Capture(action, capture.registration, device, when, scenario, **more)
        self.captures.append(later)
        return later

    def move(self, capture: Capture, scenario: str) -> Capture:
        """To another commune, whose office captures it."""
        village = self.population.another_village(capture.registration.office)
        moved = self.body(noise.Copy(capture.change["voter"], village))
        return self.later(capture, "transferred", scenario, change=moved, office=village[:6])

    def correct(self, capture: Capture, scenario: str) -> Capture:
        """Another telephone, document or day of birth."""
        dice = self.dice
        voter: dict[str, Any] = {
            name: dict(part) if isinstance(part, dict) else part
            for name, part in capture.change["voter"].items()
        }
        roll = dice.random()
        if roll < 0.4:
            voter["phone"] = self.population.new_phone()
        elif roll < 0.7 or voter["date_of_birth_precision"] != "day":
            kind, number = self.population.new_document()
            voter["identity_document"] = {"kind": kind, "number": number}
        else:
            born = date.fromisoformat(voter["date_of_birth"])
            voter["date_of_birth"] = born.replace(day=dice.between(1, 28)).isoformat()
        return self.later(capture, "corrected", scenario, change={**capture.change, "voter": voter})
