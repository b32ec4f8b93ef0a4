"""At which station everyone votes: explicit stations first, then who stays, then the rest in order of id."""

from collections import Counter

from audit.files import Station
from audit.persons import Population, Refusal


def seat(
    standing: list[str], people: Population, stations: dict[str, Station], before: dict[str, str]
) -> dict[str, str]:
    """Registration id to station; `before` is that of the version before. Raises Refusal."""
    seats: dict[str, str] = {}
    taken: Counter[str] = Counter()

    def free(code: str) -> bool:
        return taken[code] < stations[code].capacity

    def take(registration_id: str, code: str) -> None:
        seats[registration_id] = code
        taken[code] += 1

    for registration_id in sorted(standing):
        explicit = people[registration_id].captured.record.polling_station
        commune = people[registration_id].place[:6]
        if explicit is not None and explicit in stations and stations[explicit].commune == commune:
            take(registration_id, explicit)
    full = [code for code in stations if taken[code] > stations[code].capacity]
    if full:
        raise Refusal("over_full", full)

    for registration_id in sorted(standing):
        code = before.get(registration_id)
        if registration_id in seats or code is None or code not in stations:
            continue
        if stations[code].serves(people[registration_id].place) and free(code):
            take(registration_id, code)

    serving: dict[str, list[str]] = {}
    seatless = []
    for registration_id in sorted(standing):
        if registration_id in seats:
            continue
        place = people[registration_id].place
        if place not in serving:
            serving[place] = [code for code, station in stations.items() if station.serves(place)]
        code = next(filter(free, serving[place]), None)
        if code is not None:
            take(registration_id, code)
        else:
            seatless.append(registration_id)
    if seatless:
        raise Refusal("no_seat", seatless)
    return seats
