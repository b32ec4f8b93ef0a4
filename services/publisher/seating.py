"""At which station everyone votes. Pure.

Stations serve villages of their own commune, so places can be given commune by commune.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.publisher.registrations import Registration
from shared.reference.files import Station, Stations


@dataclass(frozen=True, slots=True)
class Seating:
    """Registration id to station; the stations with more than fit; the voters for whom no seat was left."""

    seats: Mapping[str, str]
    over_full: list[str]
    seatless: list[str]


def seat(voters: Iterable[Registration], stations: Stations, before: Mapping[str, str]) -> Seating:
    """Give seats to all voters of some whole communes; `before` has their stations in the version before.

    First those who named a station of their commune; then, in order of id and up to capacity, those who had
    one that serves them; then the rest, at the first station in file order that serves them and has room.
    """
    places = _Places(stations)
    voters = sorted(voters, key=lambda voter: voter.registration_id)
    for voter in voters:
        station = explicit(voter, stations)
        if station is not None:
            places.take(voter.registration_id, station)
    over_full = places.over_full()
    for voter in voters:
        station = stations.by_code.get(before.get(voter.registration_id, ""))
        if voter.registration_id in places.seats or station is None or not places.has_room(station):
            continue
        if station.serves(voter.captured.village_code):
            places.take(voter.registration_id, station)
    seatless = []
    for voter in voters:
        if voter.registration_id in places.seats:
            continue
        free = places.first_free(voter.captured.village_code)
        if free is None:
            seatless.append(voter.registration_id)
        else:
            places.take(voter.registration_id, free)
    return Seating(places.seats, over_full, seatless)


def explicit(voter: Registration, stations: Stations) -> Station | None:
    """The station that the voter named, if it is in force and lies in the commune of residence."""
    station = stations.by_code.get(voter.captured.polling_station or "")
    if station is None or station.commune != voter.captured.village_code[:6]:
        return None
    return station


class _Places:
    def __init__(self, stations: Stations) -> None:
        self._stations = stations
        self._taken: Counter[str] = Counter()
        self._serving: dict[str, list[Station]] = {}
        self.seats: dict[str, str] = {}

    def take(self, registration_id: str, station: Station) -> None:
        self.seats[registration_id] = station.code
        self._taken[station.code] += 1

    def has_room(self, station: Station) -> bool:
        return self._taken[station.code] < station.capacity

    def first_free(self, village_code: str) -> Station | None:
        """The first station of a village that has room; full ones are not looked at again."""
        free = self._serving.get(village_code)
        if free is None:
            free = self._serving[village_code] = self._stations.serving(village_code)
        while free and not self.has_room(free[0]):
            del free[0]
        return free[0] if free else None

    def over_full(self) -> list[str]:
        stations = self._stations.by_code
        return sorted(code for code, taken in self._taken.items() if taken > stations[code].capacity)
