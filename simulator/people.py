"""The population: households in villages, twins, namesakes; who they are, not yet what anyone captured."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from simulator.dice import Dice, Weighted
from simulator.names import Names, Spelt
from simulator.places import Commune

CAMPAIGN = date(2026, 10, 1)
"""First day of captures."""
ELECTION_DAY = date(2027, 6, 6)

ONLY_YEAR_KNOWN = 0.03
ONLY_MONTH_KNOWN = 0.008
FIRST_OF_JANUARY = 0.05
"""Share of full dates that are 1 January because nobody knew better."""
WITHOUT_DOCUMENT = 0.07
WITH_PHONE = 0.4
MINORS = 0.012
"""Share of people who are 15 to 17 when captured; registers take them, lists may not."""
MOBILE_PREFIXES = ("10", "11", "12", "15", "17", "69", "70", "77", "85", "92", "96")


@dataclass(frozen=True, slots=True)
class Person:
    """A human being: names as their papers spell them, `document` as kind and number, `village` by code."""

    person_id: str
    family: Spelt
    given: Spelt
    sex: str
    born: date
    precision: str
    document: tuple[str, str] | None
    phone: str | None
    village: str


@dataclass(frozen=True, slots=True)
class Kin:
    """Two people who look like one: `kind` is `twins`, `namesakes` or `namesakes_one_birthday`."""

    one: int
    other: int
    kind: str


class Population:
    """Draws people household by household into villages of uneven size."""

    def __init__(self, chosen: list[Commune], dice: Dice) -> None:
        villages = [village.code for commune in chosen for village in commune.villages]
        # A commune weighs about the same however many villages it has; a village up to eight times another.
        weights = [
            (0.25 + 1.75 * dice.random()) / len(commune.villages)
            for commune in chosen
            for _ in commune.villages
        ]
        self._villages = Weighted(villages, weights)
        self._dice = dice
        self._names = Names()
        self._numbers: set[str] = set()  # looked up only, never walked through
        self.people: list[Person] = []
        self.kin: list[Kin] = []

    def fill(self, count: int) -> None:
        """Households until there are `count` more people; the last one may be cut short."""
        wanted = len(self.people) + count
        while len(self.people) < wanted:
            self._household(wanted - len(self.people))

    def twins(self, pairs: int) -> None:
        """Twins in one household: same family name, birth date, village; other given name and document."""
        for _ in range(pairs):
            one = self._person(self._villages.draw(self._dice), born=self._adult_birth(16, 45))
            sex = one.sex if self._dice.chance(0.7) else self._sex()
            given = self._names.given_like(one.given, sex, self._dice)
            other = replace(
                self._person(one.village, born=one.born, family=one.family, sex=sex),
                given=given,
                born=one.born,
                precision=one.precision,
            )
            self._pair(one, other, "twins")

    def namesakes(self, pairs: int) -> None:
        """People of one name in one commune; of a few the birth date, 1 January, is the same as well."""
        for number in range(pairs):
            one = self._person(self._villages.draw(self._dice))
            near = self._villages.draw(self._dice) if self._dice.chance(0.2) else one.village
            other = replace(self._person(near, sex=one.sex), family=one.family, given=one.given)
            kind = "namesakes"
            if number % 4 == 0:
                kind = "namesakes_one_birthday"
                one = replace(one, born=date(one.born.year, 1, 1), document=self._any_document())
                other = replace(other, born=one.born, precision=one.precision, document=self._any_document())
            self._pair(one, other, kind)

    def adolescent(self, youngest: int, oldest: int) -> Person:
        """A person of that age (whole years, both included) on the first day, outside the population."""
        return self._person(self._villages.draw(self._dice), born=self._birth(youngest, oldest))

    def new_document(self) -> tuple[str, str]:
        """A document that nobody else has."""
        return self._any_document()

    def new_phone(self) -> str:
        """A mobile number in national form."""
        return "0" + self._dice.pick(MOBILE_PREFIXES) + self._dice.digits(6)

    def village_in(self, commune: str) -> str:
        """A village of that commune."""
        return next(village for village in self._villages.items if village[:6] == commune)

    def another_village(self, commune: str) -> str:
        """A village outside that commune, where voters live."""
        while True:
            village = self._villages.draw(self._dice)
            if village[:6] != commune:
                return village

    def _pair(self, one: Person, other: Person, kind: str) -> None:
        self.kin.append(Kin(len(self.people), len(self.people) + 1, kind))
        self._settle(one)
        self._settle(other)

    def _settle(self, person: Person) -> None:
        self.people.append(replace(person, person_id=f"P{len(self.people) + 1:08d}"))

    def _household(self, room: int) -> None:
        dice = self._dice
        village = self._villages.draw(dice)
        head = self._person(
            village, sex="male" if dice.chance(0.75) else "female", born=self._adult_birth(26, 88)
        )
        members = [head]
        if dice.chance(0.7):
            spouse_sex = "female" if head.sex == "male" else "male"
            born = head.born + timedelta(days=dice.between(-2500, 3500))
            members.append(self._person(village, sex=spouse_sex, born=min(born, self._adult_birth(18, 24))))
        children = min(dice.below(5), max(0, (CAMPAIGN.year - head.born.year - 34) // 3))
        for _ in range(children):
            oldest = CAMPAIGN.year - head.born.year - 19
            born = self._adult_birth(18, max(19, min(oldest, 40)))
            # Most children bear the father's family name, some by old custom his given name.
            family = head.given if len(head.given.parts) == 1 and dice.chance(0.3) else head.family
            members.append(self._person(village, born=born, family=family))
        if dice.chance(MINORS * 3):
            members.append(self._person(village, born=self._birth(15, 17), family=head.family))
        for member in members[:room]:
            self._settle(member)

    def _sex(self) -> str:
        return "female" if self._dice.chance(0.52) else "male"

    def _person(
        self, village: str, *, sex: str | None = None, born: date | None = None, family: Spelt | None = None
    ) -> Person:
        dice = self._dice
        sex = sex or self._sex()
        born = born or self._adult_birth(18, 85)
        precision = "day"
        young = CAMPAIGN.year - born.year < 20
        if not young and dice.chance(ONLY_YEAR_KNOWN):
            born, precision = date(born.year, 1, 1), "year"
        elif not young and dice.chance(ONLY_MONTH_KNOWN):
            born, precision = born.replace(day=1), "month"
        elif not young and dice.chance(FIRST_OF_JANUARY):
            born = date(born.year, 1, 1)
        return Person(
            person_id="",
            family=family or self._names.family(dice),
            given=self._names.given(sex, dice),
            sex=sex,
            born=born,
            precision=precision,
            document=self._document(1 - WITHOUT_DOCUMENT),
            phone=self.new_phone() if dice.chance(WITH_PHONE) else None,
            village=village,
        )

    def _adult_birth(self, youngest: int, oldest: int) -> date:
        """A young country: the younger of two draws more often than not."""
        span = oldest - youngest
        age = youngest + min(self._dice.below(span + 1), self._dice.below(span + 1) + span // 5)
        return self._birth(age, age)

    def _birth(self, youngest: int, oldest: int) -> date:
        """A birth date of who is of that age on the first day of the campaign."""
        age = self._dice.between(youngest, oldest)
        birthday = CAMPAIGN.replace(year=CAMPAIGN.year - age)
        return birthday - timedelta(days=self._dice.below(365))

    def _document(self, share: float) -> tuple[str, str] | None:
        return self._any_document() if self._dice.chance(share) else None

    def _any_document(self) -> tuple[str, str]:
        dice = self._dice
        roll = dice.random()
        if roll < 0.86:
            return "national_id", self._unused(lambda: "0" + dice.digits(8))
        if roll < 0.97:
            return "election_identity", self._unused(lambda: "E" + dice.digits(7))
        return "passport", self._unused(lambda: "N" + dice.digits(8))

    def _unused(self, draw: Callable[[], str]) -> str:
        while True:
            number = draw()
            if number not in self._numbers:
                self._numbers.add(number)
                return number
