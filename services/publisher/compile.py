"""Makes all lists of a version, district by district, before anything of it is published."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from services.publisher.claims import CurrentClaims
from services.publisher.editions import Attempt, EditionStore, Stood
from services.publisher.lists import Removed, Sign, StationList, station_list
from services.publisher.registrations import Registration
from services.publisher.roll import Refusal, Ruling, absence, rule
from services.publisher.seating import seat
from services.publisher.store import RollStore
from shared.commands.state import DecisionChange, PairKey, State
from shared.reference.files import Stations


@dataclass(slots=True)
class Compiled:
    """What manifests are made of: per province (station, count, root) of its lists, and who is excluded."""

    lists: dict[str, list[tuple[str, int, str]]] = field(default_factory=dict)
    excluded: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def provinces(self) -> list[str]:
        """The provinces with a list, or with someone who was last registered there."""
        return sorted({*self.lists, *self.excluded})


@dataclass(frozen=True, slots=True)
class _District:
    """A district: who is on its lists and who is not, who was on them in the version before,
    and those of them who do not live there now."""

    code: str
    standing: Mapping[str, Registration]
    absent: Mapping[str, Registration]
    stood: Mapping[str, Stood]
    moved: Mapping[str, Registration]


class Compiler:
    """Compiles the version of an attempt.

    What it reads may be of two stores or half dropped if the attempt does not hold any more: who publishes
    or refuses asks for that afterwards.
    """

    def __init__(
        self,
        roll: RollStore,
        editions: EditionStore,
        attempt: Attempt,
        stations: Stations,
        sign: Sign,
    ) -> None:
        self._roll = roll
        self._editions = editions
        self._attempt = attempt
        self._edition = edition = attempt.edition
        self._stations = stations
        self._sign = sign
        data = edition.request.data
        self._epoch = data.epoch
        self._day = date.fromisoformat(data.election.day)
        self._before = edition.replaces_token
        self._lists_of: dict[str, dict[str, str]] = {}  # district → station → commune
        self._had_list: frozenset[str] = frozenset()
        self._over_full: list[str] = []
        self._seatless: list[str] = []

    async def compile(self, state: State, *, store: bool = True) -> Compiled:
        """Make and `store` every list. Raises Refusal, which names why there can be no version."""
        ruling = await self._ruling(state)
        compiled = Compiled()
        for code in await self._districts():
            district = await self._read(code, ruling)
            lists = self._lists(district, ruling)
            if store:
                await self._editions.save_lists(self._attempt, lists)
            for made, _, _ in lists:
                row = (made.station, made.count, made.root)
                compiled.lists.setdefault(made.commune[:2], []).append(row)
            for registration in district.absent.values():
                why = absence(registration, ruling, self._day)
                if why is not None:
                    compiled.excluded.setdefault(registration.province, Counter())[why[0]] += 1
        if self._over_full:
            raise Refusal("over_full", sorted(self._over_full))
        if self._seatless:
            raise Refusal("no_seat", sorted(self._seatless))
        return compiled

    async def _ruling(self, state: State) -> Ruling:
        request = self._edition.request
        changes = state.changes_at(request.command_offset)
        decided = {each for pair in changes for each, _ in pair}
        claims = CurrentClaims(await self._roll.registrations(sorted(decided), self._epoch))
        await claims.read(self._roll, self._epoch)
        # In a thread: heartbeats and health must not wait for it.
        return await asyncio.to_thread(rule_and_let_go, claims, changes, self._day, request.data.undecided)

    async def _districts(self) -> list[str]:
        """Every district with a list or a registration. All stations of the file have a list, and a last time
        those that were in the file of the version before."""
        earlier = await self._editions.communes(self._before) if self._before is not None else {}
        self._had_list = frozenset(earlier)
        now = {code: station.commune for code, station in self._stations.by_code.items()}
        for station, commune in {**earlier, **now}.items():
            self._lists_of.setdefault(commune[:4], {})[station] = commune
        return sorted({*self._lists_of, *await self._roll.districts()})

    async def _read(self, code: str, ruling: Ruling) -> _District:
        standing: dict[str, Registration] = {}
        absent: dict[str, Registration] = {}
        for registration in await self._roll.district(code, self._epoch):
            group = absent if absence(registration, ruling, self._day) else standing
            group[registration.registration_id] = registration
        had_list = sorted(self._had_list.intersection(self._lists_of.get(code, ())))
        before = await self._editions.stored_lists(self._before, had_list) if self._before is not None else []
        stood = {each: where for old in before for each, where in old.stood.items()}
        elsewhere = [each for each in stood if each not in standing and each not in absent]
        moved = await self._roll.registrations(elsewhere, self._epoch)
        return _District(code, standing, absent, stood, moved)

    def _lists(
        self, district: _District, ruling: Ruling
    ) -> list[tuple[StationList, bool, Sequence[Registration]]]:
        stood = district.stood
        seating = seat(
            district.standing.values(),
            self._stations,
            {each: where.station for each, where in stood.items()},
        )
        self._over_full += seating.over_full
        self._seatless += seating.seatless
        voters: dict[str, list[Registration]] = {}
        for each, station in seating.seats.items():
            voters.setdefault(station, []).append(district.standing[each])
        made: list[tuple[StationList, bool, Sequence[Registration]]] = []
        for code, commune in self._lists_of.get(district.code, {}).items():
            if code in seating.over_full:
                continue  # too many for a list; the version is refused
            seated = voters.get(code, [])
            here = {voter.registration_id for voter in seated}
            gone = {
                each: where for each, where in stood.items() if where.station == code and each not in here
            }
            removed = [self._removed(each, where, district, ruling) for each, where in gone.items()]
            made_list = station_list(self._edition, code, commune, seated, removed, self._sign)
            made.append((made_list, code not in self._stations.by_code, seated))
        return made

    def _removed(
        self,
        registration_id: str,
        stood: Stood,
        district: _District,
        ruling: Ruling,
    ) -> Removed:
        """Why one who stood at a station before does not now."""
        now = (
            district.standing.get(registration_id)
            or district.absent.get(registration_id)
            or district.moved[registration_id]
        )
        why = absence(now, ruling, self._day)
        if why is not None:
            return Removed(registration_id, *why)
        captured = now.captured
        same = (stood.village_code, stood.polling_station) == (
            captured.village_code,
            captured.polling_station,
        )
        return Removed(registration_id, "reassigned" if same else "transferred", None)


def rule_and_let_go(
    claims: CurrentClaims,
    changes: Mapping[PairKey, Sequence[DecisionChange]],
    day: date,
    policy: Literal["refuse", "hold_later"],
) -> Ruling:
    """Apply the rules and empty `claims`, whether or not there is a ruling."""
    try:
        return rule(claims.people, claims, changes, day, policy)
    finally:
        claims.clear()
