"""The campaign as it happened: who was captured where, when, and what changed afterwards."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from simulator import noise
from simulator.clerks import Clerks
from simulator.mistakes import Mistakes
from simulator.offices import DAY, Capture, Registration
from simulator.people import CAMPAIGN, Person
from simulator.rates import Rates, at_least_one

REMOVAL_SHARES = {"deceased": 0.4, "moved": 0.3, "duplicate": 0.1, "disenfranchised": 0.1, "erroneous": 0.1}


@dataclass(frozen=True, slots=True)
class Twice:
    """Two registrations and why they look alike; `kind` is one of noise.KINDS, `resend` or a kind of kin."""

    one: Registration
    other: Registration
    kind: str


class Campaign:
    """Plans the captures; `captures` afterwards holds them in order of time, `lost` those never delivered."""

    def __init__(self, clerks: Clerks, rates: Rates) -> None:
        self._clerks = clerks
        self._rates = rates
        self._people = clerks.population.people
        self._voters = len(self._people)
        self._numbers: dict[str, int] = {}
        self.captures: list[Capture] = []
        self.lost: list[Capture] = []
        self.duplicates: list[Twice] = []
        self.kin: list[Twice] = []

    def plan(self) -> None:
        """Everything that happens, then its order, ids and revisions."""
        clerks, rates = self._clerks, self._rates
        first = [clerks.first(person) for person in self._people]
        clerks.captures += first
        for kin in clerks.population.kin:
            self.kin.append(Twice(first[kin.one].registration, first[kin.other].registration, kin.kind))
        again = self._register_again(first)
        pool = iter(clerks.dice.shuffled(first))
        self._change_later(pool, again)
        Mistakes(clerks, at_least_one(rates.refused, self._voters)).plan(pool)
        self.lost = [next(pool) for _ in range(at_least_one(rates.lost, self._voters))]
        for capture in self.lost:
            capture.scenario = "lost"
        self._number_registrations()

    def _register_again(self, first: list[Capture]) -> list[Capture]:
        """People who register a second time, a few a third; the technical resends are made of sent events."""
        dice, rates = self._clerks.dice, self._rates
        count = at_least_one(rates.duplicates * (1 - rates.technical), self._voters)
        kinds = noise.kinds(min(max(count, len(noise.KINDS)), len(first)), dice)
        again: list[Capture] = []
        by_id = self._people
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
        self._clerks.captures += again
        return again

    def _second(self, capture: Capture, person: Person, kind: str) -> Capture:
        dice = self._clerks.dice
        person = replace(person, person_id=capture.registration.person)
        if kind == "missing_digit" and person.document is None:
            person = replace(person, document=self._clerks.population.new_document())
            voter = capture.change["voter"]
            voter["identity_document"] = {"kind": person.document[0], "number": person.document[1]}  # type: ignore[index]
        copy = noise.write_again(person, kind, self._clerks.population, dice)
        office = copy.village[:6]
        registration = Registration(person.person_id, office)
        when = capture.when // DAY * DAY + self._clerks.offices.moment(1, 10)
        self.duplicates.append(Twice(capture.registration, registration, kind))
        device = self._clerks.offices.device(office, other_than=capture.device)
        return Capture("registered", registration, device, when, kind, self._clerks.body(copy))

    def _change_later(self, pool: Iterator[Capture], again: list[Capture]) -> None:
        dice, rates, voters = self._clerks.dice, self._rates, self._voters
        for _ in range(at_least_one(rates.corrections, voters)):
            self._clerks.correct(next(pool), "corrected")
        for capture in dice.sample(again, len(again) // 12):
            self._clerks.correct(capture, "corrected")
        for _ in range(at_least_one(rates.transfers, voters)):
            self._clerks.move(next(pool), "transferred")
        removed = self._remove(pool, again)
        for capture in removed[: max(2, round(rates.reinstatements * voters))]:
            self._clerks.later(capture, "reinstated", "reinstated")
        for _ in range(at_least_one(rates.refused, voters)):
            corrected = self._clerks.correct(self._clerks.correct(next(pool), "corrected"), "corrected")
            self._clerks.later(corrected, "corrected", "stale_revision", stale=True)

    def _remove(self, pool: Iterator[Capture], again: list[Capture]) -> list[Capture]:
        count = at_least_one(self._rates.removals, self._voters)
        removed: list[Capture] = []
        for reason, share in REMOVAL_SHARES.items():
            for number in range(at_least_one(share, count)):
                of = again[number % len(again)] if reason == "duplicate" else next(pool)
                removed.append(self._clerks.later(of, "removed", "removed", reason=reason))
        # By reason in turn, so that each kind of removal is tried again or reversed.
        return self._clerks.dice.shuffled(removed)

    def new_id(self, office: str) -> str:
        """The office's next registration id."""
        number = self._numbers[office] = self._numbers.get(office, 0) + 1
        return f"{office}-{CAMPAIGN.year}-{number:07d}"

    def _number_registrations(self) -> None:
        """Ids and revisions in order of time; a revision now and then skips some, as the contract allows."""
        self.captures = sorted(self._clerks.captures, key=lambda capture: capture.when)
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
                registration.revision += (
                    self._clerks.dice.between(2, 40) if self._clerks.dice.chance(0.03) else 1
                )
            capture.revision = registration.revision
            capture.change = registration.body
